"""OpenAPI documents with API Gateway's extensions, read strictly.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from boostline.local.services.apigateway.errors import bad_request

METHODS = frozenset("get put post delete options head patch".split())  # noqa: SIM905
ANY = "x-amazon-apigateway-any-method"
INTEGRATION = "x-amazon-apigateway-integration"
BINARY = "x-amazon-apigateway-binary-media-types"
KEY_SOURCE = "x-amazon-apigateway-api-key-source"
LONGEST = 29_000  # milliseconds that an integration may take

_ROOT = {"openapi", "info", "servers", "paths", "components", "tags", "externalDocs"}
_EXTENSIONS = {ANY, INTEGRATION, BINARY, KEY_SOURCE}
_INTEGRATION = {
    "type",
    "uri",
    "httpMethod",
    "passthroughBehavior",
    "timeoutInMillis",
    "payloadFormatVersion",
    "responses",
}
_SEGMENT = re.compile(r"[\w.$:-]+|\{[\w.-]+\}|\{[\w.-]+\+\}", re.ASCII)
_URI = re.compile(
    r"arn:aws:apigateway:[\w-]+:lambda:path/2015-03-31/functions/(arn:aws:lambda:[^/]+)/invocations"
)


class Route(NamedTuple):
    """A method of a resource: the function behind it, and how long it may take in seconds."""

    method: str
    resource: str
    function: str
    key_required: bool
    timeout: float


class Match(NamedTuple):
    """A route that a request goes to, with the values of its path's parameters."""

    route: Route
    parameters: dict[str, str]


class Document:
    """An API's routes.

    Raises
    ------
    AwsError
        `BadRequestException` with all that is wrong, or that the local platform does not have.
    """

    def __init__(self, body: bytes) -> None:
        content = _load(body)
        problems = list(_problems(content))
        if problems:
            raise bad_request("Errors found during import:\n\t" + "\n\t".join(problems))
        info = content["info"]
        self.title: str = info["title"]
        self.description: str | None = info.get("description")
        self.version: str | None = info.get("version")
        self.binary_types: list[str] = content.get(BINARY, [])
        keyed = _key_schemes(content)
        routes = [
            _route(resource, method, operation, keyed)
            for resource, method, operation in _operations(content)
        ]
        # The most specific resource is asked first: texts, then parameters, then greedy ones.
        self._routes = sorted(routes, key=lambda route: _specificity(route.resource))

    def match(self, method: str, path: str) -> Match | None:
        """Return where a request goes: the most specific resource has to have the method.

        Parameters
        ----------
        path
            The path below the stage, still percent-encoded.
        """
        resource, parameters = None, {}
        for route in self._routes:
            if resource is None:
                found = _match(route.resource, path)
                if found is None:
                    continue
                resource, parameters = route.resource, found
            if route.resource == resource and route.method in {method, "ANY"}:
                return Match(route, parameters)
        return None


def _load(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError as error:
        raise bad_request(
            f"Invalid OpenAPI input: {error}. The local platform reads documents in JSON."
        ) from None
    if not isinstance(content, dict) or not str(content.get("openapi", "")).startswith("3."):
        raise bad_request("Invalid OpenAPI input: the local platform reads OpenAPI 3 documents.")
    return content


def _operations(content: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for resource, item in content["paths"].items():
        for method, operation in item.items():
            if method in METHODS or method == ANY:
                yield resource, "ANY" if method == ANY else method.upper(), operation


def _problems(content: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(content.get("info"), dict) or not content["info"].get("title"):
        yield "info.title is required: it names the API"
    for name in sorted(content.keys() - _ROOT - _EXTENSIONS):
        yield f"the local platform does not have {name!r} at the root of a document"
    if content.get(KEY_SOURCE, "HEADER") != "HEADER":
        yield f"{KEY_SOURCE}: the local platform takes keys from the HEADER"
    paths = content.get("paths")
    if not isinstance(paths, dict) or not all(isinstance(item, dict) for item in paths.values()):
        yield "paths is required, and holds an object for each resource"
        return
    for resource in paths:
        if not _is_path(resource):
            yield f"{resource!r} is not a path of texts, {{parameters}} and one final {{greedy+}}"
    for resource, method, operation in _operations(content):
        for problem in _operation_problems(operation, _key_schemes(content)):
            yield f"{method} {resource}: {problem}"


def _operation_problems(operation: Mapping[str, Any], keyed: set[str]) -> Iterator[str]:
    for name in sorted(operation):
        if name.startswith("x-amazon-apigateway-") and name not in _EXTENSIONS:
            yield f"the local platform does not have {name!r}"
    for requirement in operation.get("security", ()):
        for scheme in sorted(requirement.keys() - keyed):
            yield f"security {scheme!r} is no apiKey scheme named x-api-key in the header"
    integration = operation.get(INTEGRATION)
    if not isinstance(integration, dict):
        yield "No integration defined for method"
        return
    for name in sorted(integration.keys() - _INTEGRATION):
        yield f"the local platform does not have {name!r} in an integration"
    if str(integration.get("type")).lower() != "aws_proxy":
        yield f"integration type {integration.get('type')!r}: the local platform has 'aws_proxy'"
    if not _URI.fullmatch(str(integration.get("uri"))):
        yield f"Invalid ARN specified in the request: {integration.get('uri')!r}"
    if integration.get("httpMethod") != "POST":
        yield "a Lambda function is invoked with httpMethod 'POST'"
    timeout = integration.get("timeoutInMillis", LONGEST)
    if not isinstance(timeout, int) or not 50 <= timeout <= LONGEST:
        yield f"Timeout should be between 50 ms and {LONGEST} ms"


def _route(resource: str, method: str, operation: Mapping[str, Any], keyed: set[str]) -> Route:
    integration = operation[INTEGRATION]
    found = _URI.fullmatch(integration["uri"])
    return Route(
        method=method,
        resource=resource,
        function=found[1] if found else "",
        key_required=any(keyed & one.keys() for one in operation.get("security", ())),
        timeout=integration.get("timeoutInMillis", LONGEST) / 1000,
    )


def _key_schemes(content: Mapping[str, Any]) -> set[str]:
    schemes = content.get("components", {}).get("securitySchemes", {})
    return {
        name
        for name, scheme in schemes.items()
        if (scheme.get("type"), scheme.get("in")) == ("apiKey", "header")
        and str(scheme.get("name")).lower() == "x-api-key"
    }


def _is_path(resource: str) -> bool:
    segments = resource.removeprefix("/").split("/")
    return resource == "/" or (
        resource.startswith("/")
        and all(_SEGMENT.fullmatch(segment) for segment in segments)
        and not any(segment.endswith("+}") for segment in segments[:-1])
    )


def _specificity(resource: str) -> tuple[list[int], str]:
    ranks = [
        2 if segment.endswith("+}") else 1 if segment.startswith("{") else 0
        for segment in resource.split("/")
    ]
    return ranks, resource


def _match(resource: str, path: str) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    wanted, given = resource.split("/"), path.split("/")
    for index, segment in enumerate(wanted):
        if segment.endswith("+}"):
            rest = "/".join(given[index:])
            return parameters | {segment[1:-2]: unquote(rest)} if rest else None
        if index >= len(given):
            return None
        if segment.startswith("{") and given[index]:
            parameters[segment[1:-1]] = unquote(given[index])
        elif segment != unquote(given[index]):
            return None
    return parameters if len(wanted) == len(given) else None
