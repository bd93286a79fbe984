"""Usage plans: their changes, and the counting that they ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from boostline.local.services.apigateway.errors import bad_request

_VALUES: dict[str, Callable[[str], Any]] = {
    "/name": str,
    "/description": str,
    "/throttle/rateLimit": float,
    "/throttle/burstLimit": int,
    "/quota/limit": int,
    "/quota/offset": int,
    "/quota/period": str,
}
_REMOVABLE = {"/throttle", "/quota", "/description"}


def patch(plan: dict[str, Any], operations: list[Mapping[str, str]]) -> None:
    """Apply UpdateUsagePlan's operations to a plan.

    Raises
    ------
    AwsError
        If an operation or its value is not one that the local platform has.
    """
    for one in operations:
        op, path, value = one.get("op"), one.get("path", ""), one.get("value", "")
        if path == "/apiStages" and op in {"add", "remove"}:
            api, _, stage = value.partition(":")
            rest = [each for each in plan["apiStages"] if each != {"apiId": api, "stage": stage}]
            added = [{"apiId": api, "stage": stage}] if op == "add" else []
            plan["apiStages"] = rest + added
        elif path in _VALUES and op in {"add", "replace"}:
            _set(plan, path, value)
        elif path in _REMOVABLE and op == "remove":
            plan.pop(path[1:], None)
        else:
            raise bad_request(
                f"Invalid patch: the local platform has no {op!r} of {path!r}; it has add and "
                f"remove of /apiStages, replace of {', '.join(_VALUES)}, and remove of "
                f"{', '.join(sorted(_REMOVABLE))}"
            )


def check(plan: Mapping[str, Any]) -> None:
    """Refuse a plan whose limits mean nothing."""
    throttle, quota = plan.get("throttle", {}), plan.get("quota")
    if throttle.get("rateLimit", 0) < 0 or throttle.get("burstLimit", 0) < 0:
        raise bad_request("Usage Plan throttle limits must not be negative")
    if quota is not None and (quota.get("limit", 0) <= 0 or quota.get("period") not in PERIODS):
        raise bad_request(f"Usage Plan quota needs a limit above 0 and a period of {PERIODS}")


def _set(plan: dict[str, Any], path: str, text: str) -> None:
    *parents, name = path[1:].split("/")
    for parent in parents:
        plan = plan.setdefault(parent, {})
    try:
        plan[name] = _VALUES[path](text)
    except ValueError:
        raise bad_request(f"Invalid patch value {text!r} for {path}") from None


PERIODS = ("DAY", "WEEK", "MONTH")


def period_start(period: str, offset: int, now: datetime) -> str:
    """Return the day on which the present quota period began, as `2026-11-23` (UTC)."""
    day = now.date()
    if period == "WEEK":
        day -= timedelta(days=(day.weekday() + 1 - offset) % 7)  # weeks begin on Sunday
    elif period == "MONTH":
        first = day.replace(day=1) + timedelta(days=offset)
        day = (
            first
            if first <= day
            else (day.replace(day=1) - timedelta(days=1)).replace(day=1) + timedelta(days=offset)
        )
    return day.isoformat()


class TokenBucket:
    """Lets `rate` requests a second pass on average, and `burst` at once."""

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limits = (rate, burst)
        self._clock = clock
        self._tokens = float(burst)
        self._filled = clock()

    def take(self) -> bool:
        """Whether a request may pass now."""
        rate, burst = self.limits
        now = self._clock()
        self._tokens = min(float(burst), self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Meter:
    """Counts the requests of each key in each plan.

    Parameters
    ----------
    load, save
        Where quota counts are kept: a plan's and key's name → {"period": day, "used": number}.
        They are saved at most once a second, and by `close`: an abrupt end forgets that much.
    """

    def __init__(
        self,
        load: Callable[[str], dict[str, Any]],
        save: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._load = load
        self._save = save
        self._buckets: dict[str, TokenBucket] = {}
        self._used: dict[str, dict[str, Any]] = {}
        self._unsaved: set[str] = set()
        self._saved = time.monotonic()

    def throttled(self, name: str, plan: Mapping[str, Any]) -> bool:
        """Whether a request comes too soon after others."""
        throttle = plan.get("throttle")
        if not throttle:
            return False
        rate = throttle.get("rateLimit", 0.0)
        limits = (rate, throttle.get("burstLimit", max(1, int(rate))))
        bucket = self._buckets.get(name)
        if bucket is None or bucket.limits != limits:
            bucket = self._buckets[name] = TokenBucket(*limits)
        return not bucket.take()

    def exhausted(self, name: str, plan: Mapping[str, Any]) -> bool:
        """Whether the quota is used up; if not, the request is counted."""
        quota = plan.get("quota")
        if not quota:
            return False
        period = period_start(quota["period"], quota.get("offset", 0), datetime.now(UTC))
        used = self._used.get(name) or self._load(name)
        if used.get("period") != period:
            used = {"period": period, "used": 0}
        self._used[name] = used
        if used["used"] >= quota["limit"]:
            return True
        used["used"] += 1
        self._unsaved.add(name)
        if time.monotonic() - self._saved > 1:
            self.close()
        return False

    def close(self) -> None:
        """Save what was counted."""
        self._saved = time.monotonic()
        while self._unsaved:
            name = self._unsaved.pop()
            self._save(name, self._used[name])
