"""CatBoost: training, and its models, however they were trained."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import catboost
import numpy as np

from boostline.container.flavors.base import Contributions, Model, Rows, Step, Structure, Task
from boostline.container.flavors.trees import (
    SLOPES,
    Split,
    TreeFlavor,
    TreeModel,
    survey,
    tell,
    walk,
)
from boostline.container.hyperparameters import Hyperparameter
from boostline.container.weights import class_weights, row_weights
from boostline.features.spec import Objective

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels

_OBJECTIVES: Mapping[str, Objective] = {
    "Logloss": "binary",
    "MultiClass": "multiclass",
    **dict.fromkeys(("RMSE", "MAE", "Poisson"), "regression"),
}
_LINKS = {
    **dict.fromkeys(("Logloss", "CrossEntropy"), "logit"),
    "MultiClass": "softmax",
    **dict.fromkeys(("Poisson", "Tweedie"), "log"),
}
_METRICS = ("Logloss", "AUC", "F1", "Accuracy", "MultiClass", "RMSE", "MAE", "MAPE", "Poisson")
_BOOTSTRAPS = ("Bayesian", "Bernoulli", "MVS", "No")
_GROWTHS = ("SymmetricTree", "Depthwise", "Lossguide")
_UNSET: Mapping[str, object] = {
    "early_stopping_rounds": 0,
    **dict.fromkeys(("eval_metric", "bootstrap_type"), ""),
    "subsample": 1.0,  # not every bootstrap has one
}


class CatBoostModel(TreeModel):
    """A model of any of CatBoost's classes."""

    def __init__(self, native: catboost.CatBoost, task: Task) -> None:
        super().__init__(native, task)
        loss = str(native.get_all_params().get("loss_function")).partition(":")[0]
        self._link = _LINKS.get(loss, "identity")
        number = "Exponent" if self._link == "log" else "RawFormulaVal"
        self._kind = "Probability" if task.classes else number

    @property
    def best_iteration(self) -> int:
        """The last round."""
        return int(self.native.tree_count_) - 1

    def score(self, rows: Rows) -> Any:
        """Score rows."""
        scores = self.native.predict(rows, prediction_type=self._kind, thread_count=1)
        if self.task.objective != "binary" or scores.shape[1:] != (2,):
            return scores
        return scores[:, 1]

    def contributions(self, rows: Rows) -> Contributions:
        """Compute SHAP values."""
        pool = catboost.Pool(rows)
        parts = self.native.get_feature_importance(pool, type="ShapValues", thread_count=1)
        return Contributions(np.asarray(parts, dtype=np.float64), self._link)

    def structure(self) -> Structure:
        """Read leaves and borders."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "model.json")
            self.native.save_model(str(file), format="json")
            model = json.loads(file.read_bytes())
        symmetric = model.get("oblivious_trees")
        trees = map(_leaves, model["trees"]) if symmetric is None else map(_oblivious, symmetric)
        leaves, ways = survey(trees, lambda leaf: float(np.max(np.abs(leaf))))
        scale, bias = self.native.get_scale_and_bias()
        return Structure(
            float(abs(scale) * sum(leaves) + np.max(np.abs(bias))),
            ways,
            SLOPES[self.task.objective],
            len(leaves),
        )


def _border(split: dict[str, Any]) -> tuple[int, float]:
    """Give a split's column and value; one by categories has no value."""
    return split.get("float_feature_index", 0), split.get("border", math.nan)


def _split(node: dict[str, Any]) -> Split:
    return (*_border(node["split"]), node["left"], node["right"]) if "split" in node else None


def _leaves(tree: dict[str, Any]) -> Iterator[tuple[Any, list[Step]]]:
    return ((leaf["value"], way) for leaf, way in walk(tree, _split))


def _oblivious(tree: dict[str, Any]) -> Iterator[tuple[Any, list[Step]]]:
    """Yield each leaf's values with the way to it: a bit of its place for each split."""
    splits = [_border(split) for split in tree["splits"] or []]
    leaves = np.reshape(tree["leaf_values"], (2 ** len(splits), -1))
    for place, leaf in enumerate(leaves):
        yield leaf, [(*split, bool(place >> bit & 1)) for bit, split in enumerate(splits)]


class CatBoostFlavor(TreeFlavor):
    """Models, and the estimators that are such."""

    name, file, error = "catboost", "model.cbm", catboost.CatBoostError
    model, objectives = CatBoostModel, _OBJECTIVES
    known = (
        Hyperparameter("iterations", "integer", 500, 1, 100_000),
        Hyperparameter("early_stopping_rounds", "integer", 30, 0, 100_000),
        Hyperparameter("eval_metric", "word", "", words=("", *_METRICS)),
        Hyperparameter("learning_rate", "real", 0.1, 1e-6, 1.0),
        Hyperparameter("depth", "integer", 6, 1, 16),
        Hyperparameter("l2_leaf_reg", "real", 3.0, 0.0),
        Hyperparameter("random_strength", "real", 1.0, 0.0),
        Hyperparameter("bootstrap_type", "word", "", words=("", *_BOOTSTRAPS)),
        Hyperparameter("subsample", "real", 1.0, 1e-3, 1.0),
        Hyperparameter("rsm", "real", 1.0, 1e-3, 1.0),
        Hyperparameter("border_count", "integer", 254, 1, 65_535),
        Hyperparameter("grow_policy", "word", "SymmetricTree", words=_GROWTHS),
        Hyperparameter("random_seed", "integer", 0, 0, 2**31 - 1),
        Hyperparameter("thread_count", "integer", -1, -1, 1_024),
    )

    def take(self, native: Any) -> catboost.CatBoost | None:
        """Take a model; CatBoost cuts it to its best iteration itself."""
        return native if isinstance(native, catboost.CatBoost) else None

    def fit(self, data: Channels, values: Mapping[str, Any], checkpoints: object) -> Any:  # noqa: ARG002
        """Train a model."""
        names = [item.name for item in self.known]
        parameters = {name: values[name] for name in names if values[name] != _UNSET.get(name)}
        if data.classes and data.contract.objective == "multiclass":
            parameters["classes_count"] = len(data.classes)
        weights = class_weights(values["class_weight"], data)
        pools = [
            catboost.Pool(rows.features, rows.labels, weight=row_weights(rows, weights))
            for rows in (data.train, data.validation)
            if rows is not None
        ]
        native = catboost.CatBoost(
            parameters
            | {"loss_function": values["objective"], "allow_writing_files": False, "verbose": False}
            | {"use_best_model": len(pools) > 1 and "early_stopping_rounds" in parameters}
        )
        return native.fit(pools[0], eval_set=pools[1:] or None, callbacks=[_Progress()])

    def save(self, model: Model, folder: Path) -> None:
        """Write the file: the same bytes for the same model."""
        notes = model.native.get_metadata()
        for name in ("model_guid", "train_finish_time"):
            notes[name] = ""
        super().save(model, folder)

    def read(self, path: Path) -> catboost.CatBoost:
        """Read a model."""
        return catboost.CatBoost().load_model(str(path))


class _Progress:
    def after_iteration(self, now: Any) -> bool:
        found = [(rows, *item) for rows, metrics in now.metrics.items() for item in metrics.items()]
        tell(now.iteration - 1, ((rows, name, values[-1]) for rows, name, values in found))
        return True


FLAVOR = CatBoostFlavor()
