"""The endpoint behind the gateway: what is sent, and what its answers and errors mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any, NamedTuple

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

from boostline.gateway.errors import ApiError, unavailable

# Two attempts have to end before API Gateway gives up, which it does after 29 seconds.
TIMEOUTS = Config(
    connect_timeout=1, read_timeout=12, retries={"total_max_attempts": 2, "mode": "standard"}
)
ROW, RECORD = "text/csv", "application/json"
OTHER_FEATURES = 409


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


class Endpoint:
    """A SageMaker endpoint that scores feature rows and raw records.

    Parameters
    ----------
    name
        The endpoint's name.
    client
        A `sagemaker-runtime` client; by default one with timeouts that fit API Gateway's.
    """

    def __init__(self, name: str, client: Any = None) -> None:
        self.name = name
        self._client = client or get_session().create_client("sagemaker-runtime", config=TIMEOUTS)

    def predict(
        self,
        row: Sequence[float],
        digest: str,
        record: str,
        explain: int = 0,
        inference_id: str = "",
    ) -> Prediction:
        """Score a record: its feature row, or the raw record where the row is refused.

        Parameters
        ----------
        row
            The features by the contract of `digest`; NaN is missing.
        digest
            The contract's digest. An endpoint with another contract answers 409, and then makes
            the features itself.
        record
            The raw record as JSON text.
        explain
            How many contributions an explanation is to show; 0 for none.
        inference_id
            What captured data, and later the ground truth, know the request by.

        Raises
        ------
        ApiError
            If there is no prediction.
        """
        row_text = ",".join("" if isnan(value) else repr(value) for value in row)
        asked = [f"explain={explain}"] if explain else []
        attempts = [(ROW, row_text, [f"features={digest}", *asked]), (RECORD, record, asked)]
        for content_type, body, attributes in attempts:
            try:
                # A single missing value makes no row; the record says the same.
                if body:
                    return self._invoke(content_type, body, ";".join(attributes), inference_id)
            except ClientError as error:
                other = error.response.get("OriginalStatusCode") == OTHER_FEATURES
                if content_type == RECORD or not other:
                    raise _refusal(error) from error
            except BotoCoreError as error:
                raise _unreachable(error) from error
        raise AssertionError("the record is never empty")

    def _invoke(
        self, content_type: str, body: str, attributes: str, inference_id: str
    ) -> Prediction:
        optional = {"CustomAttributes": attributes, "InferenceId": inference_id}
        answer = self._client.invoke_endpoint(
            EndpointName=self.name,
            ContentType=content_type,
            Accept=RECORD,
            Body=body.encode(),
            **{name: text for name, text in optional.items() if text},
        )
        return _prediction(answer["Body"].read(), answer.get("CustomAttributes", ""))


def _prediction(body: bytes, attributes: str) -> Prediction:
    said = dict(part.strip().partition("=")[::2] for part in attributes.split(";"))
    model = said.get("model") or said.get("artifact", "")
    try:
        first = json.loads(body)["predictions"][0]
        score, why = float(first["score"]), first.get("explanation")
        if "label" not in first:
            return Prediction(score, score, model, explanation=why)
        prediction = str(first["label"])
        if "scores" in first:
            scores = {str(name): float(value) for name, value in first["scores"].items()}
            place = [*scores].index(prediction)
            return Prediction(prediction, score, model, place, None, scores, why)
        threshold = float(said["threshold"])
        return Prediction(prediction, score, model, int(score >= threshold), threshold, None, why)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"the endpoint's answer is no prediction, or has no threshold: {error!r}"
        raise ApiError(502, "bad_answer", message) from error


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
        fields = [(each["field"], each["message"]) for each in said.get("problems", ())]
        return ApiError(status, str(said["code"]), str(said["message"]), fields)
    except (ValueError, LookupError, TypeError, AttributeError):
        return ApiError(status, "refused_by_model", original or "the model refused the record")


def _unreachable(error: BotoCoreError) -> ApiError:
    if isinstance(error, ReadTimeoutError):
        return ApiError(504, "timeout", "the endpoint took too long")
    if isinstance(error, UnreachableError | HTTPClientError):
        return unavailable("the endpoint cannot be reached")
    return ApiError(500, "internal_error", f"the call failed: {type(error).__name__}")
