"""InvokeEndpoint."""

from __future__ import annotations

import time
from functools import partial

from boostline.local.hosting.client import Unavailable
from boostline.local.hosting.endpoints import ENDPOINT, Endpoints
from boostline.local.hosting.fleet import Fleet, Variant
from boostline.local.hosting.server import Retired
from boostline.local.service import Service
from boostline.local.services.sagemaker.service import SageMaker
from boostline.local.store.metrics import Values, dimensions
from boostline.local.store.resources import Document
from boostline.local.wire import errors
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
invalid = partial(errors.invalid, service="sagemaker-runtime")


class SageMakerRuntime(Service):
    """Passes requests on to model servers."""

    def invoke_endpoint(self, request: Document) -> Document:
        """Return a container's answer; its 4xx and 5xx become `ModelError`."""
        errors.refuse_members(request, NOT_HERE, "sagemaker-runtime")
        arrived, name = time.perf_counter(), request["EndpointName"]
        endpoint = self._endpoints.find(name)
        fleet = endpoint.fleet() if endpoint else None
        if endpoint is None or fleet is None:
            raise self._not_serving(name)
        variant = fleet.choose(request.get("TargetVariant"))
        if variant is None:
            raise invalid(f"Variant {request['TargetVariant']} not found for Request")
        began = time.perf_counter()
        try:
            status, answer = self._ask(fleet, variant, request)
        except Retired:  # an update moved the traffic just now
            return self.invoke_endpoint(request)
        ended = time.perf_counter()
        named = {"EndpointName": name, "VariantName": variant.name}
        among = [dimensions(**named)]
        if len(endpoint.traffic) > 1:
            among.append(dimensions(**named, EndpointConfigName=fleet.plan["EndpointConfigName"]))
        values = _measured(status, variant.count, ended - began, began - arrived)
        self.platform.metrics.record("AWS/SageMaker", tuple(among), values)
        if isinstance(answer, AwsError):
            raise answer
        self._endpoints.captures.note(fleet.plan.get("DataCaptureConfig"), request, answer)
        return answer

    def _ask(
        self, fleet: Fleet, variant: Variant, request: Document
    ) -> tuple[int, Document | AwsError]:
        """Return the container's status, or 0 for no answer, and what the client gets."""
        headers = {HEADERS[member]: request[member] for member in HEADERS if member in request}
        try:
            with variant.server.client() as client:
                answer = client.invoke(request["Body"], headers)
        except Unavailable as error:
            return 0, AwsError("ServiceUnavailable", f"Endpoint {fleet.endpoint}: {error}", 503)
        except TimeoutError:
            return 0, self._model_error(fleet, variant, 0, TIMED_OUT)
        if answer.status >= 400:
            text = answer.data.decode("utf-8", "replace")
            return answer.status, self._model_error(fleet, variant, answer.status, text)
        shown = {
            "Body": answer.data,
            "ContentType": answer.headers.get("Content-Type"),
            "InvokedProductionVariant": variant.name,
            "CustomAttributes": answer.headers.get(CUSTOM_ATTRIBUTES),
        }
        return answer.status, {name: value for name, value in shown.items() if value is not None}

    @property
    def _endpoints(self) -> Endpoints:
        return self.platform.get(SageMaker).endpoints

    def _not_serving(self, name: str) -> AwsError:
        status = (self.platform.resources.find(ENDPOINT, name) or {}).get("EndpointStatus")
        if status is None:
            account = self.platform.settings.account
            return invalid(f"Endpoint {name} of account {account} not found.")
        if status in ("SystemUpdating", "Updating"):  # by a platform that has just begun
            return AwsError("ServiceUnavailable", f"Endpoint {name} is being restarted", 503)
        return invalid(f"Endpoint {name} is {status}: it must be InService to be invoked")

    def _model_error(self, fleet: Fleet, variant: Variant, status: int, text: str) -> AwsError:
        kind, group = "client" if 400 <= status < 500 else "server", fleet.log_group
        stream = f"log-group:{group}:log-stream:{variant.log_stream}"
        return AwsError(
            "ModelError",
            f'Received {kind} error ({status}) from primary with message "{text}". See the log '
            f"group {group} in account {self.platform.settings.account} for more information.",
            424,
            OriginalStatusCode=status,
            OriginalMessage=text[:MESSAGE_LENGTH],
            LogStreamArn=self.platform.arn("logs", stream),
        )


def _measured(status: int, instances: int, asked: float, before: float) -> Values:
    """Return the metrics of a request, and of the seconds for which and before it was asked."""
    return (
        ("Invocations", 1, 1),
        ("InvocationsPerInstance", 1 / instances, 1),
        ("Invocation4XXErrors", int(400 <= status < 500), 1),
        ("Invocation5XXErrors", int(not 0 < status < 500), 1),
        ("InvocationModelErrors", int(not 200 <= status < 300), 1),
        ("ModelLatency", asked * 1e6, 1),
        ("OverheadLatency", before * 1e6, 1),
    )
