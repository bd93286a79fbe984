"""The strict check of a call: all that botocore's models say of a request, in AWS's words.

boto3 checks names, types and required members only; the services check enums, patterns, lengths
and ranges as well. This does both, before a request is sent and when the platform receives one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from boostline.contracts.models import AnyShape, service_model
from boostline.contracts.patterns import compiled

# Where a model is known to differ from the service: (service, shape) → the constraints that hold.
KNOWN_ERRORS: dict[tuple[str, str], dict[str, Any]] = {
    # 25 MB: https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-options.html
    ("sagemaker-runtime", "BodyBlob"): {"max": 25 * 1024 * 1024},
}

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "bigdecimal": (int, float),
    "timestamp": (int, float, str, dt.datetime),
    "structure": (Mapping,),
    "map": (Mapping,),
    "list": (list, tuple),
}
TYPE = "Member must be of type"
# A blob may also be a file to read from: only what has a length is checked.
_BLOBS = (bytes, bytearray, str)


class StrictError(ValueError):
    """A request that the service would refuse."""


def problems(service: str, operation: str, params: Mapping[str, Any]) -> list[str]:
    """Return all that is wrong with a request, in AWS's words; empty if it is well formed.

    Parameters
    ----------
    service, operation
        botocore's names, for example `sagemaker` and `CreateTrainingJob`.
    params
        The request by the members of the operation's input shape. Times may be epoch seconds.
    """
    shape = service_model(service).operation_model(operation).input_shape
    if shape is None:
        return [f"Unknown parameter '{name}'" for name in params]
    return [
        f"Value {value} at '{path}' failed to satisfy constraint: {constraint}"
        for path, value, constraint in _walk(service, shape, params, "")
    ]


def message(found: list[str]) -> str:
    """Return problems as the one message that AWS makes of them."""
    errors = "validation errors" if len(found) > 1 else "validation error"
    return f"{len(found)} {errors} detected: {'; '.join(found)}"


def check(service: str, operation: str, params: Mapping[str, Any]) -> None:
    """Raise `StrictError` if a request is not well formed; arguments as for `problems`."""
    found = problems(service, operation, params)
    if found:
        raise StrictError(f"{service}:{operation}: {message(found)}")


def install(target: Any) -> None:
    """Check each call of a boto3 client, or of a session's later clients, before it is sent.

    The check comes after botocore's own additions, for example of an idempotency token.
    """
    events = target.meta.events if hasattr(target, "meta") else target.events
    events.register_last("before-parameter-build", _check_call)


def _check_call(params: Mapping[str, Any], model: Any, **_: Any) -> None:
    check(model.service_model.service_name, model.name, params)


Problem = tuple[str, str, str]


def _walk(service: str, shape: AnyShape, value: Any, path: str) -> Iterator[Problem]:
    kind: str = shape.type_name
    if shape.serialization.get("streaming") or getattr(shape, "is_document_type", False):
        return
    if kind == "blob":
        if isinstance(value, _BLOBS):
            yield from _constraints(service, shape, value, path)
        elif not hasattr(value, "read"):
            yield path, _shown(value), f"{TYPE} blob"
        return
    if not _is_of(kind, value):
        yield path, _shown(value), f"{TYPE} {kind}"
        return
    yield from _constraints(service, shape, value, path)
    if kind == "structure":
        yield from _structure(service, shape, value, path)
    elif kind == "list":
        for number, item in enumerate(value, 1):
            yield from _walk(service, shape.member, item, f"{path}.{number}.member")
    elif kind == "map":
        for key, item in value.items():
            yield from _walk(service, shape.key, key, f"{path}.key")
            yield from _walk(service, shape.value, item, f"{path}.{key}.member")


def _is_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool):  # which Python counts among the integers
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _structure(
    service: str, shape: AnyShape, value: Mapping[str, Any], path: str
) -> Iterator[Problem]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield _join(path, name), "null", "Member must not be null"
    if shape.metadata.get("union") and len(value) != 1:
        members = ", ".join(shape.members)
        yield path, _shown(list(value)), f"Member must have exactly one of [{members}]"
    for name, item in value.items():
        if name not in shape.members:
            known = ", ".join(sorted(shape.members))
            yield _join(path, name), _shown(item), f"Member must be one of [{known}]"
        elif item is not None:
            yield from _walk(service, shape.members[name], item, _join(path, name))
        elif name not in shape.required_members:
            yield _join(path, name), "null", "Member must not be null if it is given"


def _constraints(service: str, shape: AnyShape, value: Any, path: str) -> Iterator[Problem]:
    limits = {**shape.metadata, **KNOWN_ERRORS.get((service, shape.name), {})}
    for constraint in (_size(shape.type_name, limits, value), *_text(limits, value)):
        if constraint:
            yield path, _shown(value, secret=bool(limits.get("sensitive"))), constraint


def _size(kind: str, limits: Mapping[str, Any], value: Any) -> str | None:
    if kind in {"structure", "boolean", "timestamp"}:
        return None
    sized = hasattr(value, "__len__")
    size, what = (len(value), "length") if sized else (value, "value")
    low, high = limits.get("min"), limits.get("max")
    if low is not None and size < low:
        return f"Member must have {what} greater than or equal to {low}"
    if high is not None and size > high:
        return f"Member must have {what} less than or equal to {high}"
    return None


def _text(limits: Mapping[str, Any], value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        return
    if limits.get("enum") and value not in limits["enum"]:
        yield f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
    pattern = limits.get("pattern")
    if len(value) > limits.get("max", len(value)):
        return  # long enough to keep an expression busy for ever, and refused as it is
    if pattern and not compiled(pattern).fullmatch(value):
        yield f"Member must satisfy regular expression pattern: {pattern}"


def _join(path: str, name: str) -> str:
    """Return the path of a member, which AWS writes with a small first letter."""
    return f"{path}.{name[0].lower()}{name[1:]}" if path else name[0].lower() + name[1:]


def _shown(value: Any, secret: bool = False) -> str:
    if secret:
        return "***"
    text = str(value)
    return f"'{text}'" if len(text) <= 200 else f"'{text[:200]}…'"
