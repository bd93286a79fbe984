"""What resources are called, and how a check says that something else stands there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.infra.rendering import KINDS, Json, Rendered


def ref(rendered: Rendered, name: str) -> str:
    """Return what Ref gives of a resource."""
    one = rendered.resources[name]
    return KINDS[one.type].ref.format(one.physical)


def attribute(rendered: Rendered, name: str, member: str) -> str:
    """Return what GetAtt gives of a resource."""
    one = rendered.resources[name]
    return KINDS[one.type].attributes[member].format(one.physical)


def same(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what} is {found!r:.300}, not {expected!r:.300}"


def trusts(role: Json, service: str) -> Iterator[str]:
    for each in role["AssumeRolePolicyDocument"]["Statement"]:
        yield from same("trust", each["Principal"], {"Service": f"{service}.amazonaws.com"})


def at(properties: Json, place: str) -> Any:
    """Return what stands at a dotted place; None if nothing does."""
    found: Any = properties
    for name in place.split("."):
        if isinstance(found, list):
            found = found[int(name)] if int(name) < len(found) else None
        else:
            found = found.get(name) if isinstance(found, dict) else None
    return found
