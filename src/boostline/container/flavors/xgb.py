"""XGBoost."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from boostline.container.dataset import Dataset
from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Model, Scores, Structure
from boostline.container.hyperparameters import Hyperparameter, Value
from boostline.features.spec import Objective

FILE = "model.ubj"

# Features are float32 with NaN for missing; other objectives than these were not verified.
_OBJECTIVES: Mapping[str, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic", "eval_metric": "logloss"},
}
_OURS = ("num_round", "early_stopping_rounds")

_HYPERPARAMETERS = (
    Hyperparameter("num_round", "integer", 500, 1, 100_000),
    Hyperparameter("early_stopping_rounds", "integer", 30, 0, 100_000),
    Hyperparameter("max_depth", "integer", 6, 1, 30),
    Hyperparameter("eta", "real", 0.1, 1e-6, 1.0, aliases=("learning_rate",)),
    Hyperparameter("subsample", "real", 1.0, 1e-3, 1.0),
    Hyperparameter("colsample_bytree", "real", 1.0, 1e-3, 1.0),
    Hyperparameter("min_child_weight", "real", 1.0, 0.0),
    Hyperparameter("gamma", "real", 0.0, 0.0, aliases=("min_split_loss",)),
    Hyperparameter("lambda", "real", 1.0, 0.0, aliases=("reg_lambda",)),
    Hyperparameter("alpha", "real", 0.0, 0.0, aliases=("reg_alpha",)),
    Hyperparameter("max_bin", "integer", 256, 2, 65_536),
    Hyperparameter("scale_pos_weight", "real", 1.0, 1e-6),
    Hyperparameter("seed", "integer", 0, 0, 2**31 - 1),
    Hyperparameter("nthread", "integer", 0, 0, 1_024),
)


class XGBoostModel:
    """A Booster that holds its best iterations only."""

    def __init__(self, booster: xgboost.Booster) -> None:
        self._booster = booster

    @property
    def best_iteration(self) -> int | None:
        """The last round, since the rounds after the best one are cut."""
        return self._booster.num_boosted_rounds() - 1

    @property
    def native(self) -> xgboost.Booster:
        """The Booster."""
        return self._booster

    def predict(self, rows: NDArray[np.float32]) -> Scores:
        """Score rows of shape (rows, columns), NaN for missing."""
        if len(rows) == 0:
            return np.empty(0)
        return np.asarray(self._booster.inplace_predict(rows), dtype=np.float64)

    def structure(self) -> Structure:
        """Read leaves and splits from the Booster's text form."""
        trees = self._booster.get_dump()
        leaves = [max(abs(float(x)) for x in re.findall(r"leaf=([^,\s]+)", t)) for t in trees]
        splits = [found for tree in trees for found in re.findall(r"\[f(\d+)<([^\]]+)\]", tree)]
        return Structure(sum(leaves), sorted({(int(f), float(value)) for f, value in splits}))


class XGBoostFlavor:
    """Trains with histograms and early stopping."""

    name = "xgboost"
    hyperparameters = _HYPERPARAMETERS

    def libraries(self) -> Mapping[str, str]:
        """Name the version of XGBoost."""
        return {"xgboost": xgboost.__version__}

    def train(
        self,
        train: Dataset,
        validation: Dataset,
        objective: Objective,
        hyperparameters: Mapping[str, Value],
        say: Callable[[str], None],
    ) -> XGBoostModel:
        """Train on quantized rows; stop when the validation loss no longer falls.

        Raises
        ------
        ContainerError
            The objective is not supported.
        """
        if objective not in _OBJECTIVES:
            known = ", ".join(_OBJECTIVES)
            raise ContainerError(f"xgboost: objective {objective!r} is not supported: use {known}")
        bins = int(hyperparameters["max_bin"])
        first = xgboost.QuantileDMatrix(train.features, train.labels, max_bin=bins)
        second = xgboost.QuantileDMatrix(
            validation.features, validation.labels, max_bin=bins, ref=first
        )
        names = {item.name for item in _HYPERPARAMETERS} - set(_OURS)
        parameters = {name: hyperparameters[name] for name in names}
        parameters |= _OBJECTIVES[objective] | {"tree_method": "hist"}
        booster = xgboost.train(
            parameters,
            first,
            num_boost_round=int(hyperparameters["num_round"]),
            evals=[(first, "train"), (second, "validation")],
            early_stopping_rounds=int(hyperparameters["early_stopping_rounds"]) or None,
            callbacks=[_Progress(say)],
            verbose_eval=False,
        )
        if hyperparameters["early_stopping_rounds"]:
            # Whether an uncut Booster scores with all trees or the best depends on the call.
            booster = booster[: booster.best_iteration + 1]
        booster.set_attr(best_iteration=None, best_score=None)
        return XGBoostModel(booster)

    def save(self, model: Model, folder: Path) -> None:
        """Write ``model.ubj``."""
        model.native.save_model(folder / FILE)

    def load(self, folder: Path) -> XGBoostModel:
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
        return XGBoostModel(booster)


class _Progress(xgboost.callback.TrainingCallback):
    """One line a round, as SageMaker's metric expressions read them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        parts = [
            f"{data}-{metric}:{values[-1]:.6f}"
            for data, metrics in evals_log.items()
            for metric, values in metrics.items()
        ]
        self._say(" ".join([f"[{epoch}]", *parts]))
        return False


FLAVOR = XGBoostFlavor()
