"""Deployed REST APIs: what happens to a request."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from boostline.local.platform import Platform
from boostline.local.services.apigateway.document import Document, GatewayResponse
from boostline.local.services.apigateway.event import Call, response
from boostline.local.services.apigateway.plans import Meter
from boostline.local.services.apigateway.validation import JSON
from boostline.local.services.lambda_.errors import AccessDenied
from boostline.local.services.lambda_.service import Lambda
from boostline.local.wire.errors import AwsError

log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
MAX_BODY = 10_485_760
# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
REFUSALS = {
    "MISSING_AUTHENTICATION_TOKEN": (
        403,
        "Missing Authentication Token",
        "MissingAuthenticationTokenException",
    ),
    "INVALID_API_KEY": (403, "Forbidden", "ForbiddenException"),
    "THROTTLED": (429, "Too Many Requests", "TooManyRequestsException"),
    "QUOTA_EXCEEDED": (429, "Limit Exceeded", "LimitExceededException"),
    "BAD_REQUEST_BODY": (400, "Invalid request body", "BadRequestException"),
    "REQUEST_TOO_LARGE": (413, "Request Too Long", "RequestTooLargeException"),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out", "InternalServerErrorException"),
    "INTEGRATION_FAILURE": (502, "Internal server error", "InternalServerErrorException"),
    "API_CONFIGURATION_ERROR": (500, "Internal server error", "InternalServerErrorException"),
}


class Refusal(Exception):
    """An answer of API Gateway's own, by its response type; `problems` are those of a body."""

    def __init__(self, kind: str, problems: str = "") -> None:
        super().__init__(kind)
        self._kind = kind
        self._problems = problems

    def response(
        self, request_id: str, worded: Mapping[str, GatewayResponse] | None = None
    ) -> Response:
        """Return the answer, as the document words it if it does."""
        status, message, error = REFUSALS[self._kind]
        headers = {"x-amzn-ErrorType": error}
        own = (worded or {}).get(self._kind)
        if own is None:
            return JSONResponse({"message": message}, status, headers)
        said = {
            "requestId": request_id,
            "error.message": message,
            "error.messageString": json.dumps(message),
            "error.responseType": self._kind,
            "error.validationErrorString": self._problems,
        }
        for name, value in own.response_parameters.items():
            header = name.removeprefix("gatewayresponse.header.")
            text = said.get(value.removeprefix("context."), value.strip("'"))
            headers[header] = text.encode("latin-1", "replace").decode("latin-1")
        template = own.response_templates.get(JSON, '{"message":$context.error.messageString}')
        # The longest name first: one may begin another.
        for name in sorted(said, key=len, reverse=True):
            template = template.replace(f"$context.{name}", said[name])
        return Response(template, own.status_code or status, headers, media_type=JSON)


@dataclass(frozen=True)
class Deployed:
    """A stage as it answers: its routes, and the keys that its usage plans let in."""

    document: Document
    stage: Mapping[str, Any]
    keys: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]

    def admit(self, request: Request, meter: Meter) -> Mapping[str, Any]:
        """Return the API key of a request, or refuse it."""
        value = request.headers.get("x-api-key", "")
        if value not in self.keys:
            raise Refusal("INVALID_API_KEY")
        key, plan = self.keys[value]
        name = f"{plan['id']}/{key['id']}"
        if meter.throttled(name, plan):
            raise Refusal("THROTTLED")
        if meter.exhausted(name, plan):
            raise Refusal("QUOTA_EXCEEDED")
        return key


class DataPlane:
    """Answers requests to `/restapis/<api id>/<stage>/<path>`."""

    def __init__(
        self, platform: Platform, deployed: Callable[[str, str], Deployed | None], meter: Meter
    ) -> None:
        self._platform = platform
        self._deployed = deployed
        self._meter = meter

    async def answer(self, request: Request) -> Response:
        """Answer a request; it never raises for what the caller or the function did wrong."""
        root = f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        ids = {
            "x-amzn-RequestId": str(uuid4()),
            "x-amz-apigw-id": secrets.token_urlsafe(11)[:15] + "=",
            "X-Amzn-Trace-Id": request.headers.get("x-amzn-trace-id", root),
        }
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        _, _, api, stage, path = (*raw.decode("latin-1").split("/", 4), "", "")[:5]
        deployed = self._deployed(api, stage)
        worded = deployed.document.responses if deployed else None
        try:
            if deployed is None:
                raise Refusal("INVALID_API_KEY")
            answer = await self._through(request, deployed, api, f"/{path}", ids)
        except Refusal as refusal:
            answer = refusal.response(ids["x-amzn-RequestId"], worded)
        except ClientDisconnect:
            answer = Response(status_code=400)  # for nobody
        answer.headers.update(ids)
        return answer

    async def _through(
        self, request: Request, deployed: Deployed, api: str, path: str, ids: Mapping[str, str]
    ) -> Response:
        match = deployed.document.match(request.method, path)
        if match is None:
            raise Refusal("MISSING_AUTHENTICATION_TOKEN")
        key = deployed.admit(request, self._meter) if match.operation.security else None
        body, account = await _body(request), self._platform.settings.account
        models = match.operation.models
        problems = models and models.problems(request.headers.get("content-type", ""), body)
        if problems:
            raise Refusal("BAD_REQUEST_BODY", problems)
        call = Call(request, match, api, deployed.stage, account, path, body, ids, key)
        payload = await self._invoke(call)
        try:
            return response(payload)
        except ValueError as error:
            log.warning("%s: malformed Lambda proxy response: %s", match.resource, error)
            raise Refusal("INTEGRATION_FAILURE") from error

    async def _invoke(self, call: Call) -> bytes:
        stage, where = call.stage["stageName"], call.match.resource
        integration = call.match.operation.integration
        resource = f"{call.api}/{stage}/{call.request.method}{where}"
        try:
            async with asyncio.timeout(integration.timeout_in_millis / 1000):
                outcome = await self._platform.get(Lambda).invoke_for(
                    "apigateway.amazonaws.com",
                    self._platform.arn("execute-api", resource),
                    integration.function,
                    json.dumps(call.event()).encode(),
                    call.ids["X-Amzn-Trace-Id"],
                )
        except TimeoutError:
            raise Refusal("INTEGRATION_TIMEOUT") from None
        except (AccessDenied, AwsError) as error:
            too_long = isinstance(error, AwsError) and error.status == 413
            # The operator learns what the caller must not.
            log.warning("%s: %s", where, error)
            raise Refusal("REQUEST_TOO_LARGE" if too_long else "API_CONFIGURATION_ERROR") from error
        if outcome.failed:
            raise Refusal("INTEGRATION_FAILURE")
        return outcome.payload


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal("REQUEST_TOO_LARGE")
    return bytes(body)
