"""XGBoost: its models, however they were trained."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Model, Rows, Scores, Structure, Task

FILE = "model.ubj"

# How much a score can move with the sum of the leaves: the slope of the logistic function; of
# softmax, where every class's sum may move.
_SLOPES = {"binary": 0.25, "multiclass": 0.5, "regression": 1.0}


class XGBoostModel:
    """A Booster that holds its best iterations only."""

    def __init__(self, booster: xgboost.Booster, task: Task) -> None:
        self._booster = booster
        self.task = task

    @property
    def best_iteration(self) -> int | None:
        """The last round, since the rounds after the best one are cut."""
        return self._booster.num_boosted_rounds() - 1

    @property
    def native(self) -> xgboost.Booster:
        """The Booster."""
        return self._booster

    def predict(self, rows: Rows) -> Scores:
        """Score rows of shape (rows, columns), NaN for missing."""
        if len(rows) == 0:
            return np.empty(self.task.shape(0))
        scores = self._booster.inplace_predict(rows)
        try:
            return self.task.checked(scores, len(rows))
        except ValueError as error:
            raise ContainerError(f"the XGBoost model {error}: train another objective") from None

    def structure(self) -> Structure:
        """Read leaves and splits from the Booster's text form."""
        trees = self._booster.get_dump()
        leaves = [max(abs(float(x)) for x in re.findall(r"leaf=([^,\s]+)", t)) for t in trees]
        splits = [found for tree in trees for found in re.findall(r"\[f(\d+)<([^\]]+)\]", tree)]
        groups = max(self.task.classes, 1) if self.task.objective == "multiclass" else 1
        return Structure(
            # The trees of one class take turns with those of the others.
            max(sum(leaves[group::groups]) for group in range(groups)) + self._base(),
            sorted({(int(f), float(value)) for f, value in splits}),
            _SLOPES[self.task.objective],
        )

    def _base(self) -> float:
        """Return the magnitude that the sum of the leaves starts from."""
        if self.task.objective == "binary":
            return 0.0
        parameters = json.loads(self._booster.save_config())["learner"]["learner_model_param"]
        return float(np.max(np.abs(json.loads(parameters["base_score"]))))


class XGBoostFlavor:
    """Boosters, and the estimators that hold one."""

    name = "xgboost"

    def libraries(self) -> Mapping[str, str]:
        """Name the version of XGBoost."""
        return {"xgboost": xgboost.__version__}

    def wrap(self, native: Any, task: Task) -> Model | None:
        """Take a Booster or what holds one, cut to its best iteration."""
        booster = native.get_booster() if isinstance(native, xgboost.XGBModel) else native
        if not isinstance(booster, xgboost.Booster):
            return None
        best = booster.attr("best_iteration")
        if best is not None:
            # Whether an uncut Booster scores with all trees or the best depends on the call.
            booster = booster[: int(best) + 1]
        booster.set_attr(best_iteration=None, best_score=None)
        booster.feature_names = booster.feature_types = None
        return XGBoostModel(booster, task)

    def save(self, model: Model, folder: Path) -> None:
        """Write ``model.ubj``."""
        model.native.save_model(folder / FILE)

    def load(self, folder: Path, task: Task) -> XGBoostModel:
        """Read ``model.ubj``.

        Raises
        ------
        ContainerError
            It is not a model of this library.
        """
        booster = xgboost.Booster({"nthread": 1})
        try:
            booster.load_model(folder / FILE)
        except xgboost.core.XGBoostError as error:
            raise ContainerError(f"{FILE}: not readable: {str(error).splitlines()[0]}") from None
        return XGBoostModel(booster, task)


FLAVOR = XGBoostFlavor()
