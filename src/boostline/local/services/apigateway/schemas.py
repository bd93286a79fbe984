"""JSON schemas of draft 4 that can be asked: what they refer to is there, and comes to an end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any
from urllib.parse import unquote

# Keywords whose values are schemas, lists of them, or schemas by name. The first say something of
# the same part of a body as the schema that they are in.
SAME = frozenset({"allOf", "anyOf", "oneOf", "not", "dependencies"})
INNER = frozenset({"items", "additionalItems", "additionalProperties", "properties"})
NAMED = frozenset({"dependencies", "properties", "patternProperties", "definitions"})


def check(root: Mapping[str, Any]) -> None:
    """Refuse schemas by which no body could be checked.

    Parameters
    ----------
    root
        A schema that fits the metaschema, with `components` to which it and they may refer.

    Raises
    ------
    ValueError
        If a reference leads nowhere or back to itself, or a regular expression is none.
    """
    leads: dict[str, list[str]] = {}
    roots = (root, *root["components"].get("schemas", {}).values())
    for part in _parts(roots, SAME | INNER | NAMED):
        _check_patterns(part)
        if "$ref" in part:
            following = _parts([_target(root, part["$ref"])], SAME)
            leads[part["$ref"]] = [each["$ref"] for each in following if "$ref" in each]
    try:
        TopologicalSorter(leads).prepare()
    except CycleError as error:
        raise ValueError(f"a $ref leads back to itself: {', '.join(error.args[1])}") from None


def _parts(schemas: Iterable[Any], keywords: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Return schemas and those in them; where there is a reference, draft 4 looks at nothing else.

    What is no schema in the place of one is passed over: `false`, or a list of names.
    """
    waiting = list(schemas)
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield part
        for keyword in keywords & part.keys() if "$ref" not in part else ():
            inner = part[keyword]
            if keyword in NAMED and isinstance(inner, dict):
                waiting.extend(inner.values())
            else:
                waiting.extend(inner if isinstance(inner, list) else [inner])


def _check_patterns(schema: Mapping[str, Any]) -> None:
    for pattern in (schema.get("pattern", ""), *schema.get("patternProperties", ())):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"the local platform cannot read the regular expression {pattern!r}: {error}"
            ) from None


def _target(root: Mapping[str, Any], reference: Any) -> Any:
    """Return what a reference within the document leads to."""
    start, *names = unquote(str(reference)).split("/")
    found: Any = root if start == "#" else None
    for name in names:
        if isinstance(found, list):
            found = dict(zip(map(str, range(len(found))), found, strict=True))
        plain = name.replace("~1", "/").replace("~0", "~")
        found = found.get(plain) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise ValueError(f"there is no model at $ref {reference!r}: say #/components/schemas/NAME")
    return found
