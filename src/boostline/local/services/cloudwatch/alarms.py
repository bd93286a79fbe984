"""What an alarm's state is, by what was measured.

Periods end now: what has been measured since the last full minute counts at once, and a window is
always a whole period. CloudWatch looks at complete periods; it is later, and comes to the same.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from boostline.local.store.metrics import KEPT, Metrics, dimensions
from boostline.local.wire import errors

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
PERCENTILE = re.compile(r"p[0-9]{1,3}(\.[0-9]{1,10})?")
MISSING = ("missing", "notBreaching", "breaching", "ignore")
# Without which an alarm of one metric cannot be; CloudWatch's model does not say so.
NEEDED = ("MetricName", "Namespace", "Period", "Threshold")
NOT_HERE = (
    *("Metrics", "ThresholdMetricId", "Unit", "EvaluationWindow", "EvaluationCriteria"),
    *("EvaluationInterval", "WarmUpConfiguration", "EvaluateLowSampleCountPercentile"),
)


invalid = partial(errors.invalid, service="cloudwatch")


class State(NamedTuple):
    """An alarm's state, and why."""

    value: str
    reason: str


def check(alarm: dict[str, Any]) -> None:
    """Refuse an alarm that CloudWatch would refuse, or that the platform could not judge.

    Source: PutMetricAlarm in the Amazon CloudWatch API Reference.

    Raises
    ------
    AwsError
        `ValidationError`, with what is wrong.
    """
    name = alarm["AlarmName"]
    errors.refuse_members(alarm, NOT_HERE, "cloudwatch")
    if missing := [member for member in NEEDED if member not in alarm]:
        raise invalid(f"Alarm {name} needs {', '.join(missing)}")
    if ("Statistic" in alarm) == ("ExtendedStatistic" in alarm):
        raise invalid(f"Alarm {name} needs either Statistic or ExtendedStatistic")
    statistic(alarm.get("ExtendedStatistic", "p50"))
    period, periods = alarm["Period"], alarm["EvaluationPeriods"]
    if period not in (10, 20, 30) and period % 60:
        raise invalid(f"Period {period} must be 10, 20, 30 or a multiple of 60")
    if period * periods > KEPT:
        raise invalid(f"the local platform keeps {KEPT} s of metrics, not {period * periods}")
    if alarm.get("DatapointsToAlarm", periods) > periods:
        raise invalid("DatapointsToAlarm must be at most EvaluationPeriods")
    if alarm.get("TreatMissingData", MISSING[0]) not in MISSING:
        raise invalid(f"TreatMissingData must be one of {', '.join(MISSING)}")
    if alarm["ComparisonOperator"] not in COMPARISONS:
        raise invalid(f"{alarm['ComparisonOperator']}: the local platform has no anomaly detection")


def statistic(name: str) -> str:
    """Return the name of a percentile; refuse what is none (`tm90`, `iqm`, …)."""
    if not PERCENTILE.fullmatch(name) or float(name[1:]) > 100:
        raise invalid(f"{name}: the local platform has percentiles, p0 to p100, as in p99.9")
    return name


def judge(alarm: dict[str, Any], metrics: Metrics, now: float) -> State:
    """Return the state that an alarm is to have, from its periods, of which the last ends now."""
    wanted = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    named = dimensions(**{each["Name"]: each["Value"] for each in alarm["Dimensions"]})
    values: list[float | None] = []
    for back in range(alarm["EvaluationPeriods"]):
        end = int(now) + 1 - back * alarm["Period"]
        period = end - alarm["Period"], end
        found = metrics.window(alarm["Namespace"], alarm["MetricName"], named, *period)
        values.append(None if found is None else found.statistic(wanted))
    return decide(alarm, values)


def decide(alarm: dict[str, Any], values: list[float | None]) -> State:
    """Return the state by the values of the periods, the last first; None is missing data.

    Source: "Configuring how CloudWatch alarms treat missing data".
    """
    treated = alarm.get("TreatMissingData", MISSING[0])
    real = [value for value in values if value is not None]
    needed = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    breaching = sum(breaches(value, alarm["Threshold"]) for value in real)
    gaps = len(values) - len(real)
    if not real and treated in ("missing", "ignore"):
        kept = State(alarm["StateValue"], alarm["StateReason"])
        periods = f"{len(values)} period{'s' if len(values) > 1 else ''}"
        none = f"Insufficient Data: no datapoints were received for {periods}"
        return kept if treated == "ignore" else State("INSUFFICIENT_DATA", none)
    if treated == "breaching":
        breaching += gaps
    elif treated in ("missing", "ignore"):
        needed = min(needed, len(real))
    said = ", ".join(f"{value:g}" for value in real) or "none"
    what = f"{alarm['ComparisonOperator']} {alarm['Threshold']:g}"
    crossed = breaching >= needed
    counted = f"{breaching} of the last {len(values)} datapoints [{said}]"
    return State(
        "ALARM" if crossed else "OK",
        f"Threshold Crossed: {counted} {'is' if crossed else 'is not enough for'} {what}",
    )
