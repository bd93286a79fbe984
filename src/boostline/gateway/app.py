"""The gateway's routes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from boostline.features.contract import FeatureContract
from boostline.features.record import RecordError, RecordTransform
from boostline.features.schema import record_schema
from boostline.gateway import request
from boostline.gateway.endpoint import Endpoint, Prediction
from boostline.gateway.errors import ApiError, invalid_record
from boostline.gateway.telemetry import Telemetry

# 6 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LARGEST_ANSWER = 6_291_456
Document = dict[str, Any]


class Context(Protocol):
    """What the gateway needs of Lambda's context."""

    @property
    def aws_request_id(self) -> str:
        """The id of the invocation."""


class Row(NamedTuple):
    """A record with its features."""

    record: object
    features: Sequence[float]


class Gateway:
    """Answers API Gateway's proxy events.

    `POST /predict` takes one raw record and answers::

        {"prediction": "True.", "label": 1, "score": 0.93, "threshold": 0.41,
         "model": "customer-churn/3", "requestId": "…"}

    `prediction` is the class as the table has it, `label` its code; with more than two classes,
    `scores` has each one's probability and there is no threshold; of a regression, there are only
    `prediction`, `score`, `model` and `requestId`. `POST /predict?explain=3` adds an
    `explanation` with the three largest contributions. A refusal answers
    `{"error": {"code", "message", "fields": [{"field", "message"}]}, "requestId"}`.

    `POST /predict/batch` takes a list of raw records and answers 200 with `{"predictions": […],
    "requestId"}`: in the place of each record its prediction or its own `{"error"}`. All
    predictions are of one model.

    `GET /schema` answers the JSON schema of a record, `GET /health` the digest of the feature
    contract.

    Parameters
    ----------
    contract
        The feature contract that records are transformed by.
    endpoint
        What scores them.
    telemetry
        Is told of each request.
    """

    def __init__(self, contract: FeatureContract, endpoint: Endpoint, telemetry: Telemetry) -> None:
        self._contract = contract
        self._endpoint = endpoint
        self._telemetry = telemetry
        self._transform = RecordTransform(contract).transform
        self._routes: dict[tuple[str, str], Callable[[Mapping[str, Any], Document], Document]] = {
            ("POST", "/predict"): self._predict,
            ("POST", "/predict/batch"): self._predict_batch,
            ("GET", "/schema"): lambda _event, _line: record_schema(contract),
            ("GET", "/health"): self._health,
        }

    def handle(self, event: Mapping[str, Any], context: Context) -> Document:
        """Answer one event; whatever goes wrong becomes an answer too."""
        request_id = (event.get("requestContext") or {}).get("requestId") or context.aws_request_id
        method, path = str(event.get("httpMethod")), str(event.get("resource"))
        line: Document = {"requestId": request_id, "method": method, "path": path}
        started, unexpected = time.perf_counter(), None
        with self._telemetry.traced(line):
            try:
                answer = _answer(200, self._route(method, path)(event, line))
            except ApiError as error:
                line |= {"error": error.code, "reason": error.message}
                answer = _refused(error, request_id)
            except Exception as error:
                line["error"], unexpected = "internal_error", error
                text = "the request failed: quote its requestId"
                answer = _refused(ApiError(500, "internal_error", text), request_id)
            if _too_large(answer):
                line["error"] = "answer_too_large"
                text = "the answer would be larger than the 6 MB of Lambda: send fewer records"
                answer = _refused(ApiError(413, "answer_too_large", text), request_id)
            line["milliseconds"] = _milliseconds(started)
        self._telemetry.answered(line, answer["statusCode"], unexpected)
        return answer

    def _route(self, method: str, path: str) -> Callable[[Mapping[str, Any], Document], Document]:
        found = self._routes.get((method, path))
        if found is not None:
            return found
        allowed = sorted(known for known, where in self._routes if where == path)
        if allowed:
            methods = ", ".join(allowed)
            message = f"{path} takes {methods}"
            raise ApiError(405, "method_not_allowed", message, headers={"Allow": methods})
        known = ", ".join(f"{method} {path}" for method, path in self._routes)
        raise ApiError(404, "not_found", f"the API has {known}")

    def _predict(self, event: Mapping[str, Any], line: Document) -> Document:
        explain = request.explained(event)
        row = self._row(request.read(event))
        (found,) = self._score([row], line, explain)
        if isinstance(found, ApiError):
            raise found
        return {**found.document(), "requestId": line["requestId"]}

    def _predict_batch(self, event: Mapping[str, Any], line: Document) -> Document:
        if request.explained(event):
            reason = "is for POST /predict: a batch has no explanations"
            raise ApiError(400, "bad_parameter", f"explain {reason}", [("explain", reason)])
        rows = [self._try(record) for record in request.read_list(event)]
        good = [row for row in rows if isinstance(row, Row)]
        scored = iter(self._score(good, line) if good else ())
        found = [next(scored) if isinstance(row, Row) else row for row in rows]
        refused = sum(isinstance(one, ApiError) for one in found)
        line |= {"records": len(found), "refused": refused}
        predictions = [
            {"error": one.document()} if isinstance(one, ApiError) else one.document()
            for one in found
        ]
        return {"predictions": predictions, "requestId": line["requestId"]}

    def _row(self, record: object) -> Row:
        checked = request.checked(record)
        try:
            return Row(checked, self._transform(checked))
        except RecordError as error:
            raise invalid_record(error.problems) from error

    def _try(self, record: object) -> Row | ApiError:
        try:
            return self._row(record)
        except ApiError as error:
            return error

    def _score(
        self, rows: Sequence[Row], line: Document, explain: int = 0
    ) -> Sequence[Prediction | ApiError]:
        """Ask the endpoint, and note in the line how that went."""
        records, features = zip(*rows, strict=True)
        started = time.perf_counter()
        try:
            scored = self._endpoint.predict(
                features, self._contract.digest, records, explain, line["requestId"]
            )
        finally:
            line["endpointMilliseconds"] = _milliseconds(started)
        models = {one.model for one in scored.predictions if isinstance(one, Prediction)}
        line |= {"fallback": scored.fallback, "model": next(iter(models), "")}
        return scored.predictions

    def _health(self, _: Mapping[str, Any], line: Document) -> Document:
        line["features"] = self._contract.digest
        return {"status": "ok", "features": self._contract.digest}


def _answer(status: int, body: Document, headers: Mapping[str, str] | None = None) -> Document:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": json.dumps(body),
    }


def _refused(error: ApiError, request_id: str) -> Document:
    body = {"error": error.document(), "requestId": request_id}
    return _answer(error.status, body, error.headers)


def _too_large(answer: Document) -> bool:
    """Say whether Lambda would refuse it: there it is JSON once more, at worst all escaped."""
    return len(answer["body"]) * 2 > LARGEST_ANSWER and len(json.dumps(answer)) > LARGEST_ANSWER


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
