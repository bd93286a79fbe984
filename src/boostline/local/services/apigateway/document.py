"""OpenAPI documents with API Gateway's extensions, read strictly.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from boostline.local.services.apigateway.documents import Members, bad_request, given
from boostline.local.services.apigateway.validation import Models
from boostline.local.wire.documents import read_json

METHODS = frozenset("get put post delete options head patch".split())  # noqa: SIM905
PASSED_OVER = ("summary", "description", "servers", "parameters")  # of a path
PREFIX = "x-amazon-apigateway-"
INTEGRATION = f"{PREFIX}integration"
VALIDATOR = f"{PREFIX}request-validator"
LONGEST = 29_000  # milliseconds that an integration may take

_PATH = re.compile(r"/|(/[\w.$:-]+)+", re.ASCII)
_FUNCTION = r"lambda:path/2015-03-31/functions/(arn:aws:lambda:[^/]+)/invocations$"


class Integration(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What is behind a method: a Lambda function."""

    type: Literal["aws_proxy", "AWS_PROXY"]
    uri: Annotated[str, Meta(pattern=rf"^arn:aws:apigateway:[\w-]+:{_FUNCTION}")]
    http_method: Literal["POST"]
    passthrough_behavior: str = "when_no_match"
    timeout_in_millis: Annotated[int, Meta(ge=50, le=LONGEST)] = LONGEST
    payload_format_version: str = "1.0"
    responses: Any = None

    @property
    def function(self) -> str:
        """The function's ARN."""
        return "".join(re.findall(_FUNCTION, self.uri))


class RequestBody(msgspec.Struct):
    """What a method takes."""

    content: dict[str, dict[str, Any]]
    required: bool = False


class Operation(msgspec.Struct):
    """A method of a path; with `security`, it takes an API key."""

    integration: Integration = msgspec.field(name=INTEGRATION)
    security: list[dict[str, list[str]]] = []
    body: RequestBody | None = msgspec.field(name="requestBody", default=None)
    models: Models | None = None


class Validator(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What is checked before an integration is asked."""

    validate_request_body: bool = False
    validate_request_parameters: bool = False


class GatewayResponse(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """How API Gateway words an answer of its own."""

    status_code: Annotated[int, Meta(ge=100, le=599)] | None = None
    response_parameters: dict[str, str] = {}
    response_templates: dict[str, str] = {}


class Scheme(msgspec.Struct):
    """The one way to show who one is: an API key in its header."""

    type: Literal["apiKey"]
    place: Literal["header"] = msgspec.field(name="in")
    name: Annotated[str, Meta(pattern="^[xX]-[aA][pP][iI]-[kK][eE][yY]$")]


class Info(msgspec.Struct):
    """What an API is called."""

    title: Annotated[str, Meta(min_length=1)]


class Components(msgspec.Struct, rename="camel"):
    """What operations refer to."""

    security_schemes: dict[str, Scheme] = {}
    schemas: dict[str, Any] = {}


class Root(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """An OpenAPI 3 document."""

    openapi: Annotated[str, Meta(pattern=r"^3\.")]
    info: Info
    paths: dict[str, dict[str, Any]]
    components: Components = msgspec.field(default_factory=Components)
    servers: Any = None
    tags: Any = None
    external_docs: Any = None
    key_source: Literal["HEADER"] = msgspec.field(name=f"{PREFIX}api-key-source", default="HEADER")
    validators: dict[str, Validator] = msgspec.field(name=f"{VALIDATOR}s", default_factory=dict)
    validator: str | None = msgspec.field(name=VALIDATOR, default=None)
    responses: dict[str, GatewayResponse] = msgspec.field(
        name=f"{PREFIX}gateway-responses", default_factory=dict
    )


class Document:
    """The routes of an API's document, parsed from JSON.

    Raises
    ------
    AwsError
        `BadRequestException` with what is wrong, or what the local platform does not have.
    """

    def __init__(self, content: Any) -> None:
        self._operations: dict[tuple[str, str], Operation] = {}
        self.responses: Mapping[str, GatewayResponse] = {}
        problems = list(self._read(content))
        if problems:
            raise bad_request(
                "Errors found during import. The local platform has OpenAPI 3, integrations of "
                "type aws_proxy with httpMethod POST, API keys in x-api-key:\n\t"
                + "\n\t".join(problems)
            )

    def find(self, method: str, path: str) -> Operation | None:
        """Return the operation that is asked for by its path below the stage."""
        return self._operations.get((method.lower(), path))

    def _read(self, content: Any) -> Iterator[str]:
        """Add a document's operations; give what is wrong with it."""
        try:
            root = msgspec.convert(content, Root)
        except msgspec.ValidationError as error:
            yield str(error)
            return
        self.responses = root.responses
        if root.validator not in {None, *root.validators}:
            yield f"there is no request validator {root.validator!r}"
        if any(each.validate_request_parameters for each in root.validators.values()):
            yield "the local platform does not have validateRequestParameters"
        for path, methods in root.paths.items():
            if not _PATH.fullmatch(path):
                yield f"{path!r} is not a path of texts: the local platform has no {{parameters}}"
            for method, operation in methods.items():
                if method in PASSED_OVER or re.match("x-(?!amazon-)", method):
                    continue
                try:
                    self._operations[method, path] = _operation(root, method, operation)
                except ValueError as error:
                    yield f"{method.upper()} {path}: {error}"


def imported(request: Mapping[str, Any]) -> Members:
    """Return what the document in a request makes of an API."""
    try:
        content = read_json(request["body"])
    except ValueError as error:
        raise bad_request(f"Invalid OpenAPI input, which has to be JSON here: {error}") from None
    Document(content)
    given(request.get("parameters", {}), "mode")  # ImportRestApi's own is `?mode=import`
    info = content["info"]
    return {
        "name": info["title"],
        **{name: info[name] for name in ("description", "version") if name in info},
        "apiKeySource": "HEADER",
        "body": content,
    }


def _operation(root: Root, method: str, content: Any) -> Operation:
    operation = msgspec.convert(content, Operation)
    asked = {scheme for requirement in operation.security for scheme in requirement}
    unknown = {method} - METHODS | asked - root.components.security_schemes.keys()
    unknown |= {name for name in content if name.startswith(PREFIX)} - {INTEGRATION}
    if unknown:
        raise ValueError(f"the local platform does not have {', '.join(sorted(unknown))}")
    checks = root.validators.get(root.validator or "")
    if checks and checks.validate_request_body and operation.body:
        schemas = {"schemas": root.components.schemas}
        operation.models = Models(operation.body.content, schemas, operation.body.required)
    return operation
