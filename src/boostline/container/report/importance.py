"""How much each feature moves the scores of a model."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from boostline.container.engines import Engine
from boostline.container.flavors.base import Model

Rows = NDArray[np.float32]

_SHAP_ROWS, _SHUFFLED_ROWS = 2_000, 500
_FEWEST = 30  # rows to explain: a mean of fewer says less than shuffling does
_SHARE = 2  # of what may be explained at a time a report takes a half: 3 to 10 s of CPU


def weigh(model: Model, engine: Engine, rows: Rows) -> tuple[str, NDArray[Any]]:
    """Weigh each feature, on rows spread evenly over those given.

    Parameters
    ----------
    model, engine
        The model, and what scores for it. Where the model explains its scores, its contributions
        are taken, of 2,000 rows, or of as many as some seconds are enough for; otherwise each
        feature is shuffled between the rows, in turn.
    rows
        Feature rows of shape (rows, columns).

    Returns
    -------
    tuple[str, NDArray]
        In words what the weights are, and one weight of 0 or more a column.
    """
    able = model.most_explained
    count = _SHAP_ROWS if able is None else min(_SHAP_ROWS, able // _SHARE)
    few = count < min(len(rows), _FEWEST)
    found = None if few else model.contributions(_spread(rows, count))
    if found is not None:
        # The last part is the base; of classes there is a row of parts each.
        weights = np.atleast_2d(np.abs(found.parts[..., :-1]).mean(axis=0)).sum(axis=0)
        return "mean |SHAP|, before the link function", weights
    weights = _shuffled(engine, _spread(rows, _SHUFFLED_ROWS))
    return "mean |change of the score| when shuffled", weights


def _spread(rows: Rows, count: int) -> Rows:
    places = np.linspace(0, len(rows) - 1, min(len(rows), count)).astype(int)
    return np.asarray(rows[places])


def _shuffled(engine: Engine, rows: Rows) -> NDArray[Any]:
    order = np.random.default_rng(0).permutation(len(rows))
    expected, weights = engine.score(rows), []
    for column in range(rows.shape[1]):
        changed = rows.copy()
        changed[:, column] = rows[order, column]
        weights.append(np.abs(engine.score(changed) - expected).mean())
    return np.array(weights)
