"""Metrics that can be asked for, and alarms on them."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any

from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.cloudwatch.alarms import State, check, invalid, judge, statistic
from boostline.local.store.metrics import Summary, dimensions
from boostline.local.store.resources import Document, Exists, Missing
from boostline.local.wire.errors import AwsError

LOG = logging.getLogger(__name__)
ALARM = "alarm"
SIMPLE = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
TICK = 1.0  # seconds between two looks at all alarms
# What is shown of an alarm that was not given.
DEFAULTS = {
    "ActionsEnabled": True,
    "OKActions": [],
    "AlarmActions": [],
    "InsufficientDataActions": [],
    "Dimensions": [],
}


class CloudWatch(Service):
    """Amazon CloudWatch. What alarms would do to the outside is recorded, and not done."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="alarms", daemon=True)

    def start(self) -> None:
        """Look at the alarms from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def put_metric_alarm(self, request: Document) -> None:
        """Make an alarm, or another of one: its state goes on until it is judged."""
        check(request)
        name, now = request["AlarmName"], time.time()
        given = {member: value for member, value in request.items() if member != "Tags"}
        document = {
            **DEFAULTS,
            "AlarmArn": self.platform.arn("cloudwatch", f"alarm:{name}"),
            "StateValue": "INSUFFICIENT_DATA",
            "StateReason": "Unchecked: Initial alarm creation",
            "StateUpdatedTimestamp": now,
            "StateTransitionedTimestamp": now,
            **given,
            "AlarmConfigurationUpdatedTimestamp": now,
        }

        def change(alarm: Document) -> None:
            kept = {member: alarm[member] for member in alarm if member.startswith("State")}
            alarm.clear()
            alarm |= {**document, **kept}

        with self.platform.database.transaction():
            try:
                self.platform.resources.create(ALARM, name, document)
            except Exists:
                self.platform.resources.change(ALARM, name, change)

    def delete_alarms(self, request: Document) -> None:
        """Remove alarms, all or none."""
        with self.platform.database.transaction():
            for name in request["AlarmNames"]:
                try:
                    self.platform.resources.delete(ALARM, name)
                except Missing:
                    raise _unknown(name) from None

    def describe_alarms(self, request: Document) -> Document:
        """Return alarms with the state that they have at this moment."""
        self._judge()
        names, prefix = request.get("AlarmNames"), request.get("AlarmNamePrefix", "")
        state = request.get("StateValue")
        found = [
            alarm
            for alarm in self.platform.resources.list(ALARM)
            if (names is None or alarm["AlarmName"] in names)
            and alarm["AlarmName"].startswith(prefix)
            and state in (None, alarm["StateValue"])
            and "MetricAlarm" in request.get("AlarmTypes", ["MetricAlarm"])
        ]
        return {"MetricAlarms": found, "CompositeAlarms": []}

    def set_alarm_state(self, request: Document) -> None:
        """Give an alarm a state, which it keeps for one period."""

        def change(alarm: Document) -> None:
            _become(alarm, State(request["StateValue"], request["StateReason"]))
            alarm["HeldUntil"] = time.time() + alarm["Period"]

        try:
            self.platform.resources.change(ALARM, request["AlarmName"], change)
        except Missing:
            raise _unknown(request["AlarmName"]) from None

    def put_metric_data(self, request: Document) -> None:
        """Add measurements of one's own."""
        for datum in request.get("MetricData", []):
            if "StatisticValues" in datum or "EntityMetricData" in request:
                raise invalid("StatisticValues, EntityMetricData: the local platform has Values")
            values = datum.get("Values", [datum["Value"]] if "Value" in datum else [])
            counts = datum.get("Counts", [1] * len(values))
            if not values or len(values) != len(counts):
                raise invalid(f"{datum['MetricName']} needs a Value, or Values with as many Counts")
            named = _dimensions(datum)
            pairs = zip(values, counts, strict=True)
            data = tuple((datum["MetricName"], value, int(count)) for value, count in pairs)
            moment = datum.get("Timestamp")
            self.platform.metrics.record(request["Namespace"], (named,), data, moment)

    def list_metrics(self, request: Document) -> Document:
        """Return which metrics there are."""
        wanted = {(each["Name"], each.get("Value")) for each in request.get("Dimensions", [])}
        found = [
            {"Namespace": namespace, "MetricName": name, "Dimensions": _shown(named)}
            for namespace, name, named in self.platform.metrics.series()
            if request.get("Namespace") in (None, namespace)
            and request.get("MetricName") in (None, name)
            and all((n, v) in named or (v is None and n in dict(named)) for n, v in wanted)
        ]
        return {"Metrics": found}

    def get_metric_data(self, request: Document) -> Document:
        """Return values of several metrics, the newest first unless asked otherwise."""
        step = 1 if request.get("ScanBy") == "TimestampAscending" else -1
        queries = [each for each in request["MetricDataQueries"] if each.get("ReturnData", True)]
        return {"MetricDataResults": [self._values(each, request, step) for each in queries]}

    def _values(self, query: Document, times: Document, step: int) -> Document:
        if "MetricStat" not in query:
            raise invalid(f"{query['Id']}: the local platform has MetricStat, no expressions")
        asked = query["MetricStat"]
        wanted = asked["Stat"] if asked["Stat"] in SIMPLE else statistic(asked["Stat"])
        found = self._periods(times, {**asked["Metric"], "Period": asked["Period"]})[::step]
        return {
            "Id": query["Id"],
            "Label": query.get("Label", asked["Metric"]["MetricName"]),
            "Timestamps": [start for start, _ in found],
            "Values": [summary.statistic(wanted) for _, summary in found],
            "StatusCode": "Complete",
        }

    def _periods(self, times: Document, metric: Document) -> list[tuple[float, Summary]]:
        period = metric["Period"]
        start, end = times["StartTime"] // period * period, times["EndTime"]
        if start >= end:
            raise invalid("StartTime must be before EndTime")
        if (end - start) / period > 1440:
            raise invalid("That is more than 1,440 datapoints: take a longer Period")
        key = metric["Namespace"], metric["MetricName"], _dimensions(metric)
        windows = (
            (at, self.platform.metrics.window(*key, at, at + period))
            for at in (start + period * number for number in range(1441))
            if at < end
        )
        return [(at, summary) for at, summary in windows if summary is not None]

    def _watch(self) -> None:
        while not self._closed.wait(TICK):
            try:
                self._judge()
            except Exception:  # or no alarm would be judged again
                LOG.exception("alarms")

    def _judge(self) -> None:
        """Give all alarms the state that they have now."""
        for alarm in self.platform.resources.list(ALARM):
            judged = dict(alarm)
            self._settle(judged)
            if judged != alarm:
                with contextlib.suppress(Missing):  # removed meanwhile
                    # Judged again: it may have been changed or set meanwhile.
                    self.platform.resources.change(ALARM, alarm["AlarmName"], self._settle)

    def _settle(self, alarm: Document) -> None:
        now = time.time()
        if alarm.get("HeldUntil", 0) > now:
            return
        state = judge(alarm, self.platform.metrics, now)
        if state.value != alarm["StateValue"]:
            _become(alarm, state)


def _become(alarm: Document, state: State) -> None:
    before, now = alarm["StateValue"], time.time()
    alarm |= {"StateValue": state.value, "StateReason": state.reason, "StateUpdatedTimestamp": now}
    if before != state.value:
        alarm["StateTransitionedTimestamp"] = now


def _unknown(name: str) -> AwsError:
    return AwsError("ResourceNotFound", f"There is no alarm {name}", 404)


def _dimensions(metric: Document) -> Any:
    return dimensions(**{each["Name"]: each["Value"] for each in metric.get("Dimensions", [])})


def _shown(named: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in named]
