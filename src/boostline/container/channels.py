"""The channels of a training job: splits with their contract, or SageMaker's classic layout."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from boostline.artifact.folder import FEATURES
from boostline.artifact.golden import nullable
from boostline.container.dataset import Dataset, check_labels, read_classic, read_dataset
from boostline.container.errors import ContainerError
from boostline.container.objectives import CLASSES, NAME, XGBOOST, hyperparameter
from boostline.container.paths import Paths, read_bytes
from boostline.features.contract import FeatureContract, fitted
from boostline.features.spec import FeatureSpec, Objective

_GOLDEN_RECORDS = 20


@dataclass(frozen=True)
class Channels:
    """What there is to train on.

    Attributes
    ----------
    contract
        The feature contract.
    train, validation
        The rows; the classic layout may have no validation.
    records
        Raw records to seal with their scores.
    """

    contract: FeatureContract
    train: Dataset
    validation: Dataset | None
    records: list[dict[str, Any]]

    @property
    def columns(self) -> list[str]:
        """The names of the features, in their order."""
        return self.contract.columns

    @property
    def classes(self) -> list[str] | None:
        """The label's classes in the order of their codes; None for regression."""
        return self.contract.classes


def read_channels(
    paths: Paths,
    hyperparameters: Mapping[str, object],
    objectives: Mapping[str, Objective] = XGBOOST,
) -> Channels:
    """Open the channels.

    Parameters
    ----------
    paths
        The folders of the job: channels ``train``, ``validation`` and ``contract`` as process
        wrote them; without ``contract``, ``train`` and perhaps ``validation`` as CSV without a
        header, the label first.
    hyperparameters
        The classic layout is told by ``objective`` (regression where it says nothing) and
        ``num_class`` what its labels are.
    objectives
        The names that ``objective`` may have, and ours.

    Returns
    -------
    Channels
        The rows and their contract.

    Raises
    ------
    ContainerError, ContractError
        A channel is missing, or its files cannot be used.
    """
    if not paths.channel("contract").exists() and paths.channel("train").exists():
        chosen = str(hyperparameter(objectives).read(hyperparameters.get(NAME, "")))
        classes = CLASSES.read(hyperparameters.get(CLASSES.name, CLASSES.default))
        return _classic(paths, objectives.get(chosen, "regression"), int(classes))
    contract = FeatureContract.from_json(read_bytes(paths.channel("contract") / FEATURES))
    return Channels(
        contract,
        read_dataset(paths.channel("train"), contract),
        read_dataset(paths.channel("validation"), contract),
        _records(paths.channel("contract") / "golden_records.json"),
    )


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(read_bytes(path), type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContainerError(f"{path.name}: {error}") from None


def _classic(paths: Paths, objective: Objective, classes: int) -> Channels:
    train = read_classic(paths.channel("train"))
    present = paths.channel("validation").exists()
    validation = read_classic(paths.channel("validation")) if present else None
    matrix = next(train.batches(_GOLDEN_RECORDS))
    spec = FeatureSpec(
        label="label", numeric=[f"f{i}" for i in range(matrix.shape[1])], objective=objective
    )
    count = {"binary": 2, "regression": 0}.get(objective, classes or int(train.labels.max()) + 1)
    if count > CLASSES.high:
        raise ContainerError(
            f"{train.source}: label {count - 1} is no code of a class: expected whole numbers from "
            f"0, of {CLASSES.high:,} classes at most; name a regression's objective for others"
        )
    names = [str(code) for code in range(count)] or None
    contract = fitted(spec, {}, names)
    for dataset in (train, validation):
        if dataset is not None:
            check_labels(dataset, contract)
    records = [dict(zip(contract.columns, nullable(row), strict=True)) for row in matrix.tolist()]
    return Channels(contract, train, validation, records)
