"""train: the splits to a sealed model artifact."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from boostline.artifact.folder import FEATURES, seal
from boostline.artifact.golden import Golden, make_golden
from boostline.artifact.manifest import Manifest
from boostline.container.dataset import Dataset, read_dataset
from boostline.container.errors import ContainerError
from boostline.container.flavors import FLAVORS, find_flavor
from boostline.container.flavors.base import Model, Scores
from boostline.container.hyperparameters import (
    Hyperparameter,
    Value,
    parse_hyperparameters,
    read_hyperparameters,
)
from boostline.container.metrics import binary_metrics
from boostline.container.paths import Paths, read_bytes
from boostline.container.threshold import POLICIES, choose_threshold
from boostline.features.contract import FeatureContract
from boostline.features.record import RecordTransform

_FLAVOR = Hyperparameter("flavor", "word", "xgboost", words=tuple(FLAVORS))
_THRESHOLD = Hyperparameter("threshold", "real", "best_f1", 0.0, 1.0, words=tuple(POLICIES))


def run(paths: Paths) -> None:
    """Run the program in a training job's folders.

    Raises
    ------
    ContainerError, FeatureError
        The hyperparameters or the channels cannot be used.
    """
    given = parse_hyperparameters(read_bytes(paths.hyperparameters))
    flavor = find_flavor(str(_FLAVOR.read(given.get("flavor", _FLAVOR.default))))
    values = read_hyperparameters(given, [_FLAVOR, _THRESHOLD, *flavor.hyperparameters])
    contract = FeatureContract.from_json(read_bytes(paths.channel("contract") / FEATURES))
    train = read_dataset(paths.channel("train"), contract)
    validation = read_dataset(paths.channel("validation"), contract)
    print(f"train: {len(train.labels)} rows, {len(contract.columns)} columns", flush=True)
    model = flavor.train(train, validation, contract.objective, values, _say)
    scores = model.predict(validation.features)
    threshold = _threshold(values["threshold"], validation, scores)
    metrics, _ = binary_metrics(validation.labels, scores, threshold)
    manifest = Manifest(
        flavor=flavor.name,
        objective=contract.objective,
        classes=contract.classes,
        threshold=threshold,
        best_iteration=model.best_iteration,
        features=contract.digest,
        libraries=dict(flavor.libraries()),
        hyperparameters=dict(values),
        metrics=metrics,
    )
    golden = _golden(paths.channel("contract"), contract, model)
    paths.model.mkdir(parents=True, exist_ok=True)
    flavor.save(model, paths.model)
    sealed = seal(paths.model, contract, manifest, golden)
    _say(" ".join(f"validation-{name}:{value:.6f}" for name, value in metrics.items()))
    _say(f"artifact {sealed.artifact[:16]}: {model.best_iteration} best, threshold {threshold}")


def _threshold(policy: Value, validation: Dataset, scores: Scores) -> float:
    if isinstance(policy, str):
        return choose_threshold(policy, validation.labels, scores)
    return float(policy)


def _golden(folder: Path, contract: FeatureContract, model: Model) -> Golden:
    path = folder / "golden_records.json"
    try:
        records: list[Mapping[str, Any]] = msgspec.json.decode(
            read_bytes(path), type=list[dict[str, Any]]
        )
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContainerError(f"{path.name}: {error}") from None
    transform = RecordTransform(contract)
    rows = [transform.transform(record) for record in records]
    matrix = np.array(rows, dtype=np.float32).reshape(len(rows), len(contract.columns))
    return make_golden(records, rows, model.predict(matrix).tolist())


def _say(line: str) -> None:
    print(line, flush=True)
