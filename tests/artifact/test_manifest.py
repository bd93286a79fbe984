import json
from typing import Any

import pytest

from boostline.artifact.errors import ArtifactError
from boostline.artifact.manifest import Manifest


def test_it_is_read_as_it_was_written(manifest: Manifest) -> None:
    sealed = manifest.sealed({"model.ubj": "00"})
    assert Manifest.from_json(sealed.to_json()) == sealed


def test_the_digest_depends_on_members_and_content(manifest: Manifest) -> None:
    digests = {
        manifest.sealed({"a": "1"}).artifact,
        manifest.sealed({"a": "2"}).artifact,
        manifest.sealed({"b": "1"}).artifact,
        manifest.sealed({}).artifact,
    }
    assert len(digests) == 4
    assert manifest.sealed({"a": "1", "b": "2"}) == manifest.sealed({"b": "2", "a": "1"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 0.1}, "it was changed"),
        ({"version": 2}, "version 2 is not known"),
        ({"threshold": "low"}, r"threshold"),
        ({"extra": 1}, "unknown field"),
    ],
)
def test_a_changed_manifest_is_refused(
    manifest: Manifest, changes: dict[str, Any], message: str
) -> None:
    content = json.loads(manifest.sealed({}).to_json()) | changes
    with pytest.raises(ArtifactError, match=message):
        Manifest.from_json(json.dumps(content).encode())
