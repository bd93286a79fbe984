"""XGBoost: its models, however they were trained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost

from boostline.container.checkpoints import Checkpoints
from boostline.container.flavors.base import Contributions, Rows, Structure
from boostline.container.flavors.trees import (
    SLOPES,
    Split,
    TreeFlavor,
    TreeModel,
    largest_sum,
    survey,
    walk,
)
from boostline.container.flavors.xgb_train import HYPERPARAMETERS, train
from boostline.container.objectives import XGBOOST

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels


_LINKS = {
    **dict.fromkeys(("binary:logistic", "reg:logistic"), "logit"),
    **dict.fromkeys(("multi:softprob", "multi:softmax"), "softmax"),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox"), "log"),
}


class XGBoostModel(TreeModel):
    """A Booster."""

    @property
    def best_iteration(self) -> int:
        """The last round."""
        return int(self.native.num_boosted_rounds()) - 1

    def score(self, rows: Rows) -> Any:
        """Score rows."""
        return self.native.inplace_predict(rows)

    def contributions(self, rows: Rows) -> Contributions:
        """Compute SHAP values."""
        parts = self.native.predict(xgboost.DMatrix(rows, nthread=1), pred_contribs=True)
        link = _LINKS.get(self._settings()["objective"]["name"], "identity")
        return Contributions(np.asarray(parts, dtype=np.float64), link)

    def structure(self) -> Structure:
        """Read leaves and splits from the Booster's dump."""
        dump = self.native.get_dump(dump_format="json")
        trees = (walk(json.loads(tree), _split) for tree in dump)
        leaves, ways = survey(trees, lambda leaf: abs(leaf["leaf"]))
        groups = max(self.task.classes, 1) if self.task.objective == "multiclass" else 1
        return Structure(
            largest_sum(leaves, groups) + self._base(),
            ways,
            SLOPES[self.task.objective],
            len(leaves),
        )

    def _base(self) -> float:
        """Return the magnitude that the sum of the leaves starts from."""
        if self.task.objective == "binary":
            return 0.0
        base = self._settings()["learner_model_param"]["base_score"]
        return float(np.max(np.abs(json.loads(base))))

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = json.loads(self.native.save_config())["learner"]
        return settings


def _split(node: Any) -> Split:
    if "leaf" in node:
        return None
    by_id = {child["nodeid"]: child for child in node["children"]}
    # A split by categories has none but a list of them; a number is written in fewer digits than
    # float64 needs, and stands for the nearest float32 one.
    value = node["split_condition"]
    number = float(np.float32(value)) if isinstance(value, int | float) else math.nan
    return int(node["split"][1:]), number, by_id[node["yes"]], by_id[node["no"]]


class XGBoostFlavor(TreeFlavor):
    """Boosters, and the estimators that hold one."""

    name, file, error = "xgboost", "model.ubj", xgboost.core.XGBoostError
    model, objectives = XGBoostModel, XGBOOST
    known = HYPERPARAMETERS

    def libraries(self) -> Mapping[str, str]:
        """Name the version of XGBoost, which comes in packages of several names."""
        return {"xgboost": xgboost.__version__}

    def take(self, native: Any) -> xgboost.Booster | None:
        """Take a Booster out of what holds one, cut to its best iteration."""
        booster = native.get_booster() if isinstance(native, xgboost.XGBModel) else native
        if not isinstance(booster, xgboost.Booster):
            return None
        best = booster.attr("best_iteration")
        if best is not None:
            # Whether an uncut Booster scores with all trees or the best depends on the call.
            booster = booster[: int(best) + 1]
        booster.set_attr(best_iteration=None, best_score=None)
        booster.feature_names = None
        return booster

    def fit(self, data: Channels, values: Mapping[str, Any], checkpoints: Checkpoints) -> Any:
        """Train a Booster; only here an interrupted training is resumed."""
        return train(data, values, checkpoints)

    def read(self, path: Path) -> xgboost.Booster:
        """Read a Booster."""
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(path)
        return booster


FLAVOR = XGBoostFlavor()
