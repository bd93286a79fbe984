"""XGBoost: training, and its models, however they were trained."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from operator import methodcaller
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import xgboost

from boostline.container.flavors.base import Rows
from boostline.container.flavors.rounds import Rounds, parse
from boostline.container.flavors.trees import Job, Node, Tree, TreeFlavor, TreeModel, walk
from boostline.container.hyperparameters import Hyperparameter, alike
from boostline.container.objectives import XGBOOST
from boostline.container.weights import Part

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
        *alike("num_round", "integer", 500, 1, 100_000),
        *alike("early_stopping_rounds", "integer", 30, 0, 100_000),
        *alike("checkpoint_rounds", "integer", 100, 1, 100_000),
        *alike("external_memory_mib", "integer", 16_384, 0, 2**31),
        Hyperparameter("eval_metric", "word", "", words=("", *_METRICS)),
        *alike("max_depth", "integer", 6, 0, 30),
        *alike("max_leaves", "integer", 0, 0, 2**20),
        Hyperparameter("grow_policy", "word", "depthwise", words=("depthwise", "lossguide")),
        *alike("eta=learning_rate", "real", 0.1, 1e-6, 1),
        *alike("subsample colsample_bytree", "real", 1.0, 1e-3, 1),
        *alike("colsample_bylevel colsample_bynode", "real", 1.0, 1e-3, 1),
        *alike("min_child_weight lambda=reg_lambda", "real", 1.0, 0),
        *alike("max_delta_step gamma=min_split_loss alpha=reg_alpha", "real", 0.0, 0),
        *alike("max_bin", "integer", 256, 2, 65_536),
        *alike("scale_pos_weight", "real", 1.0, 1e-6),
        *alike("seed", "integer", 0, 0, 2**31 - 1),
        *alike("nthread", "integer", 0, 0, 1_024),
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
        """Train a Booster: the same bytes whether the training was interrupted or not."""
        own = job.parameters | {"tree_method": "hist"}
        own["objective"] = own["objective"].replace("softmax", "softprob")  # the same trees
        most, block = own.pop("num_round"), own.pop("checkpoint_rounds")
        rounds = Rounds(job.checkpoints, most, block, own.pop(self.patience, 0))
        on_disk = job.size > own.pop("external_memory_mib") * 2**20
        with TemporaryDirectory(prefix="boostline-") as folder:
            matrices = _matrices(job, Path(folder) if on_disk else None)
            evals = [*zip(matrices, ("train", "validation"), strict=False)]
            with job.checkpoints.watched():
                while rounds.block:
                    parameters = own | {"seed": own["seed"] + rounds.done}
                    booster = xgboost.Booster(parameters, matrices, bytearray(rounds.model) or None)
                    for place in range(rounds.done, rounds.done + rounds.block):
                        booster.update(matrices[0], place)
                        if rounds.told(parse(booster.eval_set(evals, place))):
                            break
                    rounds.keep(booster.save_raw)
            del matrices, evals  # XGBoost removes its files, which must be there still
        return booster[: rounds.kept]


def _node(node: dict[str, Any]) -> Node:
    if "leaf" in node:
        return abs(float(node["leaf"]))
    by_id = {child["nodeid"]: child for child in node["children"]}
    # A split by categories has none but a list of them; a number is written in fewer digits than
    # float64 needs, and stands for the nearest float32 one.
    value = node["split_condition"]
    number = float(np.float32(value)) if isinstance(value, int | float) else np.nan
    return int(node["split"][1:]), number, by_id[node["yes"]], by_id[node["no"]]


def _matrices(job: Job, folder: Path | None) -> list[xgboost.DMatrix]:
    """Bin the rows; a folder holds them, where memory does not."""
    make = xgboost.ExtMemQuantileDMatrix if folder else xgboost.QuantileDMatrix
    options = {"max_bin": job.parameters["max_bin"], "nthread": job.parameters["nthread"] or None}
    train, *held = (_Batches(part, folder) for part in job.parts)
    first = make(train, **options)
    return [first, *(make(rows, ref=first, **options) for rows in held)]


class _Batches(xgboost.DataIter):
    """Hands XGBoost some rows at a time; it reads them several times."""

    def __init__(self, part: Part, folder: Path | None) -> None:
        super().__init__(cache_prefix=str(folder / part.name) if folder else None)
        self._part = part

    def reset(self) -> None:
        self._batches = self._part.batches()

    def next(self, input_data: Any) -> bool:
        batch = next(self._batches, None)
        if batch:
            input_data(**dict(zip(("data", "label", "weight"), batch, strict=False)))
        return batch is not None


FLAVOR = XGBoostFlavor()
