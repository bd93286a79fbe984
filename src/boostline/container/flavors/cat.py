"""CatBoost: training, and its models, however they were trained."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

import catboost
import numpy as np

from boostline.container.flavors.base import Model, Rows, Step
from boostline.container.flavors.progress import latest, tell
from boostline.container.flavors.trees import Job, Node, Tree, TreeFlavor, TreeModel, walk
from boostline.container.hyperparameters import Hyperparameter
from boostline.container.objectives import CATBOOST

_METRICS = ("Logloss", "AUC", "F1", "Accuracy", "MultiClass", "RMSE", "MAE", "MAPE", "Poisson")
_BOOTSTRAPS = ("Bayesian", "Bernoulli", "MVS", "No")
_GROWTHS = ("SymmetricTree", "Depthwise", "Lossguide")
_FIXED = {"allow_writing_files": False, "verbose": False}


class CatBoostFlavor(TreeFlavor):
    """Models, and the estimators, which are such too; CatBoost cuts them to their best rounds."""

    name, file, library = "catboost", "model.cbm", catboost
    kind, estimator = catboost.CatBoost, catboost.CatBoost
    rounds = attrgetter("tree_count_")
    error = catboost.CatBoostError
    objectives = CATBOOST
    calls, turns = ("loss_function", "classes_count"), False
    known = (
        Hyperparameter("iterations", "integer", 500, 1, 100_000),
        Hyperparameter("early_stopping_rounds", "integer", 30, 0, 100_000),
        Hyperparameter("eval_metric", "word", "", words=("", *_METRICS)),
        Hyperparameter("learning_rate", "real", 0.1, 1e-6, 1),
        Hyperparameter("depth", "integer", 6, 1, 16),
        Hyperparameter("l2_leaf_reg", "real", 3.0, 0),
        Hyperparameter("random_strength", "real", 1.0, 0),
        Hyperparameter("bootstrap_type", "word", "", words=("", *_BOOTSTRAPS)),
        Hyperparameter("subsample", "real", 1.0, 1e-3, 1),
        Hyperparameter("rsm", "real", 1.0, 1e-3, 1),
        Hyperparameter("border_count", "integer", 254, 1, 65_535),
        Hyperparameter("grow_policy", "word", "SymmetricTree", words=_GROWTHS),
        Hyperparameter("random_seed", "integer", 0, 0, 2**31 - 1),
        Hyperparameter("thread_count", "integer", -1, -1, 1_024),
    )
    # Not every bootstrap has a subsample.
    unset: Mapping[str, object] = {"eval_metric": "", "bootstrap_type": "", "subsample": 1.0}

    def read(self, path: Path) -> catboost.CatBoost:
        """Read a model."""
        return catboost.CatBoost().load_model(str(path))

    def save(self, model: Model, folder: Path) -> None:
        """Write the file: the same bytes for the same model."""
        notes = model.native.get_metadata()
        for name in ("model_guid", "train_finish_time"):
            notes[name] = ""
        super().save(model, folder)

    def objective(self, native: catboost.CatBoost) -> str:
        """Take it from the parameters, where its own may follow."""
        return str(native.get_all_params().get("loss_function")).partition(":")[0]

    def score(self, model: TreeModel, rows: Rows) -> Any:
        """Score rows."""
        number = "Exponent" if model.link == "log" else "RawFormulaVal"
        kind = "Probability" if model.task.classes else number
        scores = model.native.predict(rows, prediction_type=kind, thread_count=1)
        binary = model.task.objective == "binary" and scores.shape[1:] == (2,)
        return scores[:, 1] if binary else scores

    def shares(self, native: catboost.CatBoost, rows: Rows) -> Any:
        """Compute SHAP values; CatBoost's of other trees than symmetric ones do not add up."""
        if not native._object._is_oblivious():  # noqa: SLF001
            return None
        pool = catboost.Pool(rows)
        return native.get_feature_importance(pool, type="ShapValues", thread_count=1)

    def trees(self, native: catboost.CatBoost) -> Iterator[Tree]:
        """Read the JSON form; a leaf holds a value for each class."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "model.json")
            native.save_model(str(file), format="json")
            model = json.loads(file.read_bytes())
        scale = abs(native.get_scale_and_bias()[0])
        symmetric = model.get("oblivious_trees")
        for tree in model["trees"] if symmetric is None else symmetric:
            leaves = walk(tree, _node) if symmetric is None else _oblivious(tree)
            yield ((scale * size, way) for size, way in leaves)

    def start(self, native: catboost.CatBoost) -> float:
        """Take the bias."""
        return float(np.max(np.abs(native.get_scale_and_bias()[1])))

    def fit(self, job: Job) -> catboost.CatBoost:
        """Train a model."""
        train, *held = (
            catboost.Pool(rows.features, rows.labels, weight=weights)
            for _, rows, weights in job.parts
        )
        best = {"use_best_model": self.patience in job.parameters}
        native = catboost.CatBoost(job.parameters | _FIXED | best)
        return native.fit(train, eval_set=held or None, callbacks=[_Progress()])


class _Progress:
    def after_iteration(self, now: Any) -> bool:
        tell(now.iteration - 1, latest(now.metrics))
        return True


def _border(split: dict[str, Any]) -> tuple[int, float]:
    """Give a split's column and value; one by categories has no value."""
    return split.get("float_feature_index", 0), split.get("border", math.nan)


def _node(node: dict[str, Any]) -> Node:
    if "split" in node:
        return (*_border(node["split"]), node["left"], node["right"])
    return float(np.max(np.abs(node["value"])))


def _oblivious(tree: dict[str, Any]) -> Iterator[tuple[float, list[Step]]]:
    """Yield each leaf with the way to it: a bit of its place for each split."""
    splits = [_border(split) for split in tree["splits"] or []]
    leaves = np.abs(tree["leaf_values"]).reshape(2 ** len(splits), -1).max(axis=1)
    for place, leaf in enumerate(leaves.tolist()):
        yield leaf, [(*split, bool(place >> bit & 1)) for bit, split in enumerate(splits)]


FLAVOR = CatBoostFlavor()
