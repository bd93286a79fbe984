from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import uuid4

import pytest

from boostline.features.contract import FeatureContract
from boostline.features.schema import record_schema
from boostline.gateway.app import Gateway
from boostline.gateway.telemetry import Telemetry
from tests.gateway.conftest import Answer, Runtime, model_error, predictions, wrong_rows

RECORD = {"day": 1.5, "eve": 2, "plan": "yes"}


@dataclass
class Context:
    aws_request_id: str = "invocation-1"


class Client:
    """The gateway, and what it has written."""

    def __init__(
        self, contract: FeatureContract, runtime: Runtime, output: pytest.CaptureFixture[str]
    ) -> None:
        self._contract, self._endpoint = contract, runtime.endpoint()
        self._output = output

    @cached_property
    def _gateway(self) -> Gateway:
        # Made by the test itself, it writes to where the test's output goes.
        telemetry = Telemetry(f"churn-{uuid4()}", "staging")
        return Gateway(self._contract, self._endpoint, telemetry)

    def call(
        self, method: str, resource: str, body: object = None, **event: Any
    ) -> tuple[int, dict[str, Any]]:
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        context = {"requestId": "request-1"}
        sent = {"httpMethod": method, "resource": resource, "body": text, "requestContext": context}
        self.answer = self._gateway.handle(sent | event, Context())
        assert self.answer["headers"]["Content-Type"] == "application/json"
        return self.answer["statusCode"], json.loads(self.answer["body"])

    def log(self) -> dict[str, Any]:
        """Return the line of the last request."""
        *_, line, _ = self._output.readouterr().out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture
