"""Which operation of which service a request means, and whether the platform has it."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from boostline.contracts.models import Operation, service_model
from boostline.local.operations import SERVICES
from boostline.local.wire.errors import AwsError
from boostline.local.wire.head import Head

# Both services are signed as `sagemaker`; the first speaks JSON, which has a target.
_RUNTIME = "sagemaker-runtime"
_SIGNED = {"monitoring": "cloudwatch"}  # names in signatures that are not botocore's
_LABEL = r"\{([^}+]*)(\+?)\}"  # in a path: `{label}`, or `{label+}` for the rest of it
# What a protocol calls an operation that there is not.
_UNKNOWN = {
    "json": ("UnknownOperationException", 400),
    "query": ("InvalidAction", 400),
    "rest-json": ("UnknownOperationException", 404),
    "rest-xml": ("MethodNotAllowed", 405),
}


class Route(NamedTuple):
    """An operation, with the values of its path's labels."""

    operation: Operation
    labels: dict[str, str]


class _Rule(NamedTuple):
    """How a request of the REST protocols names an operation: what it has to have, and may lack."""

    name: str
    path: re.Pattern[str]  # with its labels as groups
    fixed: frozenset[tuple[str, str]]
    asked: frozenset[str]
    rank: tuple[int, ...]


def service_of(signed_for: str, head: Head) -> str:
    """Return botocore's name of the service that a signature's scope and the request name.

    Raises
    ------
    AwsError
        If the platform has no such service.
    """
    if signed_for == "sagemaker" and not head.target:
        return _RUNTIME
    signed_for = _SIGNED.get(signed_for, signed_for)
    if signed_for not in SERVICES:
        had = ", ".join(sorted(SERVICES))
        raise AwsError(
            "NotImplemented",
            f"the local platform does not have the service {signed_for}; it has {had}",
            501,
        )
    return signed_for


def protocol_of(service: str) -> str:
    """Return which of a service's protocols clients speak: botocore has no CBOR by itself."""
    metadata = service_model(service).metadata
    found: str = metadata["protocol"]
    return "json" if found == "smithy-rpc-v2-cbor" else found


def route(service: str, head: Head, form: bytes) -> Route:
    """Return the operation that a request names.

    An operation that AWS has and the table does not is refused with `NotImplemented`, 501.

    Parameters
    ----------
    service
        botocore's name.
    form
        The body, where the query protocol may name the operation; else empty.

    Raises
    ------
    AwsError
        If there is no such operation, or the platform does not have it.
    """
    model = service_model(service)
    protocol = protocol_of(service)
    labels: dict[str, str] = {}
    if protocol == "json":
        asked = head.target
        name = asked.removeprefix(f"{model.metadata['targetPrefix']}.")
    elif protocol == "query":
        named = dict(head.parameters + parse_qsl(form.decode(errors="replace")))
        name = asked = named.get("Action", "")
    else:
        asked = f"{head.method} {head.path}"
        name, labels = _rest(service, head)
    if name not in model.operation_names:
        code, status = _UNKNOWN[protocol]
        raise AwsError(code, f"Could not find operation {asked!r} of {service}", status)
    if name not in SERVICES[service].operations:
        had = ", ".join(SERVICES[service].operations)
        message = f"the local platform does not have {service}:{name}; it has {had}"
        raise AwsError("NotImplemented", message, 501)
    return Route(model.operation_model(name), labels)


def _rest(service: str, head: Head) -> tuple[str, dict[str, str]]:
    pairs = set(head.parameters)
    given = {name for name, _ in pairs} | {*head.headers}
    matches = [
        (rule.asked <= given, rule.rank, rule.name, found)
        for rule in _rules(service).get(head.method, ())
        if rule.fixed <= pairs and (found := rule.path.fullmatch(head.path))
    ]
    if not matches:
        return "", {}
    # Whatever lacks a required parameter yields to what lacks none; then the most particular wins.
    _, _, name, found = max(matches, key=lambda match: match[:2])
    return name, {label: unquote(text) for label, text in found.groupdict().items()}


@functools.cache
def _rules(service: str) -> dict[str, list[_Rule]]:
    model = service_model(service)
    rules: dict[str, list[_Rule]] = {}
    for name in model.operation_names:
        operation = model.operation_model(name)
        rules.setdefault(operation.http["method"], []).append(_rule(service, operation))
    return rules


def _rule(service: str, operation: Operation) -> _Rule:
    path, _, query = operation.http["requestUri"].partition("?")
    fixed = frozenset(parse_qsl(query, keep_blank_values=True))
    shape = operation.input_shape
    places = [shape.members[each].serialization for each in shape.required_members] if shape else []
    asked = {each["name"] for each in places if each.get("location") == "querystring"}
    asked |= {each["name"].lower() for each in places if each.get("location") == "header"}
    declared = operation.name in SERVICES[service].operations
    literal = len(re.sub(_LABEL, "", path))
    return _Rule(
        operation.name,
        re.compile(re.sub(_LABEL, _group, path.rstrip("/")) + "/?"),
        fixed,
        frozenset(asked),
        (literal, len(fixed) + len(asked), declared, not operation.deprecated),
    )


def _group(label: re.Match[str]) -> str:
    """Return a label's part of a regular expression: `{label}` a segment, `{label+}` the rest."""
    return f"(?P<{label[1]}>{'.+' if label[2] else '[^/]+'})"
