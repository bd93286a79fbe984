"""Measurements, from seconds to minutes to nothing."""

from __future__ import annotations

import random
import time

import pytest

from boostline.local.store import metrics as store
from boostline.local.store.metrics import Metrics, dimensions

NAMED = dimensions(b="2", a="1")


def test_percentiles_are_right_within_a_hundredth() -> None:
    metrics, chance = Metrics(), random.Random(7)
    values = sorted(chance.lognormvariate(8, 2) for _ in range(5_000))
    now = time.time()
    for value in values:
        metrics.record("n", (NAMED,), (("m", value, 1),))
    found = metrics.window("n", "m", dimensions(a="1", b="2"), now - 1, now + 60)
    assert found is not None
    for percent in (0, 50, 99, 99.9, 100):
        exact = values[max(0, -int(-percent * len(values) // 100) - 1)]
        assert found.statistic(f"p{percent:g}") == pytest.approx(exact, rel=0.011)
    assert (found.least, found.most) == (values[0], values[-1])
    assert found.statistic("Average") == pytest.approx(sum(values) / len(values))


def test_what_is_old_is_kept_by_the_minute_and_then_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metrics, start = Metrics(), 1_800_000_000.0
    clock = [start]
    monkeypatch.setattr(time, "time", lambda: clock[0])

    def total(since: float, until: float) -> float:
        found = metrics.window("n", "m", NAMED, start + since, start + until)
        return found.total if found else 0.0

    for second in range(120):
        clock[0] = start + second
        metrics.record("n", (NAMED,), (("m", 1, 1),))
    assert total(30, 40) == 10
    clock[0] = start + store.FINE + 200
    metrics.record("n", (NAMED,), (("m", 1, 1),))
    assert (total(0, 60), total(60, 120), total(30, 40)) == (60, 60, 0)
    metrics.record("n", (NAMED,), (("m", 5, 1),), start + 10)
    assert total(0, 60) == 65
    clock[0] = start + store.KEPT + 500
    metrics.record("n", (NAMED,), (("m", 1, 1),))
    assert total(0, store.FINE) == 0
    assert total(0, 2 * store.KEPT) == 2
