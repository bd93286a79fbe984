"""Metrics, and alarms on them."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boostline.local.services.cloudwatch import service
from boostline.local.services.cloudwatch.alarms import State, decide, judge
from tests.conftest import RunningPlatform
from tests.local.services.sagemaker_bench import client

STAGE = [{"Name": "Stage", "Value": "test"}]
ALARM: dict[str, Any] = {
    "AlarmName": "high",
    "Namespace": "mine",
    "MetricName": "load",
    "Dimensions": STAGE,
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 10.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.fixture(scope="module")
def cloudwatch(shared_platform: RunningPlatform) -> Any:
    return client(shared_platform, "cloudwatch")


def put(cloudwatch: Any, namespace: str, *values: float, **members: Any) -> None:
    datum = {"MetricName": "load", "Dimensions": STAGE, "Values": list(values), **members}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])


def state(cloudwatch: Any, name: str) -> str:
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(alarm["StateValue"])


def test_alarm_follows_what_is_measured(cloudwatch: Any) -> None:
    alarm = {**ALARM, "AlarmName": "follows", "Namespace": "follows"}
    cloudwatch.put_metric_alarm(**alarm, AlarmDescription="too much", AlarmActions=["arn:aws:sns"])
    assert state(cloudwatch, "follows") == "INSUFFICIENT_DATA"
    put(cloudwatch, "follows", 10.0)
    assert state(cloudwatch, "follows") == "OK"
    put(cloudwatch, "follows", 10.5)
    (found,) = cloudwatch.describe_alarms(StateValue="ALARM", AlarmNamePrefix="foll")[
        "MetricAlarms"
    ]
    assert found["AlarmArn"] == "arn:aws:cloudwatch:us-east-1:000000000000:alarm:follows"
    assert "1 of the last 1 datapoints [10.5] is GreaterThanThreshold 10" in found["StateReason"]
    assert (found["AlarmDescription"], found["Threshold"]) == ("too much", 10.0)
    cloudwatch.put_metric_alarm(**alarm | {"Threshold": 11.0})
    assert state(cloudwatch, "follows") == "OK"
    cloudwatch.delete_alarms(AlarmNames=["follows"])
    assert cloudwatch.describe_alarms(AlarmNames=["follows"])["MetricAlarms"] == []
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cloudwatch.delete_alarms(AlarmNames=["follows"])


def test_alarm_looks_at_its_own_period_and_dimensions(cloudwatch: Any) -> None:
    cloudwatch.put_metric_alarm(**ALARM | {"AlarmName": "own", "Namespace": "own"})
    put(cloudwatch, "own", 99.0, Dimensions=[])
    put(cloudwatch, "own", 99.0, Timestamp=time.time() - 70)
    assert state(cloudwatch, "own") == "INSUFFICIENT_DATA"
    put(cloudwatch, "own", 99.0, Timestamp=time.time() - 30)
    assert state(cloudwatch, "own") == "ALARM"


def test_state_that_is_set_stays_for_a_period(cloudwatch: Any) -> None:
    cloudwatch.put_metric_alarm(**ALARM | {"AlarmName": "set", "TreatMissingData": "notBreaching"})
    assert state(cloudwatch, "set") == "OK"
    cloudwatch.set_alarm_state(AlarmName="set", StateValue="ALARM", StateReason="a drill")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["set"])["MetricAlarms"]
    assert (alarm["StateValue"], alarm["StateReason"]) == ("ALARM", "a drill")


def test_state_that_is_set_outlives_a_look_that_began_before(
    cloudwatch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, over = threading.Event(), threading.Event(), threading.Event()

    def judge_late(alarm: dict[str, Any], *rest: Any) -> State:
        state = judge(alarm, *rest)
        if threading.current_thread().name != "alarms":
            return state
        if alarm["AlarmName"] == "looked at":
            begun.set()
            go.wait(60)
        elif alarm["AlarmName"] == "next" and go.is_set():
            over.set()
        return state

    monkeypatch.setattr(service, "judge", judge_late)
    for name in ("looked at", "next"):
        alarm = {"AlarmName": name, "TreatMissingData": "notBreaching"}
        cloudwatch.put_metric_alarm(**ALARM | alarm)
    assert begun.wait(60)
    cloudwatch.set_alarm_state(AlarmName="looked at", StateValue="ALARM", StateReason="a drill")
    go.set()
    assert over.wait(60)
    assert state(cloudwatch, "looked at") == "ALARM"


# Periods, the last first (`-`: missing); how many must breach; the state by treatment of the
# missing. The rows are those of "Configuring how CloudWatch alarms treat missing data".
TREATMENTS = [
    ("- - -", 3, {"missing": "INSUFFICIENT_DATA", "ignore": "before", "breaching": "ALARM"}),
    ("- - -", 3, {"notBreaching": "OK"}),
    ("X - -", 3, {"missing": "ALARM", "breaching": "ALARM", "notBreaching": "OK"}),
    ("0 - -", 3, {"missing": "OK", "ignore": "OK", "breaching": "OK", "notBreaching": "OK"}),
    ("X X X", 3, {"missing": "ALARM", "notBreaching": "ALARM"}),
    ("0 X X", 2, {"missing": "ALARM", "notBreaching": "ALARM"}),
    ("0 X -", 2, {"missing": "OK", "breaching": "ALARM", "notBreaching": "OK"}),
]


@pytest.mark.parametrize(("row", "needed", "expected"), TREATMENTS)
def test_missing_data_is_treated_as_the_alarm_says(
    row: str, needed: int, expected: dict[str, str]
) -> None:
    values = [{"-": None, "X": 11.0, "0": 1.0}[each] for each in row.split()]
    alarm = {**ALARM, "EvaluationPeriods": 3, "DatapointsToAlarm": needed}
    alarm |= {"StateValue": "before", "StateReason": ""}
    found = {
        treated: decide({**alarm, "TreatMissingData": treated}, values).value
        for treated in expected
    }
    assert found == expected


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"Period": 15}, "Period 15"),
    ({"Period": 3600, "EvaluationPeriods": 4}, "10800 s of metrics, not 14400"),
    ({"Statistic": None}, "either Statistic or ExtendedStatistic"),
    ({"ExtendedStatistic": "p99"}, "either Statistic or ExtendedStatistic"),
    ({"Statistic": None, "ExtendedStatistic": "tm90"}, "tm90"),
    ({"Statistic": None, "ExtendedStatistic": "p²"}, "p²: the local platform has percentiles"),
    ({"DatapointsToAlarm": 2}, "at most EvaluationPeriods"),
    ({"TreatMissingData": "fine"}, "notBreaching"),
    ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "anomaly"),
    ({"Threshold": None}, "needs Threshold"),
    ({"Unit": "Count"}, "Unit: the local platform does not have this"),
]


@pytest.mark.parametrize(("members", "problem"), REFUSED)
def test_alarm_that_cannot_be_judged_is_refused(
    cloudwatch: Any, members: dict[str, Any], problem: str
) -> None:
    request = {name: value for name, value in (ALARM | members).items() if value is not None}
    with pytest.raises(ClientError, match="ValidationError") as error:
        cloudwatch.put_metric_alarm(**request)
    assert problem in str(error.value)


def test_statistics_of_periods(cloudwatch: Any) -> None:
    end = time.time() // 60 * 60
    put(cloudwatch, "periods", 1.0, 2.0, 9.0, Counts=[1, 1, 2], Timestamp=end - 30)
    put(cloudwatch, "periods", 4.0, Timestamp=end - 90)
    metric = {"Namespace": "periods", "MetricName": "load", "Dimensions": STAGE}
    queries = [
        {"Id": stat.lower(), "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
        for stat in ("SampleCount", "Sum", "Average", "Minimum", "Maximum", "p50")
    ]
    results = cloudwatch.get_metric_data(
        StartTime=end - 180, EndTime=end, MetricDataQueries=queries
    )["MetricDataResults"]
    assert [result["Id"] for result in results] == [query["Id"] for query in queries]
    assert [result["Values"] for result in results[:5]] == [
        *([4.0, 1.0], [21.0, 4.0], [5.25, 4.0], [1.0, 4.0], [9.0, 4.0]),
    ]
    assert results[5]["Values"] == pytest.approx([2, 4], rel=0.01)
    assert [at.timestamp() for at in results[0]["Timestamps"]] == [end - 60, end - 120]


def test_metrics_are_listed(cloudwatch: Any) -> None:
    put(cloudwatch, "listed", 1.0)
    (found,) = cloudwatch.list_metrics(Namespace="listed", Dimensions=[{"Name": "Stage"}])[
        "Metrics"
    ]
    assert found == {"Namespace": "listed", "MetricName": "load", "Dimensions": STAGE}
    other = [{"Name": "Stage", "Value": "other"}]
    assert cloudwatch.list_metrics(Namespace="listed", Dimensions=other)["Metrics"] == []
