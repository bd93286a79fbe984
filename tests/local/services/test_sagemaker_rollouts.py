"""Updates of endpoints that move the traffic step by step, and back."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boostline.local.hosting import endpoints
from boostline.local.hosting.endpoints import Endpoint
from tests.conftest import RunningPlatform, start
from tests.local.services.hosting_bench import (
    ask,
    await_answer,
    await_deleted,
    configure,
    deploy,
    model,
    serve,
    settled,
    traffic,
)
from tests.local.services.sagemaker_bench import Bench, client, images

pytestmark = pytest.mark.slow

# Answers with its model's name, or with 500 if that is `bad`.
SERVER = """
name = (base / "model/name").read_text()
def invoke(self, body):
    self.answer(500 if name == "bad" else 200, name.encode())
"""
DIMENSIONS = [
    {"Name": "EndpointName", "Value": "live"},
    {"Name": "VariantName", "Value": "AllTraffic"},
]
ALARM = {
    "AlarmName": "errors",
    "Namespace": "AWS/SageMaker",
    "MetricName": "Invocation5XXErrors",
    "Dimensions": DIMENSIONS,
    "Statistic": "Average",
    "Period": 10,
    "EvaluationPeriods": 1,
    "Threshold": 0.01,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}


@pytest.fixture
def bench(platform: RunningPlatform, tmp_path: Path) -> Bench:
    return prepared(platform, tmp_path / "programs")


def prepared(platform: RunningPlatform, programs: Path) -> Bench:
    """Return a bench with an endpoint of two instances, and configurations to update it to."""
    bench = Bench(platform, programs)
    serve(bench, SERVER)
    for name in ("one", "two", "bad"):
        model(bench, name)
        configure(bench, f"{name}-twice", {"AllTraffic": name}, count=2)
    client(platform, "cloudwatch").put_metric_alarm(**ALARM)
    deploy(bench, "one-twice")
    return bench


def how(kind: str, wait: int = 1, **routing: Any) -> dict[str, Any]:
    traffic = {"Type": kind, "WaitIntervalInSeconds": wait, **routing}
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": traffic},
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }


def half(wait: int = 1) -> dict[str, Any]:
    return how("CANARY", wait, CanarySize={"Type": "CAPACITY_PERCENT", "Value": 50})


def update(bench: Bench, config: str, deployment: dict[str, Any]) -> None:
    bench.sagemaker.update_endpoint(
        EndpointName="live", EndpointConfigName=config, DeploymentConfig=deployment
    )


def trip(bench: Bench) -> None:
    """Set off the alarm."""
    client(bench.running, "cloudwatch").set_alarm_state(
        AlarmName="errors", StateValue="ALARM", StateReason="by hand"
    )


def test_a_canary_takes_its_share_and_then_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with traffic(bench) as counts:
        update(bench, "two-twice", half(wait=600))
        bench.until(lambda: counts["two"] > 0)
        before = counts["one"]
        bench.until(lambda: counts["one"] > before)
        pending = bench.sagemaker.describe_endpoint(EndpointName="live")
        assert pending["EndpointStatus"] == "Updating"
        assert pending["EndpointConfigName"] == "one-twice"
        assert pending["PendingDeploymentSummary"]["EndpointConfigName"] == "two-twice"
        # It is seen, however long that took: now what is left of the waiting passes quickly.
        quick = SimpleNamespace(time=time.time, monotonic=lambda: 1_000 * time.monotonic())
        monkeypatch.setattr("boostline.local.hosting.endpoints.time", quick)
        endpoint = settled(bench)
        last = counts["two"]
        bench.until(lambda: counts["two"] > last)
        done = counts["one"]
        bench.until(lambda: counts["two"] > last + 20)
    assert endpoint["EndpointConfigName"] == "two-twice"
    assert "PendingDeploymentSummary" not in endpoint
    assert counts.keys() == {"one", "two"}
    assert counts["one"] == done, "the old servers answered after the update"


def test_an_update_whose_end_could_not_be_noted_comes_to_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the disk is full for a moment."""
    note, full = Endpoint._note, [True]

    def once(self: Endpoint, *arguments: Any) -> None:
        if full:
            full.clear()
            raise sqlite3.OperationalError("database or disk is full")
        note(self, *arguments)

    monkeypatch.setattr(Endpoint, "_note", once)
    monkeypatch.setattr(endpoints, "AGAIN", 0.1)
    bench.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="two-twice")
    assert settled(bench)["EndpointConfigName"] == "two-twice"
    assert not full
    assert ask(bench)["Body"] == b"two"


