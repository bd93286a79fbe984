"""The endpoint behind the gateway: what is sent, and what its answers and errors mean."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import msgspec
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    ReadTimeoutError,
)
from botocore.exceptions import (
    ConnectionError as UnreachableError,
)
from botocore.session import get_session

from boostline.gateway.errors import ApiError, invalid_record, unavailable

# All attempts have to end before API Gateway gives up, which it does after 29 seconds: one takes
# 12 at most, so none begins later than this, be it a call's second or of another call.
LAST_BEGIN = 13.0
TIMEOUTS = Config(
    connect_timeout=1, read_timeout=11, retries={"total_max_attempts": 2, "mode": "standard"}
)
ROWS, RECORDS = "text/csv", "application/json"
OTHER_FEATURES = 409
TIMEOUT = "timeout"


class Prediction(NamedTuple):
    """What the model that answered says: nothing of it is the gateway's own.

    `prediction` is the class, `label` its code, `score` its probability, `scores` those of all
    classes if there are more than two; of a regression, `prediction` and `score` are the value.
    `model` is the version in the registry. `explanation` is there if it was asked for.
    """

    prediction: str | float
    score: float
    model: str
    label: int | None = None
    threshold: float | None = None
    scores: dict[str, float] | None = None
    explanation: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return what is known of it, as JSON."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Scored(NamedTuple):
    """A prediction of each record, or what is wrong with it.

    `fallback` says that the endpoint made the features itself.
    """

    predictions: Sequence[Prediction | ApiError]
    fallback: bool


class RefusedRecords(ApiError):
    """What the model's container refuses, with what it found in each row, counted from 1."""

    def __init__(
        self, status: int, code: str, message: str, problems: Sequence[tuple[Any, str, str]]
    ) -> None:
        super().__init__(status, code, message, [(field, text) for _, field, text in problems])
        fields: dict[int, list[tuple[str, str]]] = {}
        for row, field, text in problems:
            if isinstance(row, int) and row > 0:
                fields.setdefault(row, []).append((field, text))
        self.rows = {row: invalid_record(found) for row, found in fields.items()}


