"""train: the splits to a sealed model artifact."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from boostline.artifact.folder import seal
from boostline.artifact.golden import Golden, make_golden
from boostline.artifact.manifest import Manifest
from boostline.container.channels import Channels, read_channels
from boostline.container.checkpoints import Checkpoints, digest_files
from boostline.container.code import Context, UserCode, open_code
from boostline.container.dataset import Dataset
from boostline.container.flavors import SERVE_CODE, TRAIN_CODE, with_predict, wrap
from boostline.container.flavors.base import Flavor, Model, Scores, Task
from boostline.container.flavors.xgb import FLAVOR, XGBoostModel
from boostline.container.flavors.xgb_train import HYPERPARAMETERS, train
from boostline.container.hyperparameters import (
    Hyperparameter,
    Value,
    decode_hyperparameters,
    parse_hyperparameters,
    read_hyperparameters,
)
from boostline.container.metrics import measure
from boostline.container.paths import Paths, read_bytes
from boostline.container.threshold import HYPERPARAMETER as THRESHOLD
from boostline.container.threshold import choose_threshold
from boostline.features.record import RecordTransform

_FLAVOR = Hyperparameter("flavor", "word", "xgboost", words=("xgboost",))


@dataclass(frozen=True)
class TrainContext(Context):
    """What the user's ``train`` is told beside its data.

    Attributes
    ----------
    checkpoints
        What SageMaker keeps of an interrupted training; None where it was not asked to.
    """

    checkpoints: Path | None


def run(paths: Paths) -> None:
    """Run the program in a training job's folders.

    Raises
    ------
    ContainerError, FeatureError
        The hyperparameters, the channels or the user's code cannot be used.
    Interrupted
        SIGTERM came; the training can be resumed.
    """
    given = parse_hyperparameters(read_bytes(paths.hyperparameters))
    code = open_code(paths.channel(str(TRAIN_CODE)))
    values = _values(given, code)
    data = read_channels(paths, values)
    _say(f"train: {len(data.train.labels)} rows, {len(data.columns)} columns")
    if code is None:
        flavor, model = _built_in(paths, data, values)
    else:
        flavor, model = _own(paths, data, values, code)
    best = model.best_iteration
    model = _save(paths, flavor, model, reload=code is not None)
    threshold, metrics = _judge(data, model, values[THRESHOLD.name])
    manifest = Manifest(
        flavor=flavor.name,
        objective=data.contract.objective,
        classes=data.contract.classes,
        threshold=threshold,
        best_iteration=best,
        features=data.contract.digest,
        libraries=dict(flavor.libraries()),
        hyperparameters=values,
        metrics=metrics,
    )
    sealed = seal(paths.model, data.contract, manifest, _golden(data, model))
    _say(" ".join(f"validation-{name}:{value:.6f}" for name, value in metrics.items()))
    _say(f"artifact {sealed.artifact[:16]}: {sealed.best_iteration} best, threshold {threshold}")


def _values(given: Mapping[str, object], code: UserCode | None) -> dict[str, Any]:
    """Read the hyperparameters; the user's own training takes any but ``threshold``."""
    if code is None:
        return read_hyperparameters(given, (_FLAVOR, THRESHOLD, *HYPERPARAMETERS))
    values = decode_hyperparameters(given, but=_FLAVOR.name)
    return values | {THRESHOLD.name: THRESHOLD.read(given.get(THRESHOLD.name, THRESHOLD.default))}


def _built_in(paths: Paths, data: Channels, values: dict[str, Any]) -> tuple[Flavor, Model]:
    checkpoints = Checkpoints(paths.checkpoints, _key(paths, values))
    booster = train(data, values, checkpoints)
    return FLAVOR, XGBoostModel(booster, Task.of(data.contract))


def _own(
    paths: Paths, data: Channels, values: dict[str, Any], code: UserCode
) -> tuple[Flavor, Model]:
    paths.extra.mkdir(parents=True, exist_ok=True)
    kept = paths.checkpoints if paths.checkpoints.is_dir() else None
    context = TrainContext(data.contract.objective, data.contract, paths.extra, kept)
    native = code.function("train")(data, dict(values), context)
    return wrap(native, Task.of(data.contract), code)


def _save(paths: Paths, flavor: Flavor, model: Model, *, reload: bool) -> Model:
    """Save the model with the code it needs; what is measured then is what was saved."""
    paths.model.mkdir(parents=True, exist_ok=True)
    for folder in (TRAIN_CODE, SERVE_CODE):
        if folder != TRAIN_CODE or flavor.name == "code":
            _copy_code(paths.channel(str(folder)), paths.model / folder)
    flavor.save(model, paths.model)
    if reload:
        model = flavor.load(paths.model, model.task)
    return with_predict(model, paths.model / SERVE_CODE)


def _copy_code(source: Path, target: Path) -> None:
    for file in [*source.glob("*.py"), *source.glob("requirements.txt")]:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / file.name)


def _judge(data: Channels, model: Model, policy: Value) -> tuple[float | None, dict[str, float]]:
    """Choose the threshold and measure, on the validation rows."""
    objective, rows = data.contract.objective, data.validation
    given = None if objective != "binary" else 0.5 if isinstance(policy, str) else float(policy)
    if rows is None:
        _say(f"no validation rows: no early stopping, no metrics, threshold {given}")
        return given, {}
    scores = _score(model, rows)
    if objective == "binary" and isinstance(policy, str):
        given = choose_threshold(policy, rows.labels, scores)
    return given, measure(objective, rows.labels, scores, given)[0]


def _score(model: Model, rows: Dataset) -> Scores:
    return np.concatenate([model.predict(batch) for batch in rows.batches()])


def _golden(data: Channels, model: Model) -> Golden:
    transform = RecordTransform(data.contract)
    rows = [transform.transform(record) for record in data.records]
    matrix = np.array(rows, dtype=np.float32).reshape(len(rows), len(data.columns))
    return make_golden(data.records, rows, model.predict(matrix).tolist())


def _key(paths: Paths, values: Mapping[str, Any]) -> str:
    """Identify a training by all that its model depends on, if it keeps checkpoints."""
    if not paths.checkpoints.is_dir():
        return ""
    channels = [paths.channel(name) for name in ("train", "validation", "contract")]
    return digest_files(channels) + json.dumps([values, FLAVOR.libraries()], sort_keys=True)


def _say(line: str) -> None:
    print(line, flush=True)
