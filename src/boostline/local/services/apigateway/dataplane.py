"""Deployed REST APIs: what happens to a request."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from boostline.local.platform import Platform
from boostline.local.services.apigateway.document import GatewayResponse, Operation
from boostline.local.services.apigateway.event import Call, response
from boostline.local.services.apigateway.meter import Meter
from boostline.local.services.apigateway.stages import Deployed
from boostline.local.services.apigateway.validation import JSON
from boostline.local.services.lambda_.service import Lambda
from boostline.local.store.lines import Lines
from boostline.local.store.metrics import dimensions
from boostline.local.store.resources import Missing
from boostline.local.wire.errors import AwsError

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
MAX_BODY = 10_485_760
SMALL = 4_096  # bytes of a body that is checked in the event loop
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
_NO_LINE = re.compile(r"[^\t -~\x80-\xff]")  # what a header in Latin-1 cannot hold
MISTAKE = "Execution failed due to configuration error"


class Refusal(Exception):
    """An answer of API Gateway's own, by its response type.

    Parameters
    ----------
    problems
        Those of a body.
    why
        What the stage's operator learns, and the caller must not.
    """

    def __init__(self, kind: str, problems: str = "", why: str = "") -> None:
        super().__init__(kind)
        self.why = why
        self._kind = kind
        self._problems = problems

    def response(self, call: Call, worded: Mapping[str, GatewayResponse]) -> Response:
        """Return the answer, as the document words it if it does."""
        status, message, error = REFUSALS[self._kind]
        call.context["error"] = {
            "message": message,
            "messageString": json.dumps(message),
            "responseType": self._kind,
            "validationErrorString": self._problems,
        }
        headers = {"x-amzn-ErrorType": error}
        own = worded.get(self._kind) or worded.get(f"DEFAULT_{status // 100}XX", GatewayResponse())
        for name, value in own.response_parameters.items():
            text = call.expand(f"${value}") if value.startswith("context.") else value.strip("'")
            header = name.removeprefix("gatewayresponse.header.")
            headers[header] = _NO_LINE.sub("?", text).strip()
        template = own.response_templates.get(JSON, '{"message":$context.error.messageString}')
        content = call.expand(template)
        return Response(content, own.status_code or status, headers, media_type=JSON)


class DataPlane:
    """Answers requests to `/restapis/<api id>/<stage>/<path>`."""

    def __init__(
        self, platform: Platform, deployed: Callable[[str, str], Deployed], meter: Meter
    ) -> None:
        self._platform = platform
        self._deployed = deployed
        self._meter = meter
        self._logs: dict[str, Lines] = {}

    async def answer(self, request: Request) -> Response:
        """Answer a request; it never raises for what the caller or the function did wrong."""
        call = Call(request, self._platform.settings.account)
        try:
            deployed = self._deployed(call.api, call.stage)
        except (Missing, AwsError):  # there is no such stage
            answer = Refusal("INVALID_API_KEY").response(call, {})
        else:
            try:
                answer = await self._through(call, deployed)
            except Refusal as refusal:
                answer = refusal.response(call, deployed.document.responses)
                self._tell(deployed, call, refusal)
            except ClientDisconnect:
                answer = Response(status_code=400)  # for nobody
            self._record(deployed, call, answer)
        answer.headers["x-amzn-RequestId"] = call.context["requestId"]
        answer.headers["x-amz-apigw-id"] = call.context["extendedRequestId"]
        answer.headers["X-Amzn-Trace-Id"] = call.trace
        return answer

    async def close(self) -> None:
        """Wait until every line is stored."""
        closing = (lines.close() for lines in self._logs.values())
        await asyncio.gather(*closing, return_exceptions=True)  # a full disk ends no platform

    async def _through(self, call: Call, deployed: Deployed) -> Response:
        operation = deployed.document.find(call.request.method, call.path)
        if operation is None:
            raise Refusal("MISSING_AUTHENTICATION_TOKEN")
        call.route(deployed.stage["deploymentId"])
        self._admit(call, operation, deployed)
        body = await _body(call.request)
        if problems := await _problems(call.request, operation, body):
            raise Refusal("BAD_REQUEST_BODY", problems)
        try:
            return response(await self._invoke(call, operation, body))
        except ValueError as error:
            why = f"{MISTAKE}: Malformed Lambda proxy response: {error}"
            raise Refusal("INTEGRATION_FAILURE", why=why) from error

    def _admit(self, call: Call, operation: Operation, deployed: Deployed) -> None:
        """Ask for an API key where one is needed, and count the request."""
        method = f"{call.api}/{call.stage}{call.path}/{call.request.method}"
        settings = deployed.settings
        rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
        plan: Mapping[str, Any] = {}
        limits, name = [(method, rate, burst)], ""
        if operation.security:
            value = call.request.headers.get("x-api-key", "")
            if value not in deployed.keys:
                raise Refusal("INVALID_API_KEY")
            key, plan = deployed.keys[value]
            call.context["identity"] |= {"apiKey": key["value"], "apiKeyId": key["id"]}
            name, throttle = f"{plan['id']}/{key['id']}", plan.get("throttle", {})
            limits = [(name, throttle.get("rateLimit"), throttle.get("burstLimit")), *limits]
        if any(self._meter.throttled(*limit) for limit in limits):
            raise Refusal("THROTTLED")
        if self._meter.exhausted(name, plan.get("quota")):
            raise Refusal("QUOTA_EXCEEDED")

    async def _invoke(self, call: Call, operation: Operation, body: bytes) -> bytes:
        integration = operation.integration
        resource = f"{call.api}/{call.stage}/{call.request.method}{call.path}"
        try:
            async with asyncio.timeout(integration.timeout_in_millis / 1000):
                outcome = await self._platform.get(Lambda).invoke_for(
                    "apigateway.amazonaws.com",
                    self._platform.arn("execute-api", resource),
                    integration.function,
                    json.dumps(call.event(body)).encode(),
                    call.trace,
                )
        except TimeoutError:
            why = "Execution failed due to a timeout error"
            raise Refusal("INTEGRATION_TIMEOUT", why=why) from None
        except AwsError as error:
            kind = "REQUEST_TOO_LARGE" if error.status == 413 else "API_CONFIGURATION_ERROR"
            raise Refusal(kind, why=f"{MISTAKE}: {error}") from error
        if outcome.failed:
            why = f"Lambda execution failed: {outcome.payload.decode(errors='replace')}"
            raise Refusal("INTEGRATION_FAILURE", why=why)
        return outcome.payload

    def _tell(self, deployed: Deployed, call: Call, refusal: Refusal) -> None:
        """Log what went wrong behind the API, if the stage's settings ask for it."""
        if refusal.why and deployed.settings.get("loggingLevel", "OFF") != "OFF":
            line = f"({call.context['requestId']}) {refusal.why}"
            self._log(f"API-Gateway-Execution-Logs_{call.api}/{call.stage}", line)

    def _record(self, deployed: Deployed, call: Call, answer: Response) -> None:
        """Write the access log, and measure."""
        status, milliseconds = answer.status_code, 1000 * (time.perf_counter() - call.began)
        call.context |= {"status": status, "responseLatency": round(milliseconds)}
        call.context["responseLength"] = len(answer.body)
        log = deployed.stage.get("accessLogSettings", {})
        if log.keys() >= {"destinationArn", "format"}:
            self._log(log["destinationArn"].split(":")[6], call.line(log["format"]))
        values = (
            ("Count", 1, 1),
            ("4XXError", int(400 <= status < 500), 1),
            ("5XXError", int(status >= 500), 1),
            ("Latency", milliseconds, 1),
        )
        among = (dimensions(ApiName=deployed.name, Stage=call.stage),)
        self._platform.metrics.record("AWS/ApiGateway", among, values)

    def _log(self, group: str, line: str) -> None:
        if group not in self._logs:
            self._logs[group] = Lines(self._platform.logs, group, secrets.token_hex(16))
        self._logs[group].write(line)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal("REQUEST_TOO_LARGE")
    return bytes(body)


async def _problems(request: Request, operation: Operation, body: bytes) -> str:
    """Say what is wrong with a body; a long one holds up no other request."""
    if operation.models is None:
        return ""
    check, kind = operation.models.problems, request.headers.get("content-type", "")
    return await asyncio.to_thread(check, kind, body) if len(body) > SMALL else check(kind, body)
