from __future__ import annotations

import json
import socket
from math import nan
from typing import Any

import pytest

from boostline.gateway.endpoint import Endpoint, Prediction
from boostline.gateway.errors import ApiError
from tests.gateway.conftest import Answer, Runtime, model_error, predictions, wrong_rows

ROW = [1.5, 0.10000000149011612, nan, 3.0]
RECORD = {"day": 1.5}


def predict(endpoint: Endpoint) -> Prediction:
    (found,) = endpoint.predict([ROW], "digest", [RECORD]).predictions
    assert isinstance(found, Prediction)
    return found


def refusal(endpoint: Endpoint) -> ApiError:
    with pytest.raises(ApiError) as caught:
        predict(endpoint)
    return caught.value


def test_a_row_goes_with_its_digest(runtime: Runtime) -> None:
    prediction = predict(runtime.endpoint())
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
    prediction = predict(runtime.endpoint())
    assert prediction == Prediction("False.", 0.93, "abc", 0, 0.95)


def test_an_endpoint_with_other_features_gets_the_record(runtime: Runtime) -> None:
    runtime.answers = [model_error(409, "other features")]
    assert predict(runtime.endpoint()).model == "churn/3"
    path, headers, body = runtime.calls[1]
    assert (path, json.loads(body)) == ("/endpoints/churn-staging/invocations", [RECORD])
    assert headers["content-type"] == "application/json"
    assert "x-amzn-sagemaker-custom-attributes" not in headers


def test_a_single_missing_value_goes_as_the_record(runtime: Runtime) -> None:
    runtime.answers = [predictions(0.9, 0.1)]
    scored = runtime.endpoint().predict([[nan], [1.0]], "digest", [{"day": None}, RECORD])
    assert scored.fallback
    assert [json.loads(call[2]) for call in runtime.calls] == [[{"day": None}, RECORD]]


def test_what_the_container_refuses_is_passed_on(runtime: Runtime) -> None:
    said = {"error": {"code": "too_many_rows", "message": "send fewer"}}
    runtime.answers = [model_error(413, json.dumps(said))]
    error = refusal(runtime.endpoint())
    assert (error.status, error.code, error.message) == (413, "too_many_rows", "send fewer")


def score(runtime: Runtime, count: int) -> list[Any]:
    """Score records that are numbered: give scores, and the fields of those refused."""
    records = [{"day": number} for number in range(count)]
    scored = runtime.endpoint().predict([[1.0]] * count, "digest", records, 0, "request-1")
    return [
        one.score if isinstance(one, Prediction) else one.fields[0]["field"]
        for one in scored.predictions
    ]


def test_a_bad_record_does_not_spoil_the_others(runtime: Runtime) -> None:
    """Each refusal tells of some rows by their places among those sent."""
    runtime.answers = [
        model_error(409, "other features"),
        wrong_rows((2, "day", "is too large"), (4, "eve", "is missing")),
        wrong_rows((3, "plan", "is unknown")),
        predictions(0.1, 0.3),
    ]
    assert score(runtime, 5) == [0.1, "day", 0.3, "eve", "plan"]
    assert [json.loads(call[2]) for call in runtime.calls[1:]] == [
        [{"day": number} for number in sent] for sent in ([0, 1, 2, 3, 4], [0, 2, 4], [0, 2])
    ]
    assert {call[1]["x-amzn-sagemaker-inference-id"] for call in runtime.calls} == {"request-1"}


def test_all_records_may_be_bad(runtime: Runtime) -> None:
    runtime.answers = [model_error(409, ""), wrong_rows((1, "a", "x"), (2, "b", "x"))]
    assert score(runtime, 2) == ["a", "b"]
    assert len(runtime.calls) == 2


def test_records_that_are_still_open_when_time_is_up_are_refused_each(runtime: Runtime) -> None:
    """Each call takes six seconds: the third ends after 18, and no fourth begins."""
    wrong = wrong_rows((1, "day", "is missing"))
    runtime.answers = [model_error(409, "other features"), wrong, wrong]
    endpoint = runtime.endpoint(clock=lambda: 6.0 * len(runtime.calls))
    found = endpoint.predict([[1.0]] * 4, "digest", [RECORD] * 4).predictions
    codes = [one.code for one in found if isinstance(one, ApiError)]
    assert codes == ["invalid_record", "invalid_record", "timeout", "timeout"]
    assert len(runtime.calls) == 3


def test_no_call_begins_late(runtime: Runtime) -> None:
    runtime.answers = [model_error(409, "other features")]
    endpoint = runtime.endpoint(clock=lambda: 14.0 * len(runtime.calls))
    assert (refusal(endpoint).status, len(runtime.calls)) == (504, 1)
    assert predict(endpoint).model == "churn/3", "the next request has its own time"


def test_no_second_attempt_begins_late(runtime: Runtime) -> None:
    runtime.answers = [Answer(503, {"Message": "busy"}, "", "ServiceUnavailable")]
    endpoint = runtime.endpoint(
        clock=lambda: 14.0 * len(runtime.calls),
        retries={"total_max_attempts": 2, "mode": "standard"},
    )
    assert (refusal(endpoint).status, len(runtime.calls)) == (504, 1)


@pytest.mark.parametrize("row", [0, 3, None, "1"])
def test_a_refusal_of_no_row_that_was_sent_is_one_of_all(runtime: Runtime, row: Any) -> None:
    runtime.answers = [model_error(409, ""), wrong_rows((row, "day", "is missing"))]
    with pytest.raises(ApiError) as caught:
        score(runtime, 2)
    assert (caught.value.code, caught.value.fields[0]["field"]) == ("invalid_rows", "day")
    assert len(runtime.calls) == 2


def test_predictions_are_as_many_as_the_records(runtime: Runtime) -> None:
    runtime.answers = [predictions(0.1, 0.2, 0.3)]
    with pytest.raises(ApiError) as caught:
        score(runtime, 2)
    assert (caught.value.status, caught.value.code) == (502, "bad_answer")


NOT_PORTABLE = [
    b'\xef\xbb\xbf{"predictions": [{"score": 0.93, "label": "True."}]}',
    *(
        b'{"predictions": [{"score": %b, "label": "True."}]}' % number
        for number in (b"NaN", b"Infinity", b"-Infinity", b"1e400", b'"nan"', b'"-inf"')
    ),
    {"predictions": [{"score": 0.9, "label": "a", "scores": {"a": 0.9, "b": "nan", "c": 0.1}}]},
]


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
        (Answer(attributes="threshold=nan"), 502, "bad_answer"),
        *[(Answer(body=body), 502, "bad_answer") for body in NOT_PORTABLE],
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
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen; nobody else can meanwhile
        runtime.url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        assert refusal(runtime.endpoint()).code == "unavailable"


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
    assert predict(runtime.endpoint()).document() == document
