"""Which local program stands for an image."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from boostline.local.runners.base import UnknownImage


def resolve(images: Mapping[str, tuple[str, ...]], uri: str) -> tuple[str, ...]:
    """Return the command line that stands for an image URI: the first glob that matches counts.

    Raises `UnknownImage` if none does.
    """
    for pattern, command in images.items():
        if fnmatchcase(uri, pattern):
            return command
    known = ", ".join(repr(pattern) for pattern in images) or "none"
    raise UnknownImage(
        f"no local program stands for the image {uri!r}; the patterns known here: {known}. "
        "Add one to the platform's table of images."
    )
