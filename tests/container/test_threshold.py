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
    if policy == "best_accuracy":
        return float((answers == (labels == 1)).mean())
    return float(2 * (answers * labels).sum() / (answers.sum() + labels.sum()))


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_no_threshold_is_better(policy: str) -> None:
    generator = np.random.default_rng(3)
    for _ in range(50):
        labels = (generator.random(60) < 0.3).astype(np.float32)
        labels[:2] = (0, 1)
        scores: NDArray[np.float64] = np.round(0.3 * labels + 0.7 * generator.random(60), 2)
        chosen = choose_threshold(policy, labels, scores)
        values = np.unique(scores)
        best = max(brute(policy, labels, (a + b) / 2, scores) for a, b in pairwise(values))
        assert brute(policy, labels, chosen, scores) == pytest.approx(best)
        assert np.abs(scores - chosen).min() > 1e-4


def test_of_equal_ones_the_nearest_to_a_half() -> None:
    labels = np.array([0, 0, 1, 1], dtype=np.float32)
    scores = np.array([0.1, 0.2, 0.7, 0.9])
    assert choose_threshold("best_f1", labels, scores) == pytest.approx(0.45)


def test_equal_scores_leave_no_choice() -> None:
    assert choose_threshold("best_f1", np.ones(3, dtype=np.float32), np.full(3, 0.2)) == 0.5
