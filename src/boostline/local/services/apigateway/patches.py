"""Patch operations: how documents are changed.

https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boostline.contracts.models import AnyShape, service_model
from boostline.local.services.apigateway.resources import Members, bad_request
from boostline.local.services.apigateway.stages import ALL_METHODS, SETTINGS

# What can be changed, by botocore's shapes.
CHANGEABLE = {
    "Account": {"cloudwatchRoleArn"},
    "ApiKey": {"name", "description", "enabled"},
    "Stage": {"deploymentId", "description", "tracingEnabled", "accessLogSettings"},
    "UsagePlan": {"name", "description", "apiStages", "throttle", "quota"},
}
# The settings of all methods of a stage, which patches call otherwise.
MEANT = {f"/{ALL_METHODS}": ["methodSettings", ALL_METHODS]} | {
    f"/{ALL_METHODS}/{path}": ["methodSettings", ALL_METHODS, member]
    for path, member in SETTINGS.items()
}
READERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "boolean": lambda text: bool(("false", "true").index(text.lower())),
    "integer": int,
    "double": float,
}


def patch(document: Members, request: Mapping[str, Any], kind: str) -> None:
    """Apply a request's patch operations to a document of botocore's shape `kind`, or refuse them.

    Values are read as the shape says. A structure can only be removed, as a whole; a list takes
    and loses items, whose members have colons between them.
    """
    for operation in request.get("patchOperations", []):
        op, path, value = (operation.get(name, "") for name in ("op", "path", "value"))
        *parents, name = MEANT.get(path) or path[1:].split("/")
        shape: Any = _shape(kind, path, [*parents, name])
        place = document
        for parent in parents if shape else ():
            place = place.setdefault(parent, {})
        match op, shape and shape.type_name:
            case "remove", "structure":
                place.pop(name, None)
            case "add" | "remove", "list":
                item = dict(zip(shape.member.members, value.split(":"), strict=False))
                rest = [each for each in place.get(name, []) if each != item]
                place[name] = [*rest, item] if op == "add" else rest
            case "add" | "replace", type_name if type_name in READERS:
                try:
                    place[name] = READERS[type_name](value)
                except ValueError:
                    raise bad_request(f"Invalid patch value {value!r} for {path}") from None
            case _:
                has = ", ".join(sorted({*CHANGEABLE[kind], *(MEANT if kind == "Stage" else ())}))
                raise bad_request(
                    f"Invalid patch: the local platform has no {op!r} of {path!r}; it has {has}"
                )


def _shape(kind: str, path: str, names: list[str]) -> AnyShape | None:
    """Return the shape of what a patch is about; None for what cannot be changed."""
    if path not in MEANT and names[0] not in CHANGEABLE[kind]:
        return None
    shape = service_model("apigateway").shape_for(kind)
    for name in names:
        match shape and shape.type_name:
            case "structure":
                shape = shape.members.get(name)
            case "map":
                shape = shape.value
            case _:
                return None
    return shape
