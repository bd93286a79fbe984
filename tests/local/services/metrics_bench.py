"""What the platform has measured, as a client of CloudWatch sees it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any


def measured(cloudwatch: Any, metric: Mapping[str, Any], statistic: str) -> list[float]:
    """Return a statistic of all that there is, in one period: no hour ends while a test runs."""
    query = {"Metric": dict(metric), "Period": 2_000_000_000, "Stat": statistic}
    now = time.time()
    (found,) = cloudwatch.get_metric_data(
        StartTime=now - 3600,
        EndTime=now + 3600,
        MetricDataQueries=[{"Id": "asked", "MetricStat": query}],
    )["MetricDataResults"]
    return [float(value) for value in found["Values"]]
