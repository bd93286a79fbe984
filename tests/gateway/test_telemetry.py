from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from boostline.gateway.telemetry import TRACE, Telemetry

LINE = {"requestId": "request-1", "method": "POST", "path": "/predict"}


def made() -> Telemetry:
    """Return one that writes to where this test's output goes, whatever others have made."""
    return Telemetry(f"churn-{uuid4()}", "prod")


def written(output: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what was written, a line of log and one of metrics a request."""
    return [json.loads(line) for line in output.readouterr().out.splitlines()]


def test_a_request_is_a_line_of_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = made()
    monkeypatch.setenv(TRACE, "Root=1-5e1b4151-5ac6c58f5d4f1c0a5e1b4151;Sampled=0")
    telemetry.answered({**LINE, "model": "churn/3", "milliseconds": 1.5}, 200)
    telemetry.answered({**LINE, "error": "unavailable"}, 503)
    first, _, second, _ = written(capsys)
    assert (first["level"], first["message"]) == ("INFO", "POST /predict 200")
    assert (first["correlation_id"], first["model"]) == ("request-1", "churn/3")
    assert first["xray_trace_id"] == "1-5e1b4151-5ac6c58f5d4f1c0a5e1b4151"
    assert (first["stage"], first["cold_start"], second["cold_start"]) == ("prod", True, False)
    assert (second["level"], second["error"]) == ("ERROR", "unavailable")


def test_an_unexpected_error_leaves_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise LookupError("nothing there")
    except LookupError as error:
        made().answered(LINE, 500, error)
    line, _ = written(capsys)
    assert line["exception_name"] == "LookupError"
    assert "nothing there" in line["exception"]


@pytest.mark.parametrize(
    ("line", "status", "counts"),
    [
        ({}, 200, (1, 0, 0, 0)),
        ({"fallback": True}, 200, (1, 0, 0, 1)),
        ({}, 400, (1, 1, 0, 0)),
        ({}, 502, (1, 0, 1, 0)),
    ],
)
def test_requests_are_counted(
    capsys: pytest.CaptureFixture[str],
    line: dict[str, Any],
    status: int,
    counts: tuple[int, ...],
) -> None:
    """As CloudWatch's embedded metric format has it."""
    made().answered(LINE | line, status)
    _, metrics = written(capsys)
    (directive,) = metrics["_aws"]["CloudWatchMetrics"]
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert directive["Namespace"] == "Boostline"
    assert [set(one) for one in directive["Dimensions"]] == [{"stage", "service"}]
    assert (metrics["stage"], metrics["service"][:6]) == ("prod", "churn-")
    assert names == ["Requests", "ClientErrors", "ServerErrors", "Fallbacks"]
    assert tuple(metrics[name][0] for name in names) == counts


def test_the_endpoint_s_time_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = made()
    for milliseconds in (3.5, 4.5):
        telemetry.answered({**LINE, "endpointMilliseconds": milliseconds}, 200)
    _, first, _, second = written(capsys)
    assert (first["EndpointLatency"], second["EndpointLatency"]) == ([3.5], [4.5])
    units = {m["Name"]: m["Unit"] for m in first["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert (units["EndpointLatency"], units["Requests"]) == ("Milliseconds", "Count")
