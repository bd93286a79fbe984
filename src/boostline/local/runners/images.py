"""Which local program stands for an image."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase


class UnknownImage(LookupError):
    """An image that no local program stands for."""


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


def command_line(
    entrypoint: tuple[str, ...],
    arguments: tuple[str, ...],
    override: list[str] | None,
    given: list[str] | None,
) -> tuple[str, ...]:
    """Return what starts: as in Docker, an overridden entrypoint drops the default arguments."""
    if override:
        return (*override, *(given or ()))
    return (*entrypoint, *(arguments if given is None else given))
