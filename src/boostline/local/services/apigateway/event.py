"""The proxy event, format 1.0, and the answer to it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from boostline.local.services.apigateway.document import Match

# Headers that API Gateway keeps to itself: a function's come out under another name.
KEPT = {"connection", "content-length", "date", "host", "server", "www-authenticate"}
# What only callers with AWS credentials or Cognito users have.
_NO_IDENTITY = dict.fromkeys(
    """
    accessKey accountId caller cognitoAuthenticationProvider cognitoAuthenticationType
    cognitoIdentityId cognitoIdentityPoolId principalOrgId user userArn
    """.split()  # noqa: SIM905
)
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


@dataclass(frozen=True)
class Call:
    """A request on its way to a function; `ids` are headers that the answer gets."""

    request: Request
    match: Match
    api: str
    stage: Mapping[str, Any]
    account: str
    path: str
    body: bytes
    ids: Mapping[str, str]
    key: Mapping[str, Any] | None

    def event(self) -> dict[str, Any]:
        """Return the event."""
        headers = _grouped(self.request.headers.items())  # lower case, as HTTP/2 clients send them
        query = _grouped(self.request.query_params.multi_items())
        url = self.request.url
        headers |= {
            "Host": headers.pop("host", [url.netloc]),
            "X-Amzn-Trace-Id": [self.ids["X-Amzn-Trace-Id"]],
            "X-Forwarded-For": [self._source()],
            "X-Forwarded-Port": [str(url.port or 80)],
            "X-Forwarded-Proto": [url.scheme],
        }
        return {
            "resource": self.match.resource,
            "path": unquote(self.path),
            "httpMethod": self.request.method,
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": self.match.parameters or None,
            "stageVariables": self.stage.get("variables") or None,
            "requestContext": self._context(),
            "body": self.body.decode(errors="replace") if self.body else None,
            "isBase64Encoded": False,
        }

    def _context(self) -> dict[str, Any]:
        now = time.time()
        stage, resource = self.stage["stageName"], self.match.resource
        key = {"apiKey": self.key["value"], "apiKeyId": self.key["id"]} if self.key else {}
        agent = self.request.headers.get("user-agent")
        return {
            "accountId": self.account,
            "apiId": self.api,
            "deploymentId": self.stage["deploymentId"],
            "domainName": self.request.url.netloc,
            "domainPrefix": self.api,
            "extendedRequestId": self.ids["x-amz-apigw-id"],
            "httpMethod": self.request.method,
            "identity": {**_NO_IDENTITY, **key, "sourceIp": self._source(), "userAgent": agent},
            "path": f"/{stage}{unquote(self.path)}",
            "protocol": f"HTTP/{self.request.scope.get('http_version', '1.1')}",
            "requestId": self.ids["x-amzn-RequestId"],
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "requestTimeEpoch": int(now * 1000),
            "resourceId": hashlib.sha256(resource.encode()).hexdigest()[:6],
            "resourcePath": resource,
            "stage": stage,
        }

    def _source(self) -> str:
        return self.request.client.host if self.request.client else "127.0.0.1"


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


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups
