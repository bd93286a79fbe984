"""LightGBM: training, and its models, however they were trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np

from boostline.container.flavors.base import Contributions, Rows, Structure, Task
from boostline.container.flavors.trees import (
    SLOPES,
    Split,
    TreeFlavor,
    TreeModel,
    largest_sum,
    survey,
    tell,
    walk,
)
from boostline.container.hyperparameters import Hyperparameter
from boostline.container.weights import class_weights, row_weights
from boostline.features.spec import Objective

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels

_REGRESSIONS = ("regression", "regression_l1", "huber", "poisson", "gamma", "tweedie")
_OBJECTIVES: Mapping[str, Objective] = {
    "binary": "binary",
    "multiclass": "multiclass",
    **dict.fromkeys(_REGRESSIONS, "regression"),
}
_LINKS = {
    **dict.fromkeys(("binary", "cross_entropy"), "logit"),
    "multiclass": "softmax",
    **dict.fromkeys(("poisson", "gamma", "tweedie"), "log"),
}
_METRICS = (
    *("binary_logloss", "binary_error", "auc", "average_precision", "multi_logloss", "multi_error"),
    *("l2", "l1", "rmse", "mape", "huber", "poisson", "gamma", "tweedie"),
)
_ZERO = float(np.float32(1e-35))  # up to here a number is 0 to LightGBM
_FIXED = {"verbosity": -1, "deterministic": True, "force_row_wise": True, "first_metric_only": True}


class LightGBMModel(TreeModel):
    """A Booster."""

    def __init__(self, native: lightgbm.Booster, task: Task) -> None:
        super().__init__(native, task)
        objective = native.dump_model(num_iteration=1).get("objective") or "custom"
        self._link = _LINKS.get(objective.split()[0], "identity")

    @property
    def best_iteration(self) -> int:
        """The last round."""
        return int(self.native.current_iteration()) - 1

    def score(self, rows: Rows) -> Any:
        """Score rows."""
        return self.native.predict(rows, num_threads=1)

    def contributions(self, rows: Rows) -> Contributions:
        """Compute SHAP values."""
        parts = np.asarray(self.native.predict(rows, pred_contrib=True, num_threads=1))
        shape = (len(rows), -1, rows.shape[1] + 1)
        return Contributions(parts.reshape(shape) if self._link == "softmax" else parts, self._link)

    def structure(self) -> Structure:
        """Read leaves and splits from the Booster's dump."""
        roots = [tree["tree_structure"] for tree in self.native.dump_model()["tree_info"]]
        leaves, ways = survey(
            (walk(root, _split) for root in roots), lambda leaf: abs(leaf["leaf_value"])
        )
        return Structure(
            largest_sum(leaves, self.native.num_model_per_iteration()),
            ways,
            SLOPES[self.task.objective],
            len(leaves),
        )

    def convertible(self) -> Any:
        """Make a Booster whose dump says in oneDAL's terms what this one does.

        oneDAL goes left below a float32 value, and where a split says so for what is missing.
        LightGBM goes left up to a float64 value; next to nothing is 0; and where training saw
        nothing missing in a column, a missing value is 0 too.
        """
        dump = self.native.dump_model()
        waiting = [tree["tree_structure"] for tree in dump["tree_info"]]
        while waiting:
            node = waiting.pop()
            if node.get("decision_type") == "<=":
                if node["missing_type"] == "None":
                    node["default_left"] = node["threshold"] >= 0
                node["threshold"] = _above(node["threshold"])
            waiting += [node[side] for side in ("left_child", "right_child") if side in node]
        copy: Any = lightgbm.Booster(model_str=self.native.model_to_string())
        copy.dump_model = lambda: dump
        return copy


