"""What the platform's data planes measure: by the second for a quarter of an hour, then by minute.

In memory: a restart begins anew. Percentiles are of values within 1 %.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import TypeAlias

Dimensions: TypeAlias = tuple[tuple[str, str], ...]  # names and values, in order of the names
Values: TypeAlias = tuple[tuple[str, float, int], ...]  # names, values, how often

FINE = 15 * 60  # seconds that are kept one by one
KEPT = 3 * 60 * 60  # seconds that are kept at all
WAITING = 10_000  # measurements that wait to be sorted in before somebody asks
STEP = math.log(1.02)


def dimensions(**pairs: str) -> Dimensions:
    """Return dimensions as they are kept."""
    return tuple(sorted(pairs.items()))


@dataclass
class Summary:
    """What was measured in some time."""

    count: int = 0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    values: Counter[float] = field(default_factory=Counter)

    def add(self, value: float, count: int = 1) -> None:
        """Add a value that was measured `count` times."""
        self.count += count
        self.total += value * count
        self.least, self.most = min(self.least, value), max(self.most, value)
        size = abs(value)
        if size > 1:
            value = math.copysign(math.exp(round(math.log(size) / STEP) * STEP), value)
        self.values[value] += count

    def merge(self, other: Summary) -> None:
        """Add what was measured in another time."""
        self.count += other.count
        self.total += other.total
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)
        self.values.update(other.values)

    def statistic(self, name: str) -> float:
        """Return one of CloudWatch's statistics, or a percentile (`p99.9`)."""
        if name.startswith("p"):
            return self._percentile(float(name[1:]))
        known = {
            "SampleCount": float(self.count),
            "Sum": self.total,
            "Average": self.total / self.count,
            "Minimum": self.least,
            "Maximum": self.most,
        }
        return known[name]

    def _percentile(self, percent: float) -> float:
        wanted, seen, found = self.count * percent / 100, 0, self.least
        for value in sorted(self.values):
            found, seen = value, seen + self.values[value]
            if seen >= wanted:
                break
        return min(self.most, max(self.least, found))


@dataclass
class _Series:
    """One metric: seconds and minutes by their start, each in the order in which they came."""

    seconds: dict[int, Summary] = field(default_factory=dict)
    minutes: dict[int, Summary] = field(default_factory=dict)

    def add(self, moment: float, value: float, count: int, now: float) -> None:
        second = int(moment)
        old = now - second > FINE
        kept, start = (self.minutes, second // 60 * 60) if old else (self.seconds, second)
        if start not in kept:
            kept[start] = Summary()
            self._tidy(now)
        kept[start].add(value, count)

    def _tidy(self, now: float) -> None:
        """Merge the seconds that are old into their minutes, and forget what is too old."""
        while self.seconds and (second := next(iter(self.seconds))) < now - FINE:
            minute = self.minutes.setdefault(second // 60 * 60, Summary())
            minute.merge(self.seconds.pop(second))
        while self.minutes and (first := next(iter(self.minutes))) < now - KEPT:
            del self.minutes[first]


class Metrics:
    """Measurements by namespace, name and dimensions; any thread may add some."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, str, tuple[Dimensions, ...], Values]] = deque()
        self._series: defaultdict[tuple[str, str, Dimensions], _Series] = defaultdict(_Series)

    def record(
        self,
        namespace: str,
        among: tuple[Dimensions, ...],
        values: Values,
        moment: float | None = None,
    ) -> None:
        """Add values, under each of some dimensions, of now or of another moment.

        It takes about a microsecond: what is added is sorted in when somebody asks.
        """
        self._waiting.append((moment or time.time(), namespace, among, values))
        if len(self._waiting) > WAITING:
            with self._lock:
                self._sort_in()

    def series(self) -> list[tuple[str, str, Dimensions]]:
        """Return what there is: namespaces, names, dimensions."""
        with self._lock:
            self._sort_in()
            return sorted(self._series)

    def window(
        self, namespace: str, name: str, among: Dimensions, start: float, end: float
    ) -> Summary | None:
        """Return what was measured from `start` on and before `end`, if anything was."""
        found = Summary()
        with self._lock:
            self._sort_in()
            series = self._series.get((namespace, name, among), _Series())
            for kept in (series.minutes, series.seconds):
                for moment, summary in kept.items():
                    if start <= moment < end:
                        found.merge(summary)
        return found if found.count else None

    def _sort_in(self) -> None:
        now = time.time()
        for _ in range(len(self._waiting)):
            moment, namespace, among, values = self._waiting.popleft()
            for each in among:
                for name, value, count in values:
                    self._series[namespace, name, each].add(moment, value, count, now)
