"""Usage plans: their changes, and the counting that they ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from boostline.local.services.apigateway.resources import Reader, bad_request, patch
from boostline.local.store.resources import Resources

USAGE = "apigateway.usage"
PERIODS: dict[str, Callable[[date], date]] = {  # to the day on which the present one began
    "DAY": lambda day: day,
    "WEEK": lambda day: day - timedelta(days=(day.weekday() + 1) % 7),  # a Sunday
    "MONTH": lambda day: day.replace(day=1),
}
# What an account has, where nothing says less: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
RATE, BURST = 10_000.0, 5_000
VALUES: dict[str, Reader | None] = {
    "/name": str,
    "/description": str,
    "/throttle/rateLimit": float,
    "/throttle/burstLimit": int,
    "/throttle": None,
    "/quota/limit": int,
    "/quota/period": str,
    "/quota": None,
}


def change(plan: dict[str, Any], request: Mapping[str, Any]) -> None:
    """Apply UpdateUsagePlan's operations to a plan; refuse what the local platform has not."""
    others = []
    for one in request.get("patchOperations", []):
        if one.get("path") == "/apiStages" and one.get("op") in {"add", "remove"}:
            api, _, stage = one.get("value", "").partition(":")
            given = {"apiId": api, "stage": stage}
            rest = [each for each in plan["apiStages"] if each != given]
            plan["apiStages"] = [*rest, given] if one["op"] == "add" else rest
        else:
            others.append(one)
    patch(plan, {"patchOperations": others}, VALUES)


def check(plan: Mapping[str, Any]) -> None:
    """Refuse a plan whose limits mean nothing."""
    throttle, quota = plan.get("throttle", {}), plan.get("quota", {"limit": 1, "period": "DAY"})
    if throttle.get("rateLimit", 0) < 0 or throttle.get("burstLimit", 0) < 0:
        raise bad_request("Usage Plan throttle limits must not be negative")
    if quota.get("limit", 0) <= 0 or quota.get("period") not in PERIODS or quota.get("offset"):
        periods = ", ".join(PERIODS)
        raise bad_request(
            f"Usage Plan quota needs a limit above 0, a period of {periods}, and no offset"
        )


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

    def exhausted(self, name: str, plan: Mapping[str, Any]) -> bool:
        """Whether the quota is used up; if not, the request is counted."""
        quota = plan.get("quota")
        if not quota:
            return False
        period = PERIODS[quota["period"]](datetime.now(UTC).date()).isoformat()
        begun, used = self._used.get(name, (period, 0))
        used = used if begun == period else 0
        if used >= quota["limit"]:
            return True
        self._used[name] = (period, used + 1)
        if self._clock() - self._saved > 1:
            self.save()
        return False

    def save(self) -> None:
        """Save what was counted."""
        self._saved = self._clock()
        self._resources.put(USAGE, USAGE, self._used)
