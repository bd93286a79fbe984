from __future__ import annotations

import pytest

from boostline.contracts.uri import split_uri


@pytest.mark.parametrize(
    ("uri", "parts"),
    [("s3://b", ("b", "")), ("s3://b/", ("b", "")), ("s3://b/a//c", ("b", "a//c"))],
)
def test_a_uri_is_split(uri: str, parts: tuple[str, str]) -> None:
    assert split_uri(uri) == parts


@pytest.mark.parametrize("uri", ["b/key", "s3:///key", "file://b/key", "s3://"])
def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="expected s3://bucket/key"):
        split_uri(uri)
