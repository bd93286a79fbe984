"""What only an image can get wrong is found by the contract's checks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from boostline.conformance.errors import ConformanceError
from boostline.conformance.image import Image as Subject
from boostline.conformance.inputs import Inputs
from boostline.conformance.suite import examine
from tests.conformance.small import (
    CONTAINER,
    IMAGE,
    PATIENT,
    SEALED,
    failing,
    lay_inputs,
    own_default,
)
from tests.images.conftest import Image, call

pytestmark = [pytest.mark.slow, pytest.mark.image]


@contextmanager
def changed(
    image: Image,
    file: Path,
    place: str,
    *changes: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Subject]:
    """Make an image of the model image with a file more, and take it away again."""
    name = f"localhost/contract-test-{uuid.uuid4().hex}:1"
    container = must(image, "create", image.name).splitlines()[-1]
    try:
        must(image, "cp", str(file), f"{container}:{place}")
        must(image, "commit", *(f"--change={change}" for change in changes), container, name)
        yield Subject(name, environment or {})
    finally:
        call(image.tool, "rm", "--force", container)
        call(image.tool, "rmi", "--force", name)


def must(image: Image, *words: str) -> str:
    done = call(image.tool, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_is_wrong_with_an_image(image: Image, tmp_path: Path) -> None:
    (tmp_path / "brought").mkdir()
    (tmp_path / "brought/model.txt").write_text("7")
    shell = 'ENTRYPOINT ["/bin/sh", "-c", "boostline-container train"]'
    with changed(image, tmp_path / "brought", "/opt/ml", "USER 1000", shell) as subject:
        assert failing(examine(subject, Inputs())).keys() == IMAGE


def test_a_container_that_writes_elsewhere(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = 'ENTRYPOINT ["python3", "/container.py", "writes elsewhere"]'
    told = own_default(monkeypatch)
    with changed(image, CONTAINER, "/container.py", words, environment=told) as subject:
        found = failing(examine(subject, lay_inputs(tmp_path), PATIENT))
    assert found.keys() == SEALED, found
    assert all("Read-only file system" in why for why in found.values())


def test_an_image_that_is_not_there() -> None:
    with pytest.raises(ConformanceError, match="there is no such image here"):
        Subject("localhost/contract-test-none:1", {})
