"""The training of XGBoost: its histograms over batches of rows, early stopping, checkpoints."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from boostline.container.checkpoints import Checkpoints, State
from boostline.container.hyperparameters import Hyperparameter, Value
from boostline.container.weights import class_weights, row_weights

if TYPE_CHECKING:  # they read tables, and serving does not
    from boostline.container.channels import Channels
    from boostline.container.dataset import Dataset

_METRICS = (
    *("logloss", "error", "auc", "aucpr", "mlogloss", "merror"),
    *("rmse", "mae", "mape", "rmsle", "mphe", "gamma-nloglik", "poisson-nloglik"),
)
_Named = tuple[xgboost.DMatrix, str]
_RISING = ("auc", "aucpr")  # the others are better when they fall

_OURS = (
    Hyperparameter("num_round", "integer", 500, 1, 100_000),
    Hyperparameter("early_stopping_rounds", "integer", 30, 0, 100_000),
    Hyperparameter("eval_metric", "word", "", words=("", *_METRICS)),
    Hyperparameter("checkpoint_rounds", "integer", 100, 1, 100_000),
    Hyperparameter("external_memory_mib", "integer", 16_384, 0, 2**31),
)
_THEIRS = (
    Hyperparameter("max_depth", "integer", 6, 0, 30),
    Hyperparameter("max_leaves", "integer", 0, 0, 2**20),
    Hyperparameter("grow_policy", "word", "depthwise", words=("depthwise", "lossguide")),
    Hyperparameter("eta", "real", 0.1, 1e-6, 1.0, aliases=("learning_rate",)),
    Hyperparameter("subsample", "real", 1.0, 1e-3, 1.0),
    Hyperparameter("colsample_bytree", "real", 1.0, 1e-3, 1.0),
    Hyperparameter("colsample_bylevel", "real", 1.0, 1e-3, 1.0),
    Hyperparameter("colsample_bynode", "real", 1.0, 1e-3, 1.0),
    Hyperparameter("min_child_weight", "real", 1.0, 0.0),
    Hyperparameter("max_delta_step", "real", 0.0, 0.0),
    Hyperparameter("gamma", "real", 0.0, 0.0, aliases=("min_split_loss",)),
    Hyperparameter("lambda", "real", 1.0, 0.0, aliases=("reg_lambda",)),
    Hyperparameter("alpha", "real", 0.0, 0.0, aliases=("reg_alpha",)),
    Hyperparameter("max_bin", "integer", 256, 2, 65_536),
    Hyperparameter("scale_pos_weight", "real", 1.0, 1e-6),
    Hyperparameter("seed", "integer", 0, 0, 2**31 - 1),
    Hyperparameter("nthread", "integer", 0, 0, 1_024),
)
HYPERPARAMETERS = (*_OURS, *_THEIRS)


def train(
    data: Channels, hyperparameters: Mapping[str, Value], checkpoints: Checkpoints
) -> xgboost.Booster:
    """Train; stop when the validation metric no longer improves.

    Parameters
    ----------
    data
        The rows; they are read in batches, and kept as histogram bins alone.
    hyperparameters
        A value for each of ``HYPERPARAMETERS``, ``objective`` and ``class_weight``.
    checkpoints
        Where to resume from, and what is told the state every ``checkpoint_rounds``.

    Returns
    -------
    xgboost.Booster
        Cut to its best rounds: the same bytes whether the training was interrupted or not.

    Raises
    ------
    ContainerError, xgboost.core.XGBoostError
        The values are refused.
    Interrupted
        SIGTERM came.
    """
    parameters = _parameters(data, hyperparameters)
    weights = class_weights(str(hyperparameters["class_weight"]), data)
    limit = int(hyperparameters["external_memory_mib"]) * 2**20
    with _matrices(data, parameters, weights, limit) as evals, checkpoints.watched():
        return _Training(parameters, hyperparameters, evals, checkpoints).run()


class _Training:
    """The rounds of one training."""

    def __init__(
        self,
        parameters: dict[str, Any],
        values: Mapping[str, Value],
        evals: list[_Named],
        checkpoints: Checkpoints,
    ) -> None:
        self._parameters = parameters
        self._rounds = int(values["num_round"])
        self._block = int(values["checkpoint_rounds"])
        # Without validation rows all rounds are kept.
        self._patience = int(values["early_stopping_rounds"]) if len(evals) > 1 else 0
        self._rising = values["eval_metric"] in _RISING
        self._evals = evals
        self._checkpoints = checkpoints

    def run(self) -> xgboost.Booster:
        state, model = self._checkpoints.load()
        if model:
            print(f"resumed after round {state.rounds} from the checkpoint", flush=True)
        while True:
            # Sampling and the sums of leaves depend on what was done since the Booster was made.
            # So every training makes it anew at the same rounds, interrupted or not.
            booster = self._booster(state, model)
            state = self._run_block(booster, state)
            if self._ended(state):
                break
            model = bytes(booster.save_raw("ubj"))
            self._checkpoints.save(state, model)
            self._checkpoints.check(state.rounds, saved=True)
        # The slice holds no matrix.
        return booster[: state.best_round + 1 if self._patience else state.rounds]

    def _booster(self, state: State, model: bytes) -> xgboost.Booster:
        parameters = self._parameters | {"seed": self._parameters["seed"] + state.rounds}
        cache = [matrix for matrix, _ in self._evals]
        return xgboost.Booster(parameters, cache, bytearray(model) if model else None)

    def _run_block(self, booster: xgboost.Booster, state: State) -> State:
        for place in range(state.rounds, min(state.rounds + self._block, self._rounds)):
            booster.update(self._evals[0][0], place)
            line = " ".join(booster.eval_set(self._evals, place).split())
            print(re.sub(r"(\.\d{6})\d+", r"\1", line), flush=True)
            state = self._judged(place, float(line.rpartition(":")[2]), state)
            if self._ended(state):
                break
            self._checkpoints.check(state.rounds, saved=False)
        return state

    def _judged(self, place: int, score: float, state: State) -> State:
        best = state.best_score
        better = best is None or (score > best if self._rising else score < best)
        if better:
            return State(place + 1, place, score)
        return State(place + 1, state.best_round, best)

    def _ended(self, state: State) -> bool:
        tired = self._patience and state.rounds - 1 - state.best_round >= self._patience
        return bool(tired) or state.rounds >= self._rounds


def _parameters(data: Channels, values: Mapping[str, Value]) -> dict[str, Any]:
    parameters: dict[str, Any] = {item.name: values[item.name] for item in _THEIRS}
    parameters |= {
        "objective": str(values["objective"]).replace("softmax", "softprob"),
        "tree_method": "hist",
    }
    if values["eval_metric"]:
        parameters["eval_metric"] = values["eval_metric"]  # or the objective's own
    if data.contract.objective != "binary" and parameters["scale_pos_weight"] == 1.0:
        del parameters["scale_pos_weight"]  # XGBoost warns of what it does not use
    if data.contract.objective == "multiclass":
        parameters["num_class"] = len(data.classes or [])
    return parameters


@contextmanager
def _matrices(
    data: Channels,
    parameters: Mapping[str, Any],
    weights: NDArray[np.float32] | None,
    limit: int,
) -> Iterator[list[_Named]]:
    size = len(data.train.labels) * len(data.columns) * 4
    on_disk = size > limit
    kind = xgboost.ExtMemQuantileDMatrix if on_disk else xgboost.QuantileDMatrix
    options = {"max_bin": parameters["max_bin"], "nthread": parameters["nthread"] or None}
    with tempfile.TemporaryDirectory(prefix="boostline-") as folder:
        rows = _Batches(data.train, weights, Path(folder, "train") if on_disk else None)
        evals: list[_Named] = [(kind(rows, **options), "train")]
        if data.validation is not None:
            rows = _Batches(data.validation, weights, Path(folder, "val") if on_disk else None)
            evals.append((kind(rows, ref=evals[0][0], **options), "validation"))
        yield evals
        evals.clear()  # XGBoost removes its files, which must be there still


class _Batches(xgboost.DataIter):
    """Hands XGBoost the rows of a dataset, some at a time; it reads them several times."""

    def __init__(
        self, dataset: Dataset, weights: NDArray[np.float32] | None, cache: Path | None
    ) -> None:
        super().__init__(cache_prefix=str(cache) if cache else None)
        self._dataset = dataset
        self._weights = row_weights(dataset, weights)
        self.reset()

    def reset(self) -> None:
        self._start = 0
        self._batches = self._dataset.batches()

    def next(self, input_data: Any) -> bool:
        features = next(self._batches, None)
        if features is None:
            return False
        part = slice(self._start, self._start + len(features))
        self._start = part.stop
        weight = None if self._weights is None else self._weights[part]
        input_data(data=features, label=self._dataset.labels[part], weight=weight)
        return True
