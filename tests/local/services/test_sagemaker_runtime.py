from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import start
from tests.local.services.hosting_bench import ECHO, ask, configure, deploy, model, serve, update
from tests.local.services.metrics_bench import measured
from tests.local.services.sagemaker_bench import Bench, client, images

HOUR = r"captured/live/AllTraffic/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-[0-9a-f-]{36}\.jsonl"


@pytest.fixture
def bench(bench: Bench) -> Bench:
    serve(bench, ECHO)
    return bench


def test_what_the_container_refuses_becomes_a_model_error(bench: Bench) -> None:
    serve(bench, "def invoke(self, body): self.answer(int(body), b'no: ' + body)")
    model(bench, "one")
    deploy(bench, "one")
    for status, kind in ((400, "client"), (500, "server")):
        with pytest.raises(ClientError) as error:
            ask(bench, str(status).encode())
        response = error.value.response
        assert response["Error"]["Code"] == "ModelError"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert response["OriginalStatusCode"] == status
        assert response["OriginalMessage"] == f"no: {status}"
        assert ":log-group:/aws/sagemaker/Endpoints/live:" in response["LogStreamArn"]
        assert f"Received {kind} error ({status}) from primary" in response["Error"]["Message"]


def test_invocations_are_measured_by_what_they_came_to(bench: Bench) -> None:
    silent = "setattr(self, 'close_connection', True) if body == b'0'"
    serve(bench, f"def invoke(self, body): {silent} else self.answer(int(body))")
    model(bench, "one")
    configure(bench, "twice", {"AllTraffic": "one"}, count=2)
    deploy(bench, "twice")
    for body in (b"200", b"404", b"500", b"503", b"0"):  # the last is no answer
        with contextlib.suppress(ClientError):
            ask(bench, body)
    cloudwatch = client(bench.running, "cloudwatch")
    metrics = cloudwatch.list_metrics(Namespace="AWS/SageMaker")["Metrics"]
    counts, totals, least = (
        {metric["MetricName"]: measured(cloudwatch, metric, statistic) for metric in metrics}
        for statistic in ("SampleCount", "Sum", "Minimum")
    )
    named = [
        {"Name": "EndpointName", "Value": "live"},
        {"Name": "VariantName", "Value": "AllTraffic"},
    ]
    listed = cloudwatch.list_metrics(Namespace="AWS/SageMaker", Dimensions=named)["Metrics"]
    assert len(listed) == len(counts) == 7
    assert {sum(values) for values in counts.values()} == {5}
    sums = {name: sum(values) for name, values in totals.items()}
    assert sums["Invocations"] == 5
    assert sums["InvocationsPerInstance"] == 2.5
    assert sums["Invocation4XXErrors"] == 1
    assert sums["Invocation5XXErrors"] == 3
    assert sums["InvocationModelErrors"] == 4
    # Microseconds: a connection takes some, and a line of Python. The platform may have to wait for
    # the processor in any request, but not in all.
    assert min(least["ModelLatency"]) > 10
    assert 0.1 < min(least["OverheadLatency"]) < sums["ModelLatency"] < 60e6


@pytest.mark.slow
def test_updates_under_load_fail_no_request(bench: Bench) -> None:
    for name in ("one", "two", "three"):
        model(bench, name)
    deploy(bench, "one")
    seen: set[bytes] = set()
    done = threading.Event()

    def press(client: int) -> bytes:
        """Return the version that answered a request begun after the last update."""
        for number in count():
            last = done.is_set()
            body = f"{client}/{number}".encode()
            answer: bytes = ask(bench, body)["Body"]
            version, _, echoed = answer.partition(b" ")
            assert echoed.strip() == body
            seen.add(version)
            if last:
                break
        return version

    with ThreadPoolExecutor(8) as executor:
        pressing = [executor.submit(press, client) for client in range(8)]
        try:
            for config in ("two", "three"):
                assert update(bench, config)["EndpointConfigName"] == config
        finally:
            done.set()
        assert [future.result() for future in pressing] == [b"three"] * 8
    assert seen == {b"one", b"two", b"three"}


