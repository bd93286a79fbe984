"""train: the splits to a sealed model artifact."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from boostline.artifact.folder import seal
from boostline.artifact.golden import Golden, make_golden
from boostline.artifact.manifest import Manifest
from boostline.container.channels import Channels, read_channels
from boostline.container.checkpoints import Checkpoints, digest_files
from boostline.container.code import Context, UserCode, open_code
from boostline.container.dataset import Dataset
from boostline.container.flavors import SERVE_CODE, TRAIN_CODE, find_flavor, with_predict, wrap
from boostline.container.flavors.base import Flavor, Model, Scores, Task
from boostline.container.hyperparameters import (
    Value,
    decode,
    decode_hyperparameters,
    parse_hyperparameters,
    read_hyperparameters,
)
from boostline.container.metrics import measure
from boostline.container.objectives import CLASSES, NAME, XGBOOST, choose, hyperparameter
from boostline.container.paths import Paths, read_bytes
from boostline.container.threshold import HYPERPARAMETER as THRESHOLD
from boostline.container.threshold import choose_threshold
from boostline.container.weights import HYPERPARAMETER as CLASS_WEIGHT
from boostline.features.record import RecordTransform
from boostline.features.spec import Objective

_FLAVOR, _DEFAULT = "flavor", "xgboost"


@dataclass(frozen=True)
class TrainContext(Context):
    """What the user's ``train`` is told beside its data.

    Attributes
    ----------
    checkpoints
        What SageMaker keeps of an interrupted training; None where it was not asked to.
    """

    checkpoints: Path | None


class _Trained(NamedTuple):
    data: Channels
    values: dict[str, Any]
    flavor: Flavor
    model: Model


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
    trained = _built_in(paths, given) if code is None else _own(paths, given, code)
    data, values, flavor, model = trained
    best = model.best_iteration
    model = _save(paths, data, flavor, model)
    threshold, metrics = _judge(data, model, values[THRESHOLD.name])
    manifest = Manifest(
        flavor=flavor.name,
        objective=data.contract.objective,
        classes=data.contract.classes,
        threshold=threshold,
        best_iteration=best,
        features=data.contract.digest,
        libraries=dict(flavor.libraries()),
        # JSON has no number for NaN and infinity: their names are kept.
        hyperparameters=json.loads(json.dumps(values), parse_constant=str),
        metrics=metrics,
    )
    sealed = seal(paths.model, data.contract, manifest, _golden(data, model))
    _say(" ".join(f"validation-{name}:{value:.6f}" for name, value in metrics.items()))
    _say(f"artifact {sealed.artifact[:16]}: {sealed.best_iteration} best, threshold {threshold}")


def _built_in(paths: Paths, given: Mapping[str, object]) -> _Trained:
    flavor = find_flavor(str(decode(given.get(_FLAVOR, _DEFAULT))))
    own = {name: value for name, value in given.items() if name != _FLAVOR}
    known = (hyperparameter(flavor.objectives), CLASSES, CLASS_WEIGHT, THRESHOLD)
    values: dict[str, Any] = read_hyperparameters(own, (*known, *flavor.hyperparameters(own)))
    data = _read(paths, values, flavor.objectives)
    values |= {
        _FLAVOR: flavor.name,
        NAME: choose(flavor.objectives, data.contract.objective, values[NAME]),
    }
    checkpoints = Checkpoints(paths.checkpoints, _key(paths, values, flavor))
    return _Trained(data, values, flavor, flavor.train(data, values, checkpoints))


def _own(paths: Paths, given: Mapping[str, object], code: UserCode) -> _Trained:
    """Let the user's file train; it takes any hyperparameter, and ``threshold`` is ours."""
    values = decode_hyperparameters(given, but=_FLAVOR)
    values[THRESHOLD.name] = THRESHOLD.read(given.get(THRESHOLD.name, THRESHOLD.default))
    data = _read(paths, values)
    paths.extra.mkdir(parents=True, exist_ok=True)
    kept = paths.checkpoints if paths.checkpoints.is_dir() else None
    context = TrainContext(data.contract.objective, data.contract, paths.extra, kept)
    native = code.function("train")(data, dict(values), context)
    return _Trained(data, values, *wrap(native, Task.of(data.contract), code, data.columns))


def _read(
    paths: Paths, values: Mapping[str, object], objectives: Mapping[str, Objective] = XGBOOST
) -> Channels:
    data = read_channels(paths, values, objectives)
    _say(f"train: {len(data.train.labels)} rows, {len(data.columns)} columns")
    return data


def _save(paths: Paths, data: Channels, flavor: Flavor, model: Model) -> Model:
    """Save the model with the code it needs; what is measured then is what was saved."""
    paths.model.mkdir(parents=True, exist_ok=True)
    for folder in (TRAIN_CODE, SERVE_CODE):
        if folder != TRAIN_CODE or flavor.name == "code":
            _copy_code(paths.channel(str(folder)), paths.model / folder)
    flavor.save(model, paths.model)
    loaded = flavor.load(paths.model, model.task)
    served = with_predict(loaded, paths.model / SERVE_CODE)
    if served is loaded:
        # A record may lack any value: a model that refuses that is not for serving.
        loaded.predict(np.full((1, len(data.columns)), np.nan, dtype=np.float32))
    return served


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


def _key(paths: Paths, values: Mapping[str, Any], flavor: Flavor) -> str:
    """Identify a training by all that its model depends on, if it keeps checkpoints."""
    if not paths.checkpoints.is_dir():
        return ""
    channels = [paths.channel(name) for name in ("train", "validation", "contract")]
    return digest_files(channels) + json.dumps([values, dict(flavor.libraries())], sort_keys=True)


def _say(line: str) -> None:
    print(line, flush=True)
