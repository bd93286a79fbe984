"""The counting that usage plans ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from boostline.local.store.resources import Resources

USAGE = "apigateway.usage"
# What an account has, where nothing says less: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
RATE, BURST = 10_000.0, 5_000


def today() -> str:
    """Return the day on which a quota counts."""
    return datetime.now(UTC).date().isoformat()


class Meter:
    """Counts the requests of each key in each plan.

    Quota counts are saved at most once a second, and by `save`: an abrupt end forgets that much.
    """

    def __init__(self, resources: Resources, clock: Callable[[], float] = time.monotonic) -> None:
        self._resources = resources
        self._clock = clock
        self._buckets: dict[tuple[str, float, int], tuple[float, float]] = {}
        self._used: dict[str, tuple[str, int]] = resources.find(USAGE, USAGE) or {}
        self._saved = clock()

    def throttled(self, name: str, rate: float | None = None, burst: int | None = None) -> bool:
        """Whether a request comes too soon after others: its bucket of tokens is empty."""
        if burst is None:
            burst = BURST if rate is None else max(1, int(rate))
        rate = RATE if rate is None else rate
        now = self._clock()
        tokens, filled = self._buckets.get((name, rate, burst), (burst, now))
        tokens = min(burst, tokens + (now - filled) * rate)
        empty = bool(tokens < 1)
        self._buckets[name, rate, burst] = (tokens if empty else tokens - 1, now)
        return empty

    def exhausted(self, name: str, quota: Mapping[str, Any] | None) -> bool:
        """Whether the quota of the day is used up; if not, the request is counted."""
        if not quota:
            return False
        day = today()
        begun, used = self._used.get(name, (day, 0))
        used = used if begun == day else 0
        if used >= quota["limit"]:
            return True
        self._used[name] = (day, used + 1)
        if self._clock() - self._saved > 1:
            self.save()
        return False

    def save(self) -> None:
        """Save what was counted."""
        self._saved = self._clock()
        self._resources.put(USAGE, USAGE, self._used)