def _split(node: dict[str, Any]) -> Split:
    if "leaf_value" in node:
        return None
    # A split by categories has a text of them; one off of what is missing the largest float64.
    numeric = node["decision_type"] == "<="
    value = min(node["threshold"], float(np.finfo(np.float32).max)) if numeric else math.nan
    return node["split_feature"], value, node["left_child"], node["right_child"]


def _above(value: float) -> float:
    """Return the float32 number that a row has to be below to go left at a split."""
    if -_ZERO <= value < 0:
        return -_ZERO
    value = _ZERO if 0 <= value < _ZERO else value
    with np.errstate(over="ignore"):  # a split off of what is missing is at the largest float64
        near = np.float32(value)
        return float(near if float(near) > value else np.nextafter(near, np.float32(np.inf)))


class LightGBMFlavor(TreeFlavor):
    """Boosters, and the estimators that hold one."""

    name, file, error = "lightgbm", "model.txt", lightgbm.basic.LightGBMError
    model, objectives = LightGBMModel, _OBJECTIVES
    known = (
        Hyperparameter("num_iterations", "integer", 500, 1, 100_000),
        Hyperparameter("early_stopping_round", "integer", 30, 0, 100_000),
        Hyperparameter("metric", "word", "", words=("", *_METRICS)),
        Hyperparameter("learning_rate", "real", 0.1, 1e-6, 1.0),
        Hyperparameter("num_leaves", "integer", 31, 2, 131_072),
        Hyperparameter("max_depth", "integer", -1, -1, 63),
        Hyperparameter("min_data_in_leaf", "integer", 20, 0),
        Hyperparameter("min_sum_hessian_in_leaf", "real", 1e-3, 0.0),
        Hyperparameter("min_gain_to_split", "real", 0.0, 0.0),
        Hyperparameter("bagging_fraction", "real", 1.0, 1e-3, 1.0),
        Hyperparameter("bagging_freq", "integer", 0, 0, 100_000),
        Hyperparameter("feature_fraction", "real", 1.0, 1e-3, 1.0),
        Hyperparameter("lambda_l1", "real", 0.0, 0.0),
        Hyperparameter("lambda_l2", "real", 0.0, 0.0),
        Hyperparameter("max_bin", "integer", 255, 2, 65_535),
        Hyperparameter("seed", "integer", 0, 0, 2**31 - 1),
        Hyperparameter("num_threads", "integer", 0, 0, 1_024),
    )

    def take(self, native: Any) -> lightgbm.Booster | None:
        """Take a Booster out of what holds one."""
        booster = native.booster_ if isinstance(native, lightgbm.LGBMModel) else native
        if not isinstance(booster, lightgbm.Booster):
            return None
        return lightgbm.Booster(model_str=booster.model_to_string())  # up to the best round

    def fit(self, data: Channels, values: Mapping[str, Any], checkpoints: object) -> Any:  # noqa: ARG002
        """Train a Booster."""
        names = ("objective", *(item.name for item in self.known))
        parameters = {name: values[name] for name in names if values[name] != ""} | _FIXED
        if data.classes and data.contract.objective == "multiclass":
            parameters["num_class"] = len(data.classes)
        weights = class_weights(values["class_weight"], data)
        sets: dict[str, lightgbm.Dataset] = {}
        for name, rows in (("train", data.train), ("validation", data.validation)):
            if rows is not None:
                weight, base = row_weights(rows, weights), sets.get("train")
                sets[name] = lightgbm.Dataset(rows.features, rows.labels, base, weight)
        if data.validation is None:
            del parameters["early_stopping_round"]
        return lightgbm.train(
            parameters,
            sets["train"],
            valid_sets=[*sets.values()],
            valid_names=[*sets],
            callbacks=[_tell],
        )

    def read(self, path: Path) -> lightgbm.Booster:
        """Read a Booster."""
        return lightgbm.Booster(model_file=path)


def _tell(now: Any) -> None:
    tell(now.iteration, (result[:3] for result in now.evaluation_result_list))


FLAVOR = LightGBMFlavor()
