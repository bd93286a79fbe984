"""The gateway's routes."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from boostline.features.contract import FeatureContract
from boostline.features.record import RecordError, RecordTransform
from boostline.features.schema import record_schema
from boostline.gateway import request
from boostline.gateway.endpoint import Endpoint
from boostline.gateway.errors import ApiError

Document = dict[str, Any]


class Context(Protocol):
    """What the gateway needs of Lambda's context."""

    @property
    def aws_request_id(self) -> str:
        """The id of the invocation."""


class Gateway:
    """Answers API Gateway's proxy events.

    `POST /predict` takes one raw record and answers::

        {"prediction": "True.", "label": 1, "score": 0.93, "threshold": 0.41,
         "model": "customer-churn/3", "requestId": "…"}

    `prediction` is the class as the table has it, `label` its code; with more than two classes,
    `scores` has each one's probability and there is no threshold; of a regression, there are only
    `prediction`, `score`, `model` and `requestId`. `POST /predict?explain=3` adds an
    `explanation` with the three largest contributions. `GET /schema` answers the JSON
    schema of a record, `GET /health` the digest of the feature contract. A refusal answers
    `{"error": {"code", "message", "fields": [{"field", "message"}]}, "requestId"}`.

    Parameters
    ----------
    contract
        The feature contract that records are transformed by.
    endpoint
        What scores them.
    log
        Takes one JSON line a request.
    """

    def __init__(
        self,
        contract: FeatureContract,
        endpoint: Endpoint,
        log: Callable[[str], object] = print,
    ) -> None:
        self._contract = contract
        self._endpoint = endpoint
        self._log = log
        self._transform = RecordTransform(contract).transform
        self._schema = record_schema(contract)
        self._routes: dict[tuple[str, str], Callable[[Mapping[str, Any], Document], Document]] = {
            ("POST", "/predict"): self._predict,
            ("GET", "/schema"): lambda _event, _log: self._schema,
            ("GET", "/health"): self._health,
        }

    def handle(self, event: Mapping[str, Any], context: Context) -> Document:
        """Answer one event; whatever goes wrong becomes an answer too."""
        started = time.perf_counter()
        request_id = (event.get("requestContext") or {}).get("requestId") or context.aws_request_id
        method, path = str(event.get("httpMethod")), str(event.get("resource"))
        line: Document = {"requestId": request_id, "method": method, "path": path}
        headers: dict[str, str] = {}
        try:
            status, body = 200, self._route(method, path)(event, line)
            if path == "/predict":
                body = {**body, "requestId": request_id}
        except ApiError as error:
            status, headers = error.status, error.headers
            body = {"error": error.document(), "requestId": request_id}
            line |= {"error": error.code, "message": error.message}
        except Exception:
            failed = ApiError(500, "internal_error", "the request failed: quote its requestId")
            status, body = 500, {"error": failed.document(), "requestId": request_id}
            line |= {"error": failed.code, "message": traceback.format_exc()}
        milliseconds = round((time.perf_counter() - started) * 1000, 2)
        self._log(json.dumps({**line, "status": status, "milliseconds": milliseconds}))
        return {
            "statusCode": status,
            "headers": {"Content-Type": "application/json", **headers},
            "body": json.dumps(body, ensure_ascii=False),
        }

    def _route(self, method: str, path: str) -> Callable[[Mapping[str, Any], Document], Document]:
        found = self._routes.get((method, path))
        if found is not None:
            return found
        allowed = sorted(known for known, where in self._routes if where == path)
        if allowed:
            methods = ", ".join(allowed)
            message = f"{path} takes {methods}"
            raise ApiError(405, "method_not_allowed", message, headers={"Allow": methods})
        raise ApiError(404, "not_found", "the API has POST /predict, GET /schema and GET /health")

    def _predict(self, event: Mapping[str, Any], line: Document) -> Document:
        explain = request.explained(event)
        body = request.read(event)
        try:
            row = self._transform(body.record)
        except RecordError as error:
            count = len(error.problems)
            message = f"the record has {count} problem{'s' * (count > 1)}: see fields"
            raise ApiError(400, "invalid_record", message, error.problems) from error
        prediction = self._endpoint.predict(
            row, self._contract.digest, body.text, explain, line["requestId"]
        )
        line["model"] = prediction.model
        return prediction.document()

    def _health(self, _: Mapping[str, Any], line: Document) -> Document:
        line["features"] = self._contract.digest
        return {"status": "ok", "features": self._contract.digest}
