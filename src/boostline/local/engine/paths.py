"""Paths into documents: `Outputs['train'].S3Output.S3Uri`, `metrics.auc.value`, `rows[0]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_PART = re.compile(r"(?:^|\.)([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")


class ResolveError(LookupError):
    """A value that cannot be had: the message names the reference or the file, and why."""


def look_up(document: Any, path: str, source: str) -> Any:
    """Return the value at a path; `source` is what a message says of the document.

    A list is entered by number, or by the value of the member of its elements that ends in `Name`
    (`OutputName`, `ChannelName`, `MetricName`), as pipeline definitions do.

    Raises `ResolveError`, which says where the path ends and what is there, if there is none.
    """
    value, walked = document, ""
    for part in _parts(path, source):
        where = f"after {walked!r}" if walked else "at its beginning"
        value = _enter(value, part, f"{source}: {path!r} leads nowhere {where}")
        walked = f"{walked}.{part}" if walked else str(part)
    return value


def _parts(path: str, source: str) -> Iterator[str | int]:
    end = 0
    for match in _PART.finditer(path):
        if match.start() != end:
            break
        end = match.end()
        name, number, *quoted = match.groups()
        yield (
            int(number)
            if number is not None
            else next(text for text in (name, *quoted) if text is not None)
        )
    if end != len(path) or not path:
        raise ResolveError(f"{source}: {path!r} is not a path; an example: a.b['c'][0]")


def _enter(value: Any, part: str | int, problem: str) -> Any:
    if isinstance(value, dict):
        if str(part) in value:
            return value[str(part)]
        known = ", ".join(sorted(value)[:20]) or "nothing"
        raise ResolveError(f"{problem}: there is no {part!r}, but {known}")
    if isinstance(value, list):
        if isinstance(part, int):
            if part < len(value):
                return value[part]
            raise ResolveError(f"{problem}: there are {len(value)} elements, no [{part}]")
        for element in value:
            if isinstance(element, dict) and part in names(element):
                return element
        raise ResolveError(f"{problem}: no element is named {part!r}")
    raise ResolveError(f"{problem}: there is a {type(value).__name__}, which has no {part!r}")


def names(element: dict[str, Any]) -> list[Any]:
    """Return by which names an element of a list is known."""
    return [value for key, value in element.items() if key.endswith("Name")]


def places(value: Any, path: str, where: str = "") -> Iterator[tuple[str, Any]]:
    """Give what lies at a path, and where that is: None where nothing does.

    `Inputs[].Uri` gives the member of every element, each under its name: `Inputs[data].Uri`.
    """
    member, _, rest = path.partition(".")
    name = member.removesuffix("[]")
    found, where = (value or {}).get(name), f"{where}.{name}".lstrip(".")
    inner = [(where, found)]
    if member != name:
        inner = [(f"{where}[{called(each, n)}]", each) for n, each in enumerate(found or [])]
    for place, each in inner:
        yield from places(each, rest, place) if rest else [(place, each)]


def called(element: Any, number: int) -> Any:
    """Return what an element of a list is called: by its name, or its number."""
    return [*names(element), number][0] if isinstance(element, dict) else number
