"""How what has scikit-learn's methods is scored, whoever stored it."""

from functools import partial
from typing import Any, NoReturn

import numpy as np

from boostline.container.errors import ContainerError
from boostline.container.flavors.base import FunctionModel, Rows, Task
from boostline.container.flavors.explained import explain, most_rows


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

    return FunctionModel(
        native, task, scores, _refuse, partial(explain, task), partial(most_rows, task)
    )


def _refuse(message: str) -> NoReturn:
    raise ContainerError(f"the model {message}")
