"""JSON bodies by shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from boostline.contracts.models import AnyShape
from boostline.local.wire import values
from boostline.local.wire.values import to_base64, to_time

_NUMBERS = {int, float}
_TYPES: dict[str, set[type]] = {
    "structure": {dict},
    "map": {dict},
    "list": {list},
    "string": {str},
    "blob": {str},
    "boolean": {bool},
    "integer": {int},
    "long": {int},
    "timestamp": {*_NUMBERS, str},
    "float": _NUMBERS,
    "double": _NUMBERS,
}
_NAMES = {
    dict: "OBJECT",
    list: "ARRAY",
    str: "STRING",
    bool: "BOOLEAN",
    int: "NUMBER",
    float: "NUMBER",
    type(None): "NULL",
}


def from_json(shape: AnyShape, value: Any) -> Any:
    """Return a decoded JSON value by the members of a shape: blobs as bytes, times as seconds.

    What is null or unknown is left out.

    Raises
    ------
    AwsError
        `SerializationException` if it is of another type than the shape.
    """
    kind = shape.type_name
    if is_document(shape):
        return value
    if type(value) not in _TYPES[kind]:
        found = _NAMES[type(value)]
        raise values.malformed(f"{found}_VALUE can not be converted to {kind} ({shape.name})")
    if kind == "structure":
        named = ((name, member, wire_name(name, member)) for name, member in shape.members.items())
        return {
            name: from_json(member, value[wire])
            for name, member, wire in named
            if value.get(wire) is not None
        }
    if kind == "list":
        return [from_json(shape.member, item) for item in value]
    if kind == "map":
        return {key: from_json(shape.value, item) for key, item in value.items()}
    if kind in {"blob", "timestamp"} and isinstance(value, str):
        return values.from_text(shape, value)
    return value


def to_json(shape: AnyShape, value: Any) -> Any:
    """Return a value as its shape's JSON; members that the shape does not know are left out."""
    writer = _WRITERS.get(shape.type_name)
    return value if writer is None or is_document(shape) else writer(shape, value)


def is_document(shape: AnyShape) -> bool:
    """Tell whether a shape stands for any JSON."""
    return bool(getattr(shape, "is_document_type", False))


def _structure(shape: AnyShape, value: dict[str, Any]) -> dict[str, Any]:
    return {
        wire_name(name, member): to_json(member, value[name])
        for name, member in shape.members.items()
        if value.get(name) is not None
    }


def _number(value: float) -> float | str:
    """Return a number as JSON can have it: AWS writes what is not finite as text."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"


_WRITERS: dict[str, Callable[[AnyShape, Any], Any]] = {
    "structure": _structure,
    "list": lambda shape, value: [to_json(shape.member, item) for item in value],
    "map": lambda shape, value: {key: to_json(shape.value, value[key]) for key in value},
    "float": lambda _, value: _number(value),
    "double": lambda _, value: _number(value),
    "blob": lambda _, value: to_base64(value),
    "timestamp": lambda shape, value: to_time(shape, value, "unixTimestamp"),
}


def wire_name(name: str, shape: AnyShape) -> str:
    """Return how a member is named on the wire."""
    return str(shape.serialization.get("name", name))