def test_a_canary_that_fails_is_rolled_back_by_its_alarm(bench: Bench) -> None:
    with traffic(bench) as counts:
        update(bench, "bad-twice", half(wait=60))
        endpoint = settled(bench)
        last = counts["one"]
        bench.until(lambda: counts["one"] > last)  # so what was under way then is counted
        failed = counts["500"]
        bench.until(lambda: counts["one"] > last + 20)
    assert endpoint["EndpointStatus"] == "InService"
    assert endpoint["EndpointConfigName"] == "one-twice"
    assert "errors" in endpoint["FailureReason"]
    assert 0 < counts["500"] == failed
    assert counts["500"] < counts["one"]
    assert counts.keys() == {"one", "500"}, "a request was lost"


def test_alarms_are_watched_after_all_traffic_has_moved(bench: Bench) -> None:
    update(bench, "two-twice", how("ALL_AT_ONCE", 600))
    await_answer(bench, b"two")
    trip(bench)
    endpoint = settled(bench)
    assert endpoint["EndpointConfigName"] == "one-twice"
    assert "errors (by hand)" in endpoint["FailureReason"]
    assert ask(bench)["Body"] == b"one"
    unwatched = how("ALL_AT_ONCE", 600)
    del unwatched["AutoRollbackConfiguration"]
    update(bench, "two-twice", unwatched)
    again = bench.sagemaker.describe_endpoint(EndpointName="live")
    assert (again["EndpointStatus"], again.get("FailureReason")) == ("Updating", None)


def test_a_restart_begins_the_update_anew_and_never_what_was_rolled_back(tmp_path: Path) -> None:
    folder, programs = tmp_path / "platform", tmp_path / "programs"
    table = {"images": images(programs)}
    for running in start(folder, **table):
        bench = prepared(running, programs)
        update(bench, "two-twice", half(wait=600))
        await_answer(bench, b"two")
    for running in start(folder, **table):
        bench = Bench(running, programs)
        await_answer(bench, b"two")
        assert (
            bench.sagemaker.describe_endpoint(EndpointName="live")["EndpointStatus"] == "Updating"
        )
        trip(bench)
        assert settled(bench)["EndpointConfigName"] == "one-twice"
    for running in start(folder, **table):
        again = settled(Bench(running, programs))
        assert (again["EndpointConfigName"], again["EndpointStatus"]) == ("one-twice", "InService")
        assert "by hand" in again["FailureReason"]


def test_an_endpoint_can_be_deleted_while_its_traffic_moves(bench: Bench) -> None:
    update(bench, "two-twice", half(wait=600))
    await_answer(bench, b"two")
    bench.sagemaker.delete_endpoint(EndpointName="live")
    await_deleted(bench)
    assert not list((bench.running.settings.folder / "endpoints").iterdir())


STEP = {"Type": "INSTANCE_COUNT", "Value": 1}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("two", how("CANARY", CanarySize=STEP), "at least one of them; there are 1"),
    ("two-twice", how("CANARY", CanarySize=STEP | {"Value": 2}), "1 to 50 percent"),
    (
        "two-twice",
        how("CANARY", CanarySize={"Type": "CAPACITY_PERCENT", "Value": 51}),
        "1 to 50 percent",
    ),
    ("two-twice", how("CANARY"), "type CANARY needs CanarySize"),
    ("two-twice", how("ALL_AT_ONCE", CanarySize=STEP), "type ALL_AT_ONCE has no CanarySize"),
    (
        "two-twice",
        how("LINEAR", LinearStepSize=STEP),
        "LinearStepSize: the local platform",
    ),
    (
        "two-twice",
        how("ALL_AT_ONCE")
        | {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}, {"AlarmName": "no"}]}},
        "there is no alarm no",
    ),
    (
        "two-twice",
        {
            "RollingUpdatePolicy": {
                "MaximumBatchSize": STEP,
                "WaitIntervalInSeconds": 0,
            }
        },
        "RollingUpdatePolicy",
    ),
]


def test_what_sagemaker_refuses_is_refused(bench: Bench) -> None:
    long = half(wait=400)
    long["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    for config, deployment, problem in [*REFUSED, ("two-twice", long, "800 s")]:
        with pytest.raises(ClientError, match="ValidationException") as error:
            update(bench, config, deployment)
        assert problem in str(error.value)


def test_the_stored_deployment_is_taken_if_it_is_to_be_retained(bench: Bench) -> None:
    update(bench, "two-twice", how("CANARY", 0, CanarySize=STEP))
    assert settled(bench)["EndpointConfigName"] == "two-twice"
    request = {"EndpointName": "live", "EndpointConfigName": "one"}
    with pytest.raises(ClientError, match="CanarySize 1"):
        bench.sagemaker.update_endpoint(**request, RetainDeploymentConfig=True)
    bench.sagemaker.update_endpoint(**request)
    assert settled(bench)["EndpointConfigName"] == "one"
