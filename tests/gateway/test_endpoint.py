from __future__ import annotations

import json
import socket
from math import nan
from typing import Any

import pytest

from boostline.gateway.endpoint import Endpoint, Prediction
from boostline.gateway.errors import ApiError
from tests.gateway.conftest import Answer, Runtime, model_error

ROW = [1.5, 0.10000000149011612, nan, 3.0]
RECORD = '{"day": 1.5}'


def refusal(endpoint: Endpoint) -> ApiError:
    with pytest.raises(ApiError) as caught:
        endpoint.predict(ROW, "digest", RECORD)
    return caught.value


def test_a_row_goes_with_its_digest(runtime: Runtime) -> None:
    prediction = runtime.endpoint().predict(ROW, "digest", RECORD)
    assert prediction == Prediction("True.", 0.93, "churn/3", 1, 0.41)
    ((path, headers, body),) = runtime.calls
    assert path == "/endpoints/churn-staging/invocations"
    assert body == b"1.5,0.10000000149011612,,3.0"
    assert headers["content-type"] == "text/csv"
    assert headers["accept"] == "application/json"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "features=digest"


def test_the_threshold_is_the_endpoint_s(runtime: Runtime) -> None:
    body = {"predictions": [{"score": 0.93, "label": "False."}]}
    runtime.answers = [Answer(body=body, attributes="artifact=abc;threshold=0.95;model=")]
    prediction = runtime.endpoint().predict(ROW, "digest", RECORD)
    assert prediction == Prediction("False.", 0.93, "abc", 0, 0.95)


def test_an_endpoint_with_other_features_gets_the_record(runtime: Runtime) -> None:
    runtime.answers = [model_error(409, "other features")]
    assert runtime.endpoint().predict(ROW, "digest", RECORD).model == "churn/3"
    path, headers, body = runtime.calls[1]
    assert (path, body) == ("/endpoints/churn-staging/invocations", RECORD.encode())
    assert headers["content-type"] == "application/json"
    assert "x-amzn-sagemaker-custom-attributes" not in headers


def test_a_single_missing_value_goes_as_the_record(runtime: Runtime) -> None:
    runtime.endpoint().predict([nan], "digest", RECORD)
    assert [call[2] for call in runtime.calls] == [RECORD.encode()]


def test_what_the_container_refuses_is_passed_on(runtime: Runtime) -> None:
    problems = [{"row": 1, "field": "day", "message": "is not a number"}]
    said = {"error": {"code": "invalid_rows", "message": "row 1", "problems": problems}}
    runtime.answers = [model_error(409, ""), model_error(400, json.dumps(said))]
    error = refusal(runtime.endpoint())
    assert (error.status, error.code, error.message) == (400, "invalid_rows", "row 1")
    assert error.fields == [{"field": "day", "message": "is not a number"}]


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (model_error(415, "not JSON"), 415, "refused_by_model"),
        (model_error(400, '{"error": {"code": "x", "mess'), 400, "refused_by_model"),
        (model_error(400, '["other"]'), 400, "refused_by_model"),
        (model_error(500, "a traceback"), 502, "model_error"),
        (Answer(429, {"Message": "loading"}, "", "ModelNotReadyException"), 503, "unavailable"),
        (Answer(400, {"Message": "not found"}, "", "ValidationError"), 503, "unavailable"),
        (Answer(503, {"Message": "busy"}, "", "ServiceUnavailable"), 503, "unavailable"),
        (Answer(403, {"Message": "no"}, "", "AccessDeniedException"), 502, "endpoint_error"),
        (Answer(body={"predictions": []}), 502, "bad_answer"),
        (Answer(body="text"), 502, "bad_answer"),
        (Answer(attributes=""), 502, "bad_answer"),
    ],
)
def test_no_prediction_is_a_refusal(
    runtime: Runtime, answer: Answer, status: int, code: str
) -> None:
    runtime.answers = [answer]
    error = refusal(runtime.endpoint())
    assert (error.status, error.code) == (status, code)
    assert ("Retry-After" in error.headers) == (status == 503)


def test_an_endpoint_that_is_not_there(runtime: Runtime) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        runtime.url = f"http://127.0.0.1:{server.getsockname()[1]}"
        endpoint = runtime.endpoint(read_timeout=0.1)
        assert (refusal(endpoint).status, refusal(endpoint).code) == (504, "timeout")
    assert refusal(endpoint).code == "unavailable"


@pytest.mark.parametrize(
    ("answer", "document"),
    [
        (
            {"score": 0.6, "label": "b", "scores": {"a": 0.3, "b": 0.6, "c": 0.1}},
            {
                "prediction": "b",
                "label": 1,
                "score": 0.6,
                "scores": {"a": 0.3, "b": 0.6, "c": 0.1},
                "model": "m/1",
            },
        ),
        ({"score": -3.5}, {"prediction": -3.5, "score": -3.5, "model": "m/1"}),
    ],
    ids=["multiclass", "regression"],
)
def test_without_a_threshold(
    runtime: Runtime, answer: dict[str, Any], document: dict[str, Any]
) -> None:
    runtime.answers = [Answer(body={"predictions": [answer]}, attributes="model=m/1")]
    assert runtime.endpoint().predict(ROW, "digest", RECORD).document() == document
