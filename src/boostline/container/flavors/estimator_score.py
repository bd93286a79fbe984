"""How what has scikit-learn's methods is scored and explained, whoever stored it."""

from typing import Any, NoReturn

import numpy as np

from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Contributions, FunctionModel, Rows, Task


def score(native: Any, task: Task) -> FunctionModel:
    """Score a model by scikit-learn's methods: ``predict_proba``, or ``predict`` for regression."""
    method = "predict" if task.objective == "regression" else "predict_proba"

    def scores(model: Any, rows: Rows) -> object:
        if not hasattr(model, method):
            _refuse(f"has no {method}: put predict(model, features) into the serve code")
        try:
            # Extreme values of float32 stay finite when they are scaled.
            found = getattr(model, method)(rows.astype(np.float64))
        except ValueError as error:
            reason = str(error).partition("\n")[0]
            _refuse(
                f"{type(model).__name__} fails: {reason} (a record may lack any value: forests and "
                "HistGradientBoosting take that, or a SimpleImputer comes before)"
            )
        if task.objective == "regression":
            return found
        # A class that training never saw has no column: its probability is 0.
        whole = np.zeros((len(rows), task.classes))
        whole[:, np.asarray(model.classes_, dtype=np.int64)] = found
        return whole[:, -1] if task.objective == "binary" else whole

    return FunctionModel(native, task, scores, _refuse, _explain)


def _explain(native: Any, rows: Rows) -> Contributions | None:
    """Explain a linear model: each column adds what it changes where all else is missing."""
    steps = getattr(native, "steps", None)  # a pipeline's
    if not hasattr(steps[-1][1] if steps else native, "coef_"):
        return None
    method = getattr(native, "decision_function", native.predict)
    width = rows.shape[1]
    alone = np.full((len(rows), width, width), np.nan)
    alone[:, range(width), range(width)] = rows
    nothing = np.full((1, width), np.nan)
    try:
        base = method(nothing)
        parts = method(alone.reshape(-1, width)).reshape(len(rows), width, *base.shape[1:]) - base
        sums = method(rows.astype(np.float64))
    except ValueError:
        return None  # it takes no missing values: there is nothing to compare with
    parts = np.append(parts, np.broadcast_to(base, (len(rows), 1, *base.shape[1:])), axis=1)
    if not np.allclose(parts.sum(axis=1), sums, rtol=1e-6, atol=1e-6):
        return None  # its columns are not taken one by one
    link = (
        {1: "logit", 2: "softmax"}[base.ndim]
        if method.__name__ == "decision_function"
        else "identity"
    )
    return Contributions(np.moveaxis(parts, 1, -1), link)


def _refuse(message: str) -> NoReturn:
    raise ContainerError(f"the model {message}")