def test_variant_is_chosen_by_weight_or_by_name(bench: Bench) -> None:
    model(bench, "one")
    model(bench, "two")
    configure(bench, "both", {"A": "one", "B": "two"}, 1.0, 3.0)
    deploy(bench, "both")
    found = [ask(bench)["InvokedProductionVariant"] for _ in range(200)]
    assert 20 < found.count("A") < 90
    answer = ask(bench, TargetVariant="A")
    assert answer["Body"].startswith(b"one")
    assert answer["InvokedProductionVariant"] == "A"
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-invoked-production-variant"] == "A"
    with pytest.raises(ClientError, match="Variant C not found"):
        ask(bench, TargetVariant="C")


def test_what_is_not_here_is_refused_by_name(bench: Bench) -> None:
    with pytest.raises(ClientError, match=r"ValidationError.*TargetModel"):
        ask(bench, TargetModel="m.tar.gz")
    with pytest.raises(
        ClientError, match=r"ValidationError.*Endpoint live of account .* not found"
    ):
        ask(bench)


def capturing(bench: Bench, name: str, **members: Any) -> None:
    configure(
        bench,
        name,
        {"AllTraffic": "one"},
        DataCaptureConfig={
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://bench/captured/",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv", "text/plain"],
                "JsonContentTypes": ["application/json"],
            },
            **members,
        },
    )


def captured(bench: Bench) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for key in bench.keys("captured/"):
        assert re.fullmatch(HOUR, key)
        lines += map(json.loads, bench.get(f"s3://bench/{key}").splitlines())
    return lines


def test_requests_and_answers_are_captured_as_sagemaker_writes_them(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    for platform in start(tmp_path / "platform", images=images(programs)):
        bench = Bench(platform, programs)
        serve(bench, ECHO)
        model(bench, "one")
        capturing(bench, "captured")
        capture = deploy(bench, "captured")["DataCaptureConfig"]
        assert (capture["EnableCapture"], capture["CaptureStatus"]) == (True, "Started")
        assert capture["CurrentSamplingPercentage"] == 100
        ask(bench, b"1,2", ContentType="text/csv; charset=utf-8", InferenceId="i-1")
        ask(bench, b"{}", ContentType="application/json", CustomAttributes="a=1")
        ask(bench, b"\xff", ContentType="application/x-npy")
    for platform in start(tmp_path / "platform", images=images(programs)):  # an orderly stop later
        bench = Bench.__new__(Bench)
        bench.s3 = platform.client("s3")
        events = captured(bench)  # maybe of two files, whose names have no order
    types = ("text/csv; charset=utf-8", "application/json", "application/x-npy")
    first, second, third = sorted(
        events,
        key=lambda each: types.index(each["captureData"]["endpointInput"]["observedContentType"]),
    )
    assert first["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv; charset=utf-8",
        "mode": "INPUT",
        "data": "1,2",
        "encoding": "CSV",
    }
    assert first["captureData"]["endpointOutput"] == {
        "observedContentType": "text/plain",
        "mode": "OUTPUT",
        "data": "one  text/csv; charset=utf-8 1,2",
        "encoding": "CSV",
    }
    assert first["eventVersion"] == "0"
    assert first["eventMetadata"]["inferenceId"] == "i-1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}Z", first["eventMetadata"]["inferenceTime"])
    assert second["captureData"]["endpointInput"]["encoding"] == "JSON"
    assert second["eventMetadata"]["customAttributes"] == ["a=1", "got=a=1"]
    assert third["captureData"]["endpointInput"]["encoding"] == "BASE64"
    assert base64.b64decode(third["captureData"]["endpointInput"]["data"]) == b"\xff"
    assert len({event["eventMetadata"]["eventId"] for event in (first, second, third)}) == 3


@pytest.mark.slow
def test_capture_is_sampled_and_switched_by_configurations(bench: Bench) -> None:
    model(bench, "one")
    capturing(
        bench, "half", InitialSamplingPercentage=50, CaptureOptions=[{"CaptureMode": "Input"}]
    )
    capturing(bench, "off", EnableCapture=False)
    deploy(bench, "half")
    for _ in range(100):
        ask(bench, b"half", ContentType="text/csv")
    assert update(bench, "off")["DataCaptureConfig"]["CaptureStatus"] == "Stopped"
    ask(bench, b"off", ContentType="text/csv")
    assert "DataCaptureConfig" not in update(bench, "one")
    bench.until(lambda: len(captured(bench)) >= 25)
    found = captured(bench)
    assert len(found) < 75
    for event in found:
        assert list(event["captureData"]) == ["endpointInput"]
        assert event["captureData"]["endpointInput"]["data"] == "half"
