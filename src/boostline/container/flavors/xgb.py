"""XGBoost: training, and its models, however they were trained."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from boostline.container.flavors.base import Rows
from boostline.container.flavors.trees import Job, Node, Tree, TreeFlavor, TreeModel, walk
from boostline.container.flavors.xgb_training import train
from boostline.container.hyperparameters import Hyperparameter
from boostline.container.objectives import XGBOOST

_METRICS = (
    *("logloss", "error", "auc", "aucpr", "mlogloss", "merror"),
    *("rmse", "mae", "mape", "rmsle", "mphe", "gamma-nloglik", "poisson-nloglik"),
)


class XGBoostFlavor(TreeFlavor):
    """Boosters, and the estimators that hold one."""

    name, file, library = "xgboost", "model.ubj", xgboost
    kind, estimator = xgboost.Booster, xgboost.XGBModel
    inside, rounds = methodcaller("get_booster"), methodcaller("num_boosted_rounds")
    error = xgboost.core.XGBoostError
    objectives = XGBOOST
    known = (
        Hyperparameter("num_round", "integer", 500, 1, 100_000),
        Hyperparameter("early_stopping_rounds", "integer", 30, 0, 100_000),
        Hyperparameter("checkpoint_rounds", "integer", 100, 1, 100_000),
        Hyperparameter("external_memory_mib", "integer", 16_384, 0, 2**31),
        Hyperparameter("eval_metric", "word", "", words=("", *_METRICS)),
        Hyperparameter("max_depth", "integer", 6, 0, 30),
        Hyperparameter("max_leaves", "integer", 0, 0, 2**20),
        Hyperparameter("grow_policy", "word", "depthwise", words=("depthwise", "lossguide")),
        Hyperparameter("eta", "real", 0.1, 1e-6, 1, aliases=("learning_rate",)),
        Hyperparameter("subsample", "real", 1.0, 1e-3, 1),
        Hyperparameter("colsample_bytree", "real", 1.0, 1e-3, 1),
        Hyperparameter("colsample_bylevel", "real", 1.0, 1e-3, 1),
        Hyperparameter("colsample_bynode", "real", 1.0, 1e-3, 1),
        Hyperparameter("min_child_weight", "real", 1.0, 0),
        Hyperparameter("lambda", "real", 1.0, 0, aliases=("reg_lambda",)),
        Hyperparameter("max_delta_step", "real", 0.0, 0),
        Hyperparameter("gamma", "real", 0.0, 0, aliases=("min_split_loss",)),
        Hyperparameter("alpha", "real", 0.0, 0, aliases=("reg_alpha",)),
        Hyperparameter("max_bin", "integer", 256, 2, 65_536),
        Hyperparameter("scale_pos_weight", "real", 1.0, 1e-6),
        Hyperparameter("seed", "integer", 0, 0, 2**31 - 1),
        Hyperparameter("nthread", "integer", 0, 0, 1_024),
    )
    unset: Mapping[str, object] = {"eval_metric": "", "scale_pos_weight": 1.0}

    def cut(self, native: xgboost.Booster) -> xgboost.Booster:
        """Keep the best rounds, since whether all score depends on the call; names are not kept."""
        best = native.attr("best_iteration")
        booster = native if best is None else native[: int(best) + 1]
        booster.set_attr(best_iteration=None, best_score=None)
        booster.feature_names = None
        return booster

    def read(self, path: Path) -> xgboost.Booster:
        """Read a Booster."""
        return xgboost.Booster({"nthread": 1}, model_file=path)

    def objective(self, native: xgboost.Booster) -> str:
        """Take it from the configuration."""
        return str(json.loads(native.save_config())["learner"]["objective"]["name"])

    def start(self, native: xgboost.Booster) -> float:
        """Take the base score; that of classes is a probability, so small either way."""
        base = json.loads(native.save_config())["learner"]["learner_model_param"]["base_score"]
        return float(np.max(np.abs(json.loads(base))))

    def score(self, model: TreeModel, rows: Rows) -> Any:
        """Score rows."""
        return model.native.inplace_predict(rows)

    def shares(self, native: xgboost.Booster, rows: Rows) -> Any:
        """Compute SHAP values."""
        return native.predict(xgboost.DMatrix(rows, nthread=1), pred_contribs=True)

    def trees(self, native: xgboost.Booster) -> Iterator[Tree]:
        """Read the Booster's dump."""
        return (walk(json.loads(tree), _node) for tree in native.get_dump(dump_format="json"))

    def fit(self, job: Job) -> xgboost.Booster:
        """Train a Booster; an interrupted training is resumed."""
        return train(job)


def _node(node: dict[str, Any]) -> Node:
    if "leaf" in node:
        return abs(float(node["leaf"]))
    by_id = {child["nodeid"]: child for child in node["children"]}
    # A split by categories has none but a list of them; a number is written in fewer digits than
    # float64 needs, and stands for the nearest float32 one.
    value = node["split_condition"]
    number = float(np.float32(value)) if isinstance(value, int | float) else np.nan
    return int(node["split"][1:]), number, by_id[node["yes"]], by_id[node["no"]]


FLAVOR = XGBoostFlavor()