def client(
    contract: FeatureContract, runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> Client:
    return Client(contract, runtime, capsys)


def test_a_record_gets_a_decision(
    client: Client, runtime: Runtime, contract: FeatureContract
) -> None:
    assert client.call("POST", "/predict", RECORD) == (
        200,
        {
            "prediction": "True.",
            "label": 1,
            "score": 0.93,
            "threshold": 0.41,
            "model": "churn/3",
            "requestId": "request-1",
        },
    )
    ((_, headers, body),) = runtime.calls
    assert body == b"1.5,2.0,1.0,3.5"
    assert headers["x-amzn-sagemaker-custom-attributes"] == f"features={contract.digest}"
    log = client.log()
    assert (log["status"], log["path"], log["model"]) == (200, "/predict", "churn/3")
    assert log["milliseconds"] >= log["endpointMilliseconds"] > 0
    assert (log["fallback"], log["correlation_id"]) == (False, "request-1")


def test_the_order_of_keys_does_not_matter(client: Client, runtime: Runtime) -> None:
    shuffled = dict(reversed(RECORD.items()))
    assert client.call("POST", "/predict", RECORD) == client.call("POST", "/predict", shuffled)
    assert runtime.calls[0][2] == runtime.calls[1][2]


def test_an_explanation_is_asked_for_and_passed_on(
    client: Client, runtime: Runtime, contract: FeatureContract
) -> None:
    why = {"base": -1.5, "contributions": [{"column": "day", "value": 1.5, "contribution": 2.0}]}
    answer = {"predictions": [{"score": 0.93, "label": "True.", "explanation": why}]}
    runtime.answers = [model_error(409, "other features"), Answer(body=answer)]
    asked = {"queryStringParameters": {"explain": "1"}}
    status, body = client.call("POST", "/predict", RECORD, **asked)
    assert (status, body["explanation"]) == (200, why)
    attributes = [call[1]["x-amzn-sagemaker-custom-attributes"] for call in runtime.calls]
    assert attributes == [f"features={contract.digest};explain=1", "explain=1"]


@pytest.mark.parametrize("value", ["", "0", "101", "-1", "1.5", "three", "1" * 5000, "٣"])
def test_an_explanation_of_no_number_is_refused(
    client: Client, runtime: Runtime, value: str
) -> None:
    asked = {"queryStringParameters": {"explain": value}}
    status, body = client.call("POST", "/predict", RECORD, **asked)
    assert (status, body["error"]["code"]) == (400, "bad_parameter")
    assert body["error"]["fields"][0]["field"] == "explain"
    assert not runtime.calls


def test_all_problems_are_told_at_once(client: Client, runtime: Runtime) -> None:
    record = {"day": "many", "plan": "maybe", "extra": 1, "phone": "ignored"}
    status, body = client.call("POST", "/predict", record)
    assert (status, body["error"]["code"]) == (400, "invalid_record")
    assert body["requestId"] == "request-1"
    fields = {each["field"]: each["message"] for each in body["error"]["fields"]}
    assert fields.keys() == {"day", "eve", "plan", "extra"}
    assert "required" in fields["eve"]
    assert "'yes'" in fields["plan"]
    assert not runtime.calls
    assert client.log()["error"] == "invalid_record"


def test_another_model_s_transform_is_never_used(client: Client, runtime: Runtime) -> None:
    runtime.answers = [model_error(409, "other features"), Answer()]
    assert client.call("POST", "/predict", RECORD)[0] == 200
    assert json.loads(runtime.calls[1][2]) == [RECORD]
    assert client.log()["fallback"] is True


def test_a_record_that_only_the_other_model_refuses(client: Client, runtime: Runtime) -> None:
    runtime.answers = [model_error(409, "other features"), wrong_rows((1, "plan", "is unknown"))]
    status, body = client.call("POST", "/predict", RECORD)
    assert (status, body["error"]["code"]) == (400, "invalid_record")
    assert body["error"]["fields"] == [{"field": "plan", "message": "is unknown"}]


BAD = {"day": 1, "eve": 2, "plan": "maybe"}


def test_a_batch_gets_a_decision_each(client: Client, runtime: Runtime) -> None:
    """What is wrong with a record stands in its place, and one call scores the others."""
    runtime.answers = [predictions(0.93, 0.2)]
    twice = '{"day": 1, "day": 2, "eve": 2, "plan": "no"}'
    text = f"[{json.dumps(RECORD)}, {json.dumps(BAD)}, {twice}, 7, {json.dumps(RECORD)}]"
    status, body = client.call("POST", "/predict/batch", text)
    good, *bad, last = body["predictions"]
    decision = {"threshold": 0.41, "model": "churn/3"}
    assert (status, body["requestId"]) == (200, "request-1")
    assert good == {"prediction": "True.", "label": 1, "score": 0.93, **decision}
    assert last == {"prediction": "False.", "label": 0, "score": 0.2, **decision}
    assert [one["error"]["code"] for one in bad] == [
        "invalid_record",
        "duplicate_key",
        "not_an_object",
    ]
    assert [field["field"] for one in bad for field in one["error"]["fields"]] == ["plan", "day"]
    ((_, _, sent),) = runtime.calls
    assert sent == b"1.5,2.0,1.0,3.5\n1.5,2.0,1.0,3.5"
    log = client.log()
    assert (log["records"], log["refused"], log["model"]) == (5, 3, "churn/3")


def test_text_that_is_no_unicode_is_answered(client: Client) -> None:
    """Lambda could not encode it; the answer has it escaped, as it came."""
    status, body = client.call("POST", "/predict", '{"\\ud800": 1, "day": {"a": 1}}')
    fields = {field["field"]: field["message"] for field in body["error"]["fields"]}
    assert (status, fields["day"]) == (400, "must be a number, not an object")
    assert "\ud800" in fields
    assert client.answer["body"].isascii()


def test_a_batch_of_bad_records_asks_nobody(client: Client, runtime: Runtime) -> None:
    status, body = client.call("POST", "/predict/batch", [BAD, BAD])
    assert status == 200
    assert [one.keys() for one in body["predictions"]] == [{"error"}, {"error"}]
    assert not runtime.calls


def test_a_batch_without_predictions_is_a_refusal(client: Client, runtime: Runtime) -> None:
    assert client.call("POST", "/predict/batch", [])[0] == 400
    asked = {"queryStringParameters": {"explain": "1"}}
    assert client.call("POST", "/predict/batch", [RECORD], **asked)[0] == 400
    runtime.answers = [Answer(503, {}, "", "ServiceUnavailable")]
    assert client.call("POST", "/predict/batch", [RECORD])[0] == 503


def test_an_answer_keeps_to_lambda_s_limit(client: Client, runtime: Runtime) -> None:
    long = {"plan": "x", "\x01" * 2_000: 1}  # escaped twice, so seven times as long
    status, body = client.call("POST", "/predict/batch", [long] * 500)
    assert (status, body["error"]["code"]) == (413, "answer_too_large")
    status, _ = client.call("POST", "/predict/batch", [long] * 100)
    assert status == 200
    assert len(json.dumps(client.answer)) > 1_000_000


def test_a_refusal_keeps_its_headers(client: Client, runtime: Runtime) -> None:
    runtime.answers = [Answer(429, {}, "", "ModelNotReadyException")]
    assert client.call("POST", "/predict", RECORD)[0] == 503
    assert client.answer["headers"]["Retry-After"] == "5"


def test_what_it_holds_is_shown(client: Client, contract: FeatureContract) -> None:
    assert client.call("GET", "/schema") == (200, record_schema(contract))
    assert client.call("GET", "/health") == (200, {"status": "ok", "features": contract.digest})


def test_other_routes_are_refused(client: Client) -> None:
    assert client.call("GET", "/none")[0] == 404
    assert client.call("GET", "/predict")[0] == 405
    assert client.answer["headers"]["Allow"] == "POST"


def test_an_invocation_without_api_gateway_has_an_id_too(client: Client) -> None:
    _, body = client.call("POST", "/predict", "", requestContext=None)
    assert body["requestId"] == "invocation-1"


def test_a_bug_is_an_answer_and_a_traceback_in_the_log(client: Client) -> None:
    status, body = client.call("POST", "/predict", RECORD, headers=["not", "a", "mapping"])
    assert (status, body["error"]["code"]) == (500, "internal_error")
    assert "Traceback" not in client.answer["body"]
    log = client.log()
    assert (log["level"], log["error"]) == ("ERROR", "internal_error")
    assert "Traceback" in log["exception"]
