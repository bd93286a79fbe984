"""The proxy event, format 1.0, and the answer to it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from typing import Annotated, Any
from urllib.parse import unquote
from uuid import uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from boostline.local.names import trace_root

# Headers that API Gateway keeps to itself: a function's come out under another name.
KEPT = {"connection", "content-length", "date", "host", "server", "www-authenticate"}
# What only callers with AWS credentials or Cognito users have.
_NO_IDENTITY = dict.fromkeys(
    """
    accessKey accountId caller cognitoAuthenticationProvider cognitoAuthenticationType
    cognitoIdentityId cognitoIdentityPoolId principalOrgId user userArn
    """.split()  # noqa: SIM905
)
_VARIABLE = re.compile(r"\$context\.(\w+(?:\.\w+)*)")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")  # a line in Latin-1

Scalar = str | bool | int | float
Status = Annotated[int, msgspec.Meta(ge=100, le=599)]
StatusText = Annotated[str, msgspec.Meta(pattern=r"^[1-5]\d\d$")]


class Answer(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A function's answer."""

    status_code: Status | StatusText
    headers: dict[str, Scalar] | None = None
    multi_value_headers: dict[str, list[Scalar]] | None = None
    body: str | None = None
    is_base64_encoded: bool | None = None  # without binary media types, it makes no difference


class Call:
    """A request on its way through a stage.

    `context` is what `$context` stands for: functions get it with their events, and API Gateway's
    own answers and the access log speak of it.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
    """

    def __init__(self, request: Request, account: str) -> None:
        self.request = request
        self.began = time.perf_counter()
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        _, _, self.api, self.stage, path = (*raw.decode("latin-1").split("/", 4), "", "")[:5]
        self.path = f"/{path}"
        self.trace = request.headers.get("x-amzn-trace-id", trace_root())
        now = time.time()
        source = request.client.host if request.client else "127.0.0.1"
        agent = request.headers.get("user-agent")
        self.context: dict[str, Any] = {
            "accountId": account,
            "apiId": self.api,
            "domainName": request.url.netloc,
            "domainPrefix": self.api,
            "extendedRequestId": secrets.token_urlsafe(11)[:15] + "=",
            "httpMethod": request.method,
            "identity": {**_NO_IDENTITY, "sourceIp": source, "userAgent": agent},
            "path": f"/{self.stage}{unquote(self.path)}",
            "protocol": f"HTTP/{request.scope.get('http_version', '1.1')}",
            "requestId": str(uuid4()),
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "requestTimeEpoch": int(now * 1000),
            "stage": self.stage,
        }

    def route(self, deployment: str) -> None:
        """Take into the context that the deployment has the request's path."""
        self.context |= {
            "deploymentId": deployment,
            "resourceId": hashlib.sha256(self.path.encode()).hexdigest()[:6],
            "resourcePath": self.path,
        }

    def event(self, body: bytes) -> dict[str, Any]:
        """Return the event for the function."""
        given, query, url = self.request.headers, self.request.query_params, self.request.url
        headers = {name: given.getlist(name) for name in given}  # lower case, as in HTTP/2
        headers |= {
            "Host": headers.pop("host", [url.netloc]),
            "X-Amzn-Trace-Id": [self.trace],
            "X-Forwarded-For": [self.context["identity"]["sourceIp"]],
            "X-Forwarded-Port": [str(url.port or 80)],
            "X-Forwarded-Proto": [url.scheme],
        }
        return {
            "resource": self.path,
            "path": self.path,
            "httpMethod": self.request.method,
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": dict(query) or None,
            "multiValueQueryStringParameters": {name: query.getlist(name) for name in query}
            or None,
            "pathParameters": None,
            "stageVariables": None,
            "requestContext": self.context,
            "body": body.decode(errors="replace") if body else None,
            "isBase64Encoded": False,
        }

    def expand(self, template: str) -> str:
        """Replace the variables of a template; one without a value is `-`."""
        return _VARIABLE.sub(lambda found: self._value(found[1]), template)

    def line(self, template: str) -> str:
        """Replace the variables of a log's format; nobody's quotes or newlines break the line."""
        return _VARIABLE.sub(lambda found: json.dumps(self._value(found[1]))[1:-1], template)

    def _value(self, name: str) -> str:
        value: Any = self.context
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return "-" if value is None else str(value)


def response(payload: bytes) -> Response:
    """Turn a function's answer into the response.

    Raises
    ------
    ValueError
        If it is not what the proxy integration asks for.
    """
    answer = msgspec.json.decode(payload, type=Answer)
    made = Response(answer.body or "", int(answer.status_code))
    headers: dict[str, list[Scalar]] = {"content-type": ["application/json"]}
    headers |= {name.lower(): [value] for name, value in (answer.headers or {}).items()}
    headers |= {name.lower(): each for name, each in (answer.multi_value_headers or {}).items()}
    for name, values in headers.items():
        for value in values:
            text = value if isinstance(value, str) else json.dumps(value)
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(text):
                raise ValueError(f"header {name!r} is no line of text")
            made.headers.append(f"x-amzn-Remapped-{name}" if name in KEPT else name, text)
    return made
