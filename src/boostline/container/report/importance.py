"""How much each feature moves the scores of a model."""

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boostline.container.engines import Engine
from boostline.container.flavors.base import Model

Rows = NDArray[np.float32]

_SHAP_ROWS, _SHUFFLED_ROWS = 2_000, 500


def weigh(model: Model, engine: Engine, rows: Rows) -> tuple[str, NDArray[Any]]:
    """Weigh each feature, on rows spread evenly over those given.

    Parameters
    ----------
    model, engine
        The model, and what scores for it. Where its trees are those of an XGBoost Booster, that
        computes SHAP values itself; otherwise each feature is shuffled between the rows, in turn.
    rows
        Feature rows of shape (rows, columns).

    Returns
    -------
    tuple[str, NDArray]
        In words what the weights are, and one weight of 0 or more a column.
    """
    kind = type(model.native)
    if f"{kind.__module__}.{kind.__name__}" == "xgboost.core.Booster" and model.structure():
        weights = _shap(model.native, _spread(rows, _SHAP_ROWS))
        return "mean |SHAP|, before the link function", weights
    weights = _shuffled(engine, _spread(rows, _SHUFFLED_ROWS))
    return "mean |change of the score| when shuffled", weights


def _spread(rows: Rows, count: int) -> Rows:
    places = np.linspace(0, len(rows) - 1, min(len(rows), count)).astype(int)
    return np.asarray(rows[places])


def _shap(booster: Any, rows: Rows) -> NDArray[Any]:
    matrix = importlib.import_module("xgboost").DMatrix(rows)
    # Shape (rows, columns + 1), or (rows, classes, columns + 1); the last column is the bias.
    values = np.abs(booster.predict(matrix, pred_contribs=True))[..., :-1].mean(axis=0)
    return np.asarray(np.atleast_2d(values).sum(axis=0))


def _shuffled(engine: Engine, rows: Rows) -> NDArray[Any]:
    order = np.random.default_rng(0).permutation(len(rows))
    expected, weights = engine.score(rows), []
    for column in range(rows.shape[1]):
        changed = rows.copy()
        changed[:, column] = rows[order, column]
        weights.append(np.abs(engine.score(changed) - expected).mean())
    return np.array(weights)
