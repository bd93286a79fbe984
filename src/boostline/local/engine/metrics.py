"""Metrics that a program prints."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any


class Metrics:
    """The last value of each metric in the lines so far.

    Parameters
    ----------
    definitions
        `MetricDefinitions` of a training job: `Name` and `Regex`, whose first group is the value.
    """

    def __init__(self, definitions: Sequence[Mapping[str, str]]) -> None:
        self._patterns = [(found["Name"], re.compile(found["Regex"])) for found in definitions]
        self._last: dict[str, tuple[float, float]] = {}

    def read(self, lines: Sequence[str]) -> None:
        """Look for values in lines."""
        for name, pattern in self._patterns:
            for line in lines:
                for match in pattern.finditer(line):
                    self._note(name, match)

    def final(self) -> list[dict[str, Any]]:
        """Return `FinalMetricDataList`."""
        return [
            {"MetricName": name, "Value": value, "Timestamp": stamp}
            for name, (value, stamp) in self._last.items()
        ]

    def _note(self, name: str, match: re.Match[str]) -> None:
        try:
            self._last[name] = (float(match.group(1)), time.time())
        except (IndexError, TypeError, ValueError):
            return  # SageMaker passes over what is not a number, too
