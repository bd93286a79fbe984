"""Which operation of which service a request means, and whether the platform has it."""

from __future__ import annotations

import functools
import itertools
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


class Route(NamedTuple):
    """An operation, with the values of its path's labels."""

    operation: Operation
    labels: dict[str, str]


class _Rule(NamedTuple):
    """How a request of the REST protocols names an operation."""

    name: str
    path: re.Pattern[str]
    labels: list[str]
    fixed: frozenset[tuple[str, str]]
    query: frozenset[str]
    headers: frozenset[str]
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
        name = head.target.removeprefix(f"{model.metadata['targetPrefix']}.")
        unknown = AwsError("UnknownOperationException", f"Unknown operation {head.target!r}")
    elif protocol == "query":
        named = dict(head.parameters + parse_qsl(form.decode(errors="replace")))
        name = named.get("Action", "")
        unknown = AwsError("InvalidAction", f"Could not find operation {name!r} of {service}")
    else:
        name, labels = _rest(service, head)
        unknown = AwsError(
            "UnknownOperationException", f"No operation is {head.method} {head.path}", 404
        )
        if protocol == "rest-xml":
            message = "The specified method is not allowed against this resource."
            unknown = AwsError("MethodNotAllowed", message, 405)
    if name not in model.operation_names:
        raise unknown
    if name not in SERVICES[service].operations:
        had = ", ".join(SERVICES[service].operations)
        message = f"the local platform does not have {service}:{name}; it has {had}"
        raise AwsError("NotImplemented", message, 501)
    return Route(model.operation_model(name), labels)


def _rest(service: str, head: Head) -> tuple[str, dict[str, str]]:
    given = head.parameters
    names = {name for name, _ in given}
    matches = [
        (rule.query <= names and rule.headers <= {*head.headers}, rule.rank, rule, found)
        for rule in _rules(service).get(head.method, ())
        if rule.fixed <= set(given) and (found := rule.path.fullmatch(head.path))
    ]
    if not matches:
        return "", {}
    # Whatever lacks a required parameter yields to what lacks none; then the most particular wins.
    _, _, rule, found = max(matches, key=lambda match: match[:2])
    return rule.name, dict(zip(rule.labels, map(unquote, found.groups()), strict=True))


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
    required = (
        [shape.members[each].serialization for each in shape.required_members] if shape else []
    )
    names, headers = (
        frozenset(
            each["name"].lower() if where == "header" else each["name"]
            for each in required
            if each.get("location") == where
        )
        for where in ("querystring", "header")
    )
    declared = operation.name in SERVICES[service].operations
    literal, asked = len(re.sub(_LABEL, "", path)), len(fixed) + len(names) + len(headers)
    return _Rule(
        operation.name,
        re.compile(_pattern(path)),
        [label for label, _ in re.findall(_LABEL, path)],
        fixed,
        names,
        headers,
        (literal, asked, declared, not operation.deprecated),
    )


def _pattern(path: str) -> str:
    """Return a path template's regular expression: `{label}` a segment, `{label+}` the rest."""
    parts = (re.escape(part) for part in re.split(_LABEL, path.rstrip("/"))[::3])
    groups = ("(.+)" if more else "([^/]+)" for _, more in re.findall(_LABEL, path))
    pattern = "".join(itertools.chain(*itertools.zip_longest(parts, groups, fillvalue="")))
    return pattern if path.endswith("+}") else f"{pattern}/?"
