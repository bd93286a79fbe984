"""The choice of the score from which on the positive class is answered."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

_Counts = NDArray[np.float64]


def _f1(hits: _Counts, answered: _Counts, positives: int, rows: int) -> _Counts:  # noqa: ARG001
    return 2 * hits / (answered + positives)


def _accuracy(hits: _Counts, answered: _Counts, positives: int, rows: int) -> _Counts:
    return (hits + (rows - positives) - (answered - hits)) / rows


POLICIES: Mapping[str, Callable[[_Counts, _Counts, int, int], _Counts]] = {
    "best_f1": _f1,
    "best_accuracy": _accuracy,
}


def choose_threshold(
    policy: str, labels: NDArray[np.float32], scores: NDArray[np.float64]
) -> float:
    """Choose the threshold that is best for a policy.

    Parameters
    ----------
    policy
        One of ``POLICIES``.
    labels
        0 or 1, shape (rows,).
    scores
        Scores of the same rows.

    Returns
    -------
    float
        Half way between two neighbouring scores, so that rounding in another engine does not
        change the label of a validation row; of equally good ones the nearest to 0.5.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(labels[order], dtype=np.float64)
    # A cut is possible after a row whose successor has a lower score.
    cuts = np.flatnonzero(ranked[:-1] > ranked[1:])
    if len(cuts) == 0:
        return 0.5
    values = POLICIES[policy](
        hits[cuts], (cuts + 1).astype(np.float64), int(labels.sum()), len(labels)
    )
    thresholds = (ranked[cuts] + ranked[cuts + 1]) / 2
    best = thresholds[values >= values.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])
