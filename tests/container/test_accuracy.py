"""The promise of the example: its configuration, over five split seeds."""

import statistics

import pytest

from benchmarks.accuracy import accuracies


@pytest.mark.slow
def test_the_median_accuracy_of_the_example() -> None:
    assert statistics.median(accuracies()) >= 0.975
