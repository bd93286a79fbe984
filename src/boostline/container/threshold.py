"""The choice of the score from which on the positive class is answered."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from boostline.container.hyperparameters import Hyperparameter

_Counts = NDArray[np.float64]
# How good each cut is, of: rows answered positive and truly so, rows answered positive, all
# positives, all rows.
_Policy = Callable[[_Counts, _Counts, int, int], _Counts]


def _f1(hits: _Counts, answered: _Counts, positives: int, rows: int) -> _Counts:  # noqa: ARG001
    return 2 * hits / np.maximum(answered + positives, 1)


def _accuracy(hits: _Counts, answered: _Counts, positives: int, rows: int) -> _Counts:
    return (hits + (rows - positives) - (answered - hits)) / rows


def _cost(ratio: float) -> _Policy:
    def saved(hits: _Counts, answered: _Counts, positives: int, rows: int) -> _Counts:  # noqa: ARG001
        return -(ratio * (positives - hits) + (answered - hits))

    return saved


POLICIES = {"best_f1": _f1, "best_accuracy": _accuracy}
_COST = "cost:"
HYPERPARAMETER = Hyperparameter(
    "threshold",
    "real",
    "best_f1",
    0.0,
    1.0,
    words=tuple(POLICIES),
    forms={"cost:<ratio>": _COST + r"(?=.*[1-9])\d{1,9}(\.\d{1,9})?"},
)


def choose_threshold(
    policy: str, labels: NDArray[np.float32], scores: NDArray[np.float64]
) -> float:
    """Choose the threshold that is best for a policy.

    Parameters
    ----------
    policy
        One of ``POLICIES``, or ``cost:<ratio>``: a missed positive costs ratio times what a false
        alarm costs, and the sum is to be least.
    labels
        0 or 1, shape (rows,).
    scores
        Scores of the same rows.

    Returns
    -------
    float
        Half way between two neighbouring scores, so that rounding in another engine does not
        change the label of a validation row, or half way to 0 or 1 where all or no rows are to be
        positive; of equally good ones the nearest to 0.5.
    """
    value = _cost(float(policy.removeprefix(_COST))) if _COST in policy else POLICIES[policy]
    order = np.argsort(-scores, kind="stable")
    ranked = np.concatenate([[1.0], scores[order], [0.0]])
    hits = np.concatenate([[0.0], np.cumsum(labels[order], dtype=np.float64)])
    # The first so many rows are answered positive: a cut is possible where the score falls.
    cuts = np.flatnonzero(ranked[:-1] > ranked[1:])
    values = value(hits[cuts], cuts.astype(np.float64), int(labels.sum()), len(labels))
    thresholds = (ranked[cuts] + ranked[cuts + 1]) / 2
    best = thresholds[values >= values.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])
