"""What the platform has measured, as a client of CloudWatch sees it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any


def measured(cloudwatch: Any, metric: Mapping[str, Any], statistic: str) -> list[float]:
    """Return a statistic of the hours that a test may have run in, of which most have nothing."""
    query = {"Metric": dict(metric), "Period": 3600, "Stat": statistic}
    now = time.time()
    (found,) = cloudwatch.get_metric_data(
        StartTime=now - 3600,
        EndTime=now + 3600,
        MetricDataQueries=[{"Id": "asked", "MetricStat": query}],
    )["MetricDataResults"]
    return [float(value) for value in found["Values"]]
