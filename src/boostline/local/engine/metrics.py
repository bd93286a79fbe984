"""Metrics that a program prints."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any


class Metrics:
    """The last value of each metric in the lines so far, by a training job's `MetricDefinitions`.

    A `Regex`'s first group is the value.
    """

    def __init__(self, definitions: Sequence[Mapping[str, str]]) -> None:
        self._patterns = [(found["Name"], re.compile(found["Regex"])) for found in definitions]
        self._last: dict[str, dict[str, Any]] = {}

    def read(self, lines: Sequence[str]) -> None:
        """Look for values in lines; SageMaker passes over what is not a number, too."""
        for name, pattern in self._patterns:
            for match in (match for line in lines for match in pattern.finditer(line)):
                try:
                    found = {"MetricName": name, "Value": float(match.group(1))}
                except (IndexError, TypeError, ValueError):
                    continue
                self._last[name] = {**found, "Timestamp": time.time()}

    def final(self) -> list[dict[str, Any]]:
        """Return `FinalMetricDataList`."""
        return list(self._last.values())
