"""What the service keeps, and how requests make and change it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from boostline.contracts.models import AnyShape, service_model
from boostline.local.wire.errors import AwsError, invalid

Members = dict[str, Any]

API = "apigateway.api"  # with its deployments and stages
KEY = "apigateway.key"
PLAN = "apigateway.plan"  # with the ids of its keys
SAID = {API: "API identifier", KEY: "API Key identifier", PLAN: "Usage Plan ID"}

# What patches can change, by botocore's shapes.
CHANGEABLE = {
    "Account": {"cloudwatchRoleArn"},
    "ApiKey": {"name", "description", "enabled"},
    "Stage": {"deploymentId", "description", "tracingEnabled", "accessLogSettings"},
    "UsagePlan": {"name", "description", "apiStages", "throttle", "quota"},
}
# The settings of all methods of a stage, which patches call otherwise:
# https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateStage-Patch
SETTINGS = {
    "metrics/enabled": "metricsEnabled",
    "logging/loglevel": "loggingLevel",
    "logging/dataTrace": "dataTraceEnabled",
    "throttling/burstLimit": "throttlingBurstLimit",
    "throttling/rateLimit": "throttlingRateLimit",
}
ALL_METHODS = "*/*"
MEANT = {f"/{ALL_METHODS}": ["methodSettings", ALL_METHODS]} | {
    f"/{ALL_METHODS}/{path}": ["methodSettings", ALL_METHODS, member]
    for path, member in SETTINGS.items()
}


def number(text: str) -> float:
    """Read a number, of which neither `inf` nor `nan` is one."""
    if not math.isfinite(found := float(text)):
        raise ValueError(text)
    return found


READERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "boolean": lambda text: bool(("false", "true").index(text.lower())),
    "integer": int,
    "double": number,
}


def bad_request(message: str) -> AwsError:
    """Return the error for a request that cannot be done."""
    return invalid(message, "apigateway")


def conflict(message: str) -> AwsError:
    """Return the error for a thing that is there already."""
    return AwsError("ConflictException", message, 409)


def not_found(what: str) -> AwsError:
    """Return the error for a thing that is not there."""
    return AwsError("NotFoundException", f"Invalid {what} specified", 404)


def given(request: Mapping[str, Any], names: str, besides: str = "") -> Members:
    """Return those members that a request has; refuse all others that ask for something."""
    others = request.keys() - {*names.split(), *besides.split()}
    if asked := sorted(name for name in others if request[name]):
        raise bad_request(f"the local platform does not have {', '.join(asked)} here")
    return {name: request[name] for name in names.split() if name in request}


def by_path(settings: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the MethodSettings of a template as the paths of their patches below the stage's."""
    paths = {member: path for path, member in SETTINGS.items()}
    return {
        f"{each['ResourcePath'].replace('/', '~1').replace('~1*', '*')}/{each['HttpMethod']}": {
            paths.get(name[:1].lower() + name[1:], name): value
            for name, value in each.items()
            if name not in ("ResourcePath", "HttpMethod")
        }
        for each in settings
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
