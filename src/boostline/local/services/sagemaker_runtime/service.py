"""InvokeEndpoint."""

from __future__ import annotations

import time

import urllib3

from boostline.local.hosting.client import Unavailable
from boostline.local.hosting.endpoints import ENDPOINT, Endpoints
from boostline.local.hosting.fleet import Fleet, NoSuchVariant
from boostline.local.hosting.server import Server
from boostline.local.service import Service
from boostline.local.services.sagemaker.service import SageMaker
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
# Input member → the header in which the container gets it. Only these arrive.
HEADERS = {
    "ContentType": "Content-Type",
    "Accept": "Accept",
    "CustomAttributes": CUSTOM_ATTRIBUTES,
    "InferenceId": "X-Amzn-SageMaker-Inference-Id",
    "TargetVariant": "X-Amzn-SageMaker-Target-Variant",
}
NOT_HERE = ("TargetModel", "TargetContainerHostname", "InferenceComponentName", "SessionId")
MESSAGE_LENGTH = 2048  # characters of OriginalMessage
TIMED_OUT = "Your invocation timed out while waiting for a response from container primary."


class SageMakerRuntime(Service):
    """Passes requests on to model servers."""

    def invoke_endpoint(self, request: Document) -> Document:
        """Return a container's answer; its 4xx and 5xx become `ModelError`."""
        for member in NOT_HERE:
            if member in request:
                raise _invalid(f"{member}: the local platform does not have this")
        arrived = time.perf_counter()
        headers = {HEADERS[member]: request[member] for member in HEADERS if member in request}
        fleet, variant, server, answer = self._invoke(request, headers, arrived)
        if answer.status >= 400:
            raise self._model_error(server, answer.status, answer.data.decode("utf-8", "replace"))
        shown = {
            "Body": answer.data,
            "ContentType": answer.headers.get("Content-Type"),
            "InvokedProductionVariant": variant,
            "CustomAttributes": answer.headers.get(CUSTOM_ATTRIBUTES),
        }
        found = {member: value for member, value in shown.items() if value is not None}
        self._endpoints.captures.note(fleet.capture, request, found)
        return found

    def _invoke(
        self, request: Document, headers: dict[str, str], arrived: float
    ) -> tuple[Fleet, str, Server, urllib3.BaseHTTPResponse]:
        name = request["EndpointName"]
        fleet = self._endpoints.fleet(name)
        if fleet is None:
            raise self._not_serving(name)
        try:
            variant, server = fleet.choose(request.get("TargetVariant"))
        except NoSuchVariant as error:
            raise _invalid(f"Variant {error} not found for Request") from None
        began, status = time.perf_counter(), 0
        try:
            answer = server.invoke(request["Body"], headers)
            status = answer.status
        except Unavailable as error:
            if fleet not in self._endpoints.serving(name):  # an update moved the traffic just now
                return self._invoke(request, headers, arrived)
            self._measure(fleet, variant, status, arrived, began)
            raise AwsError("ServiceUnavailable", f"Endpoint {name}: {error}", 503) from None
        except TimeoutError:
            self._measure(fleet, variant, status, arrived, began)
            raise self._model_error(server, status, TIMED_OUT) from None
        self._measure(fleet, variant, status, arrived, began)
        return fleet, variant, server, answer

    def _measure(
        self, fleet: Fleet, variant: str, status: int, arrived: float, began: float
    ) -> None:
        """Measure a request; a `status` of 0 is no answer."""
        among = fleet.dimensions[variant]
        moves = len(self._endpoints.serving(fleet.endpoint)) > 1
        self.platform.metrics.record(
            "AWS/SageMaker",
            among if moves else among[:1],
            (
                ("Invocations", 1, 1),
                ("InvocationsPerInstance", 1 / fleet.counts[variant], 1),
                ("Invocation4XXErrors", int(400 <= status < 500), 1),
                ("Invocation5XXErrors", int(not 0 < status < 500), 1),
                ("InvocationModelErrors", int(not 200 <= status < 300), 1),
                ("ModelLatency", (time.perf_counter() - began) * 1e6, 1),
                ("OverheadLatency", (began - arrived) * 1e6, 1),
            ),
        )

    @property
    def _endpoints(self) -> Endpoints:
        return self.platform.get(SageMaker).endpoints

    def _not_serving(self, name: str) -> AwsError:
        status = (self.platform.resources.find(ENDPOINT, name) or {}).get("EndpointStatus")
        if status is None:
            account = self.platform.settings.account
            return _invalid(f"Endpoint {name} of account {account} not found.")
        if status in ("SystemUpdating", "Updating"):  # by a platform that has just begun
            return AwsError("ServiceUnavailable", f"Endpoint {name} is being restarted", 503)
        return _invalid(f"Endpoint {name} is {status}: it must be InService to be invoked")

    def _model_error(self, server: Server, status: int, text: str) -> AwsError:
        group, kind = server.log_group, "client" if 400 <= status < 500 else "server"
        stream = f"log-group:{group}:log-stream:{server.log_stream}"
        return AwsError(
            "ModelError",
            f'Received {kind} error ({status}) from primary with message "{text}". See the log '
            f"group {group} in account {self.platform.settings.account} for more information.",
            424,
            OriginalStatusCode=status,
            OriginalMessage=text[:MESSAGE_LENGTH],
            LogStreamArn=self.platform.arn("logs", stream),
        )


def _invalid(message: str) -> AwsError:
    """Return the runtime's own error for bad requests, which is not named ValidationException."""
    return AwsError("ValidationError", message)