class Endpoint:
    """A SageMaker endpoint that scores feature rows and raw records.

    Parameters
    ----------
    name
        The endpoint's name.
    client
        A `sagemaker-runtime` client; by default one with timeouts that fit API Gateway's.
    clock
        Tells the time, in seconds.
    """

    def __init__(
        self, name: str, client: Any = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._client = client or get_session().create_client("sagemaker-runtime", config=TIMEOUTS)
        self._clock = clock
        self._last_begin = 0.0
        events = self._client.meta.events
        events.register("before-send.sagemaker-runtime.InvokeEndpoint", self._require_time)

    def predict(
        self,
        rows: Sequence[Sequence[float]],
        digest: str,
        records: Sequence[object],
        explain: int = 0,
        inference_id: str = "",
    ) -> Scored:
        """Score records by one call, so that one model scores them all.

        The feature rows go first. Where they are refused, the raw records go; if the model finds
        something wrong with one of these, its place holds the refusal, and the others go again.
        When there is no time for that, each of the others is refused by status 504.

        Parameters
        ----------
        rows
            The features by the contract of `digest`; NaN is missing.
        digest
            The contract's digest. An endpoint with another contract answers 409, and then makes
            the features itself.
        records
            The raw records.
        explain
            How many contributions an explanation is to show; 0 for none.
        inference_id
            What captured data, and later the ground truth, know the request by.

        Raises
        ------
        ApiError
            If there are no predictions.
        """
        self._last_begin = self._clock() + LAST_BEGIN
        asked = [f"explain={explain}"] if explain else []
        lines = list(map(csv_line, rows))
        if all(lines):  # a single missing value makes no row; the record says the same
            try:
                attributes = [f"features={digest}", *asked]
                found = self._ask(ROWS, b"\n".join(lines), len(lines), attributes, inference_id)
                return Scored(found, False)
            except ApiError as error:
                if error.status != OTHER_FEATURES:
                    raise
        return Scored(self._raw(records, asked, inference_id), True)

    def _raw(
        self, records: Sequence[object], asked: Sequence[str], inference_id: str
    ) -> list[Prediction | ApiError]:
        texts = {place: json.dumps(record) for place, record in enumerate(records)}
        outcome: dict[int, Prediction | ApiError] = {}
        while texts:
            places, body = list(texts), f"[{','.join(texts.values())}]".encode()
            try:
                found = self._ask(RECORDS, body, len(places), asked, inference_id)
                outcome |= zip(places, found, strict=True)
                break
            except RefusedRecords as error:
                # It tells of as many as it can, so each round has fewer left.
                wrong = [row for row in error.rows if row <= len(places)]
                if not wrong:
                    raise
                for row in wrong:
                    outcome[places[row - 1]] = error.rows[row]
                    del texts[places[row - 1]]
            except ApiError as error:
                if error.code != TIMEOUT or not outcome:
                    raise
                outcome |= dict.fromkeys(places, error)
                break
        return [outcome[place] for place in range(len(records))]

    def _require_time(self, **_: Any) -> None:
        """Refuse an attempt; botocore tries this refusal no second time."""
        if self._clock() > self._last_begin:
            raise _late()

    def _ask(
        self, kind: str, body: bytes, count: int, attributes: Sequence[str], inference_id: str
    ) -> list[Prediction]:
        optional = {"CustomAttributes": ";".join(attributes), "InferenceId": inference_id}
        try:
            answer = self._client.invoke_endpoint(
                EndpointName=self.name,
                ContentType=kind,
                Accept=RECORDS,
                Body=body,
                **{name: text for name, text in optional.items() if text},
            )
            content = answer["Body"].read()
        except ClientError as error:
            raise _refusal(error) from error
        except BotoCoreError as error:
            raise _unreachable(error) from error
        return _predictions(content, answer.get("CustomAttributes", ""), count)


def csv_line(row: Sequence[float]) -> bytes:
    """Write a row as CSV: JSON has the same numbers with the same separators, quickly made."""
    return msgspec.json.encode(row)[1:-1].replace(b"null", b"")


def _predictions(body: bytes, attributes: str, count: int) -> list[Prediction]:
    said = dict(part.strip().partition("=")[::2] for part in attributes.split(";"))
    try:
        found = msgspec.json.decode(body)["predictions"]
        if len(found) != count:
            raise ValueError(f"{len(found)} predictions of {count} records")
        return [_prediction(one, said) for one in found]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"the endpoint's answer is no prediction, or has no threshold: {error!r}"
        raise ApiError(502, "bad_answer", message) from error


def _prediction(one: Mapping[str, Any], said: Mapping[str, str]) -> Prediction:
    model = said.get("model") or said.get("artifact", "")
    score, why = _number(one["score"]), one.get("explanation")
    if "label" not in one:
        return Prediction(score, score, model, explanation=why)
    prediction = str(one["label"])
    if "scores" in one:
        scores = {str(name): _number(value) for name, value in one["scores"].items()}
        place = [*scores].index(prediction)
        return Prediction(prediction, score, model, place, None, scores, why)
    threshold = _number(said["threshold"])
    return Prediction(prediction, score, model, int(score >= threshold), threshold, None, why)


def _number(value: Any) -> float:
    number = float(value)
    if not isfinite(number):  # float reads the texts nan and inf, which JSON has no numbers for
        raise ValueError(f"{value!r} is no number of JSON")
    return number


def _refusal(error: ClientError) -> ApiError:
    details: Mapping[str, Any] = error.response
    code = details["Error"]["Code"]
    status = details.get("OriginalStatusCode")
    if code == "ModelError" and status is not None and 400 <= status < 500:
        return _passed_on(status, str(details.get("OriginalMessage", "")))
    if code == "ModelError":
        return ApiError(502, "model_error", "the model failed to score the record")
    if code == "ModelNotReadyException":
        return unavailable("the model is being loaded: try again soon")
    if code in {"ValidationError", "ValidationException"}:
        return unavailable("there is no endpoint to answer", 30)
    if details["ResponseMetadata"]["HTTPStatusCode"] in {429, 500, 503}:
        return unavailable("the endpoint is busy: try again soon")
    return ApiError(502, "endpoint_error", f"the endpoint refused the call: {code}")


def _passed_on(status: int, original: str) -> ApiError:
    """Keep what the container says of a request, as far as it says it in its own form."""
    try:
        said = json.loads(original)["error"]
        code, message = str(said["code"]), str(said["message"])
        problems = [
            (each.get("row"), each["field"], each["message"]) for each in said.get("problems") or ()
        ]
        return RefusedRecords(status, code, message, problems)
    except (ValueError, LookupError, TypeError, AttributeError):
        return ApiError(status, "refused_by_model", original or "the model refused the record")


def _unreachable(error: BotoCoreError) -> ApiError:
    if isinstance(error, ReadTimeoutError):
        return _late()
    if isinstance(error, UnreachableError | HTTPClientError):
        return unavailable("the endpoint cannot be reached")
    return ApiError(500, "internal_error", f"the call failed: {type(error).__name__}")


def _late() -> ApiError:
    return ApiError(504, TIMEOUT, "the endpoint took too long")
