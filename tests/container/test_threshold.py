from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from boostline.container.threshold import POLICIES, choose_threshold


def brute(
    policy: str,
    labels: NDArray[np.float32],
    at: float,
    scores: NDArray[np.float64],
) -> float:
    answers = scores >= at
    if policy.startswith("cost:"):
        missed = ((labels == 1) & ~answers).sum() * float(policy[5:])
        return -float(missed + ((labels == 0) & answers).sum())
    if policy == "best_accuracy":
        return float((answers == (labels == 1)).mean())
    return float(2 * (answers * labels).sum() / (answers.sum() + labels.sum()))


@pytest.mark.parametrize("policy", [*POLICIES, "cost:1", "cost:0.1", "cost:25"])
def test_no_threshold_is_better(policy: str) -> None:
    generator = np.random.default_rng(3)
    for _ in range(50):
        labels = (generator.random(60) < 0.3).astype(np.float32)
        labels[:2] = (0, 1)
        scores: NDArray[np.float64] = np.round(0.3 * labels + 0.7 * generator.random(60), 2)
        chosen = choose_threshold(policy, labels, scores)
        values = np.unique([0.0, *scores, 1.0])
        best = max(brute(policy, labels, (a + b) / 2, scores) for a, b in pairwise(values))
        assert brute(policy, labels, chosen, scores) == pytest.approx(best)
        assert np.abs(scores - chosen).min() > 1e-4


def test_of_equal_ones_the_nearest_to_a_half() -> None:
    labels = np.array([0, 0, 1, 1], dtype=np.float32)
    scores = np.array([0.1, 0.2, 0.7, 0.9])
    assert choose_threshold("best_f1", labels, scores) == pytest.approx(0.45)


@pytest.mark.parametrize(("policy", "expected"), [("cost:100", 0.1), ("cost:0.01", 0.6)])
def test_all_or_no_rows_may_be_positive(policy: str, expected: float) -> None:
    labels = np.array([0, 1, 0], dtype=np.float32)
    assert choose_threshold(policy, labels, np.full(3, 0.2)) == pytest.approx(expected)


def test_dearer_misses_lower_the_threshold() -> None:
    generator = np.random.default_rng(0)
    scores = generator.random(2000)
    labels = (generator.random(2000) < scores).astype(np.float32)
    found = [choose_threshold(f"cost:{ratio}", labels, scores) for ratio in (0.25, 1, 4)]
    # A positive is worth answering where its probability is above 1 / (1 + ratio).
    assert found == pytest.approx([0.8, 0.5, 0.2], abs=0.07)
