"""The proxy event, format 1.0, and the answer to it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from boostline.local.services.apigateway.document import Match

ANSWER = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
# Headers that API Gateway keeps to itself: an integration's come out under another name.
REMAPPED = {
    name: f"x-amzn-Remapped-{name}"
    for name in ("connection", "content-length", "date", "host", "server", "www-authenticate")
}
# What only callers with AWS credentials or Cognito users have.
_NO_IDENTITY = dict.fromkeys(
    """
    accessKey accountId caller cognitoAuthenticationProvider cognitoAuthenticationType
    cognitoIdentityId cognitoIdentityPoolId principalOrgId user userArn
    """.split()  # noqa: SIM905
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class MalformedAnswer(Exception):
    """A function's answer that is no proxy answer; the message says why."""


@dataclass(frozen=True)
class Call:
    """A request on its way to a function."""

    request: Request
    match: Match
    api: str
    stage: Mapping[str, Any]
    path: str
    body: bytes
    account: str
    request_id: str
    extended_id: str
    trace: str
    key: Mapping[str, Any] | None
    binary_types: list[str]

    def event(self) -> dict[str, Any]:
        """Return the event."""
        headers = self._headers()
        query: dict[str, list[str]] = {}
        for name, value in self.request.query_params.multi_items():
            query.setdefault(name, []).append(value)
        binary = _is_binary(headers.get("content-type", [""])[-1], self.binary_types)
        encoded = base64.b64encode(self.body).decode() if binary else None
        return {
            "resource": self.match.route.resource,
            "path": unquote(self.path),
            "httpMethod": self.request.method,
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": self.match.parameters or None,
            "stageVariables": self.stage.get("variables") or None,
            "requestContext": self._context(),
            "body": (encoded or self.body.decode(errors="replace")) if self.body else None,
            "isBase64Encoded": bool(self.body) and binary,
        }

    def _headers(self) -> dict[str, list[str]]:
        """Return the headers, in lower case as HTTP/2 clients send them, with what AWS adds."""
        headers: dict[str, list[str]] = {}
        for name, value in self.request.headers.items():
            headers.setdefault(name, []).append(value)
        url = self.request.url
        return headers | {
            "Host": headers.pop("host", [url.netloc]),
            "X-Amzn-Trace-Id": [self.trace],
            "X-Forwarded-For": [self._source()],
            "X-Forwarded-Port": [str(url.port or 80)],
            "X-Forwarded-Proto": [url.scheme],
        }

    def _context(self) -> dict[str, Any]:
        now = time.time()
        stage = self.stage["stageName"]
        key = {"apiKey": self.key["value"], "apiKeyId": self.key["id"]} if self.key else {}
        agent = self.request.headers.get("user-agent")
        return {
            "accountId": self.account,
            "apiId": self.api,
            "deploymentId": self.stage["deploymentId"],
            "domainName": self.request.url.netloc,
            "domainPrefix": self.api,
            "extendedRequestId": self.extended_id,
            "httpMethod": self.request.method,
            "identity": {
                **_NO_IDENTITY,
                **key,
                "sourceIp": self._source(),
                "userAgent": agent,
            },
            "path": f"/{stage}{unquote(self.path)}",
            "protocol": f"HTTP/{self.request.scope.get('http_version', '1.1')}",
            "requestId": self.request_id,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "requestTimeEpoch": int(now * 1000),
            "resourceId": hashlib.sha256(self.match.route.resource.encode()).hexdigest()[:6],
            "resourcePath": self.match.route.resource,
            "stage": stage,
        }

    def _source(self) -> str:
        return self.request.client.host if self.request.client else "127.0.0.1"

    def response(self, payload: bytes) -> Response:
        """Turn a function's answer into the response.

        Raises
        ------
        MalformedAnswer
            If it is not what the proxy integration asks for.
        """
        answer = _checked(payload)
        body = answer.get("body") or ""
        content = body.encode()
        if answer.get("isBase64Encoded"):
            accept = self.request.headers.get("accept", "*/*").partition(",")[0]
            if _is_binary(accept, self.binary_types):
                content = _decoded(body)
        response = Response(content, int(answer["statusCode"]))
        headers = {"content-type": ["application/json"]}
        for name, value in (answer.get("headers") or {}).items():
            headers[name.lower()] = [value]
        for name, values in (answer.get("multiValueHeaders") or {}).items():
            headers[name.lower()] = values
        for name, values in headers.items():
            for value in values:
                response.headers.append(REMAPPED.get(name, name), _text(name, value))
        return response


def _checked(payload: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(payload)
    except ValueError:
        raise MalformedAnswer("it is not JSON") from None
    if not isinstance(answer, dict) or "statusCode" not in answer:
        raise MalformedAnswer("it is not an object with statusCode")
    if answer.keys() - ANSWER:
        raise MalformedAnswer(f"unknown members {sorted(answer.keys() - ANSWER)}")
    status = str(answer["statusCode"])
    if not status.isdecimal() or not 100 <= int(status) <= 599:
        raise MalformedAnswer(f"statusCode {status!r} is no HTTP status")
    if not isinstance(answer.get("body") or "", str):
        raise MalformedAnswer("body is not a string")
    multiple = answer.get("multiValueHeaders") or {}
    if not isinstance(answer.get("headers") or {}, dict) or not isinstance(multiple, dict):
        raise MalformedAnswer("headers are not an object")
    if not all(isinstance(values, list) for values in multiple.values()):
        raise MalformedAnswer("multiValueHeaders are not lists")
    return answer


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise MalformedAnswer("body is not base64, and isBase64Encoded says so") from None


def _text(name: str, value: Any) -> str:
    """Return a header's value, if the header can be sent."""
    text = value if isinstance(value, str) else json.dumps(value)
    latin = all(" " <= char <= "\xff" or char == "\t" for char in text)
    if isinstance(value, dict | list) or not latin or not _TOKEN.fullmatch(name):
        raise MalformedAnswer(f"header {name!r} is no line of text")
    return text


def _is_binary(media_type: str, patterns: list[str]) -> bool:
    kind = media_type.partition(";")[0].strip().lower()
    return any(fnmatchcase(kind, pattern.lower()) for pattern in patterns)
