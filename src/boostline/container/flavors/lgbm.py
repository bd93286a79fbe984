"""LightGBM: training, and its models, however they were trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from operator import attrgetter, methodcaller
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from boostline.container.flavors.base import Rows
from boostline.container.flavors.progress import Metric, tell
from boostline.container.flavors.trees import Job, Node, Tree, TreeFlavor, TreeModel, walk
from boostline.container.hyperparameters import Hyperparameter
from boostline.container.objectives import LIGHTGBM

_METRICS = (
    *("binary_logloss", "binary_error", "auc", "average_precision", "multi_logloss", "multi_error"),
    *("l2", "l1", "rmse", "mape", "huber", "poisson", "gamma", "tweedie"),
)
_FIXED = {"verbosity": -1, "deterministic": True, "force_row_wise": True, "first_metric_only": True}
_ZERO = float(np.float32(1e-35))  # up to here a number is 0 to LightGBM


class LightGBMFlavor(TreeFlavor):
    """Boosters, and the estimators that hold one."""

    name, file, library = "lightgbm", "model.txt", lightgbm
    kind, estimator = lightgbm.Booster, lightgbm.LGBMModel
    inside, rounds = attrgetter("booster_"), methodcaller("current_iteration")
    error = lightgbm.basic.LightGBMError
    objectives = LIGHTGBM
    known = (
        Hyperparameter("num_iterations", "integer", 500, 1, 100_000),
        Hyperparameter("early_stopping_round", "integer", 30, 0, 100_000),
        Hyperparameter("metric", "word", "", words=("", *_METRICS)),
        Hyperparameter("learning_rate", "real", 0.1, 1e-6, 1),
        Hyperparameter("num_leaves", "integer", 31, 2, 131_072),
        Hyperparameter("max_depth", "integer", -1, -1, 63),
        Hyperparameter("min_data_in_leaf", "integer", 20, 0, 2**31 - 1),
        Hyperparameter("min_sum_hessian_in_leaf", "real", 1e-3, 0),
        Hyperparameter("min_gain_to_split", "real", 0.0, 0),
        Hyperparameter("lambda_l1", "real", 0.0, 0),
        Hyperparameter("lambda_l2", "real", 0.0, 0),
        Hyperparameter("bagging_fraction", "real", 1.0, 1e-3, 1),
        Hyperparameter("feature_fraction", "real", 1.0, 1e-3, 1),
        Hyperparameter("bagging_freq", "integer", 0, 0, 100_000),
        Hyperparameter("max_bin", "integer", 255, 2, 65_535),
        Hyperparameter("seed", "integer", 0, 0, 2**31 - 1),
        Hyperparameter("num_threads", "integer", 0, 0, 1_024),
    )
    unset: Mapping[str, object] = {"metric": ""}
    patience = "early_stopping_round"

    def cut(self, native: lightgbm.Booster) -> lightgbm.Booster:
        """Keep the best rounds: those that are written."""
        return lightgbm.Booster(model_str=native.model_to_string())

    def read(self, path: Path) -> lightgbm.Booster:
        """Read a Booster."""
        return lightgbm.Booster(model_file=path)

    def objective(self, native: lightgbm.Booster) -> str:
        """Take it from the dump, where parameters of its own may follow."""
        return str(native.dump_model(num_iteration=1).get("objective", "")).partition(" ")[0]

    def score(self, model: TreeModel, rows: Rows) -> Any:
        """Score rows."""
        return model.native.predict(rows, num_threads=1)

    def shares(self, native: lightgbm.Booster, rows: Rows) -> Any:
        """Compute SHAP values."""
        return native.predict(rows, pred_contrib=True, num_threads=1)

    def trees(self, native: lightgbm.Booster) -> Iterator[Tree]:
        """Read the Booster's dump."""
        return (walk(tree["tree_structure"], _node) for tree in native.dump_model()["tree_info"])

    def convertible(self, native: lightgbm.Booster) -> Any:
        """Make a Booster whose dump says in oneDAL's terms what this one does.

        oneDAL goes left below a float32 value, and where a split says so for what is missing.
        LightGBM goes left up to a float64 value; next to nothing is 0; and where training saw
        nothing missing in a column, a missing value is 0 too.
        """
        dump = native.dump_model()
        waiting = [tree["tree_structure"] for tree in dump["tree_info"]]
        while waiting:
            node = waiting.pop()
            if node.get("decision_type") == "<=":
                if node["missing_type"] == "None":
                    node["default_left"] = node["threshold"] >= 0
                node["threshold"] = _above(node["threshold"])
            waiting += [node[side] for side in ("left_child", "right_child") if side in node]
        copy: Any = self.cut(native)
        copy.dump_model = lambda: dump
        return copy

    def fit(self, job: Job) -> lightgbm.Booster:
        """Train a Booster."""
        sets: dict[str, lightgbm.Dataset] = {}
        for name, rows, weights in job.parts:
            base = sets.get("train")
            sets[name] = lightgbm.Dataset(rows.features, rows.labels, base, weights)
        return lightgbm.train(
            job.parameters | _FIXED,
            sets["train"],
            valid_sets=[*sets.values()],
            valid_names=[*sets],
            callbacks=[_tell],
        )


def _tell(now: Any) -> None:
    tell(now.iteration, (Metric(*result[:3]) for result in now.evaluation_result_list))


def _node(node: dict[str, Any]) -> Node:
    if "leaf_value" in node:
        return abs(float(node["leaf_value"]))
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


FLAVOR = LightGBMFlavor()
