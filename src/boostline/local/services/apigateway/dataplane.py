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
from boostline.local.services.apigateway.document import Document, Match
from boostline.local.services.apigateway.event import Call, MalformedAnswer
from boostline.local.services.apigateway.plans import Meter
from boostline.local.services.lambda_.errors import AccessDenied
from boostline.local.services.lambda_.service import Lambda
from boostline.local.wire.errors import AwsError

log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
MAX_BODY = 10_485_760


# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
REFUSALS = {
    "no route": (403, "Missing Authentication Token", "MissingAuthenticationTokenException"),
    "forbidden": (403, "Forbidden", "ForbiddenException"),
    "throttled": (429, "Too Many Requests", "TooManyRequestsException"),
    "quota": (429, "Limit Exceeded", "LimitExceededException"),
    "too long": (413, "Request Too Long", "RequestTooLargeException"),
    "timeout": (504, "Endpoint request timed out", "InternalServerErrorException"),
    "bad answer": (502, "Internal server error", "InternalServerErrorException"),
    "configuration": (500, "Internal server error", "InternalServerErrorException"),
}


class Refusal(Exception):
    """An answer of API Gateway's own, by its name in the table above."""

    def response(self) -> Response:
        """Return the answer."""
        status, message, kind = REFUSALS[str(self)]
        return JSONResponse({"message": message}, status, {"x-amzn-ErrorType": kind})


@dataclass(frozen=True)
class Deployed:
    """A stage as it answers: its routes, and the keys that its usage plans let in."""

    document: Document
    stage: Mapping[str, Any]
    keys: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]

    def admit(self, request: Request, meter: Meter) -> Mapping[str, Any]:
        """Return the API key of a request, or refuse it."""
        key, plan = self.keys.get(request.headers.get("x-api-key", ""), (None, None))
        if key is None or plan is None:
            raise Refusal("forbidden")
        name = f"{plan['id']}/{key['id']}"
        if meter.throttled(name, plan):
            raise Refusal("throttled")
        if meter.exhausted(name, plan):
            raise Refusal("quota")
        return key


class DataPlane:
    """Answers requests to `/restapis/<api id>/<stage>/<path>`.

    Parameters
    ----------
    deployed
        Gives a stage, or None.
    """

    def __init__(
        self, platform: Platform, deployed: Callable[[str, str], Deployed | None], meter: Meter
    ) -> None:
        self._platform = platform
        self._deployed = deployed
        self._meter = meter

    async def answer(self, request: Request) -> Response:
        """Answer a request; it never raises for what the caller or the function did wrong."""
        request_id, extended_id = str(uuid4()), secrets.token_urlsafe(11)[:15] + "="
        root = f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        trace = request.headers.get("x-amzn-trace-id", root)
        try:
            response = await self._through(request, request_id, extended_id, trace)
        except Refusal as refusal:
            response = refusal.response()
        except ClientDisconnect:
            response = Response(status_code=400)  # for nobody
        response.headers["x-amzn-RequestId"] = request_id
        response.headers["x-amz-apigw-id"] = extended_id
        response.headers["X-Amzn-Trace-Id"] = trace
        return response

    async def _through(
        self, request: Request, request_id: str, extended_id: str, trace: str
    ) -> Response:
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        _, _, api, stage, path = (*raw.decode("latin-1").split("/", 4), "")[:5]
        deployed = self._deployed(api, stage)
        if deployed is None:
            raise Refusal("forbidden")
        match = deployed.document.match(request.method, f"/{path}")
        if match is None:
            raise Refusal("no route")
        key = deployed.admit(request, self._meter) if match.route.key_required else None
        call = Call(
            request=request,
            match=match,
            api=api,
            stage=deployed.stage,
            path=f"/{path}",
            body=await _body(request),
            account=self._platform.settings.account,
            request_id=request_id,
            extended_id=extended_id,
            trace=trace,
            key=key,
            binary_types=deployed.document.binary_types,
        )
        payload = await self._invoke(call, match)
        try:
            return call.response(payload)
        except MalformedAnswer as error:
            log.warning("%s: malformed Lambda proxy response: %s", match.route.function, error)
            raise Refusal("bad answer") from error

    async def _invoke(self, call: Call, match: Match) -> bytes:
        route = match.route
        stage = call.stage["stageName"]
        resource = f"{call.api}/{stage}/{call.request.method}{route.resource}"
        try:
            outcome = await asyncio.wait_for(
                self._platform.get(Lambda).invoke_for(
                    "apigateway.amazonaws.com",
                    self._platform.arn("execute-api", resource),
                    route.function,
                    json.dumps(call.event()).encode(),
                    call.trace,
                ),
                route.timeout,
            )
        except TimeoutError:
            raise Refusal("timeout") from None
        except (AccessDenied, AwsError) as error:
            too_long = isinstance(error, AwsError) and error.status == 413
            # The operator learns what the caller must not.
            log.warning("%s: %s", route.resource, error)
            raise Refusal("too long" if too_long else "configuration") from error
        if outcome.failed:
            raise Refusal("bad answer")
        return outcome.payload


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal("too long")
    return bytes(body)
