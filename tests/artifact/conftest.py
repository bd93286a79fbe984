"""A contract, and a folder with an artifact sealed in it (its model is just bytes)."""

from pathlib import Path

import pytest

from boostline.artifact.folder import seal
from boostline.artifact.golden import make_golden
from boostline.artifact.manifest import Manifest
from boostline.features.contract import FeatureContract, fitted
from boostline.features.spec import FeatureSpec

NAN = float("nan")


@pytest.fixture
def contract() -> FeatureContract:
    spec = FeatureSpec(label="y", numeric=["x"], categorical=["c"])
    return fitted(spec, {"c": ["a", "b"]}, ["no", "yes"])


@pytest.fixture
def manifest(contract: FeatureContract) -> Manifest:
    return Manifest(
        flavor="xgboost",
        objective="binary",
        classes=["no", "yes"],
        threshold=0.41,
        best_iteration=7,
        features=contract.digest,
        libraries={"xgboost": "3.2.0"},
        hyperparameters={"eta": 0.1},
        metrics={"auc": 0.9},
    )


@pytest.fixture
def sealed(tmp_path: Path, contract: FeatureContract, manifest: Manifest) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.ubj").write_bytes(b"trees")
    records: list[dict[str, object]] = [
        {"x": 1, "c": "a"},
        {"x": 0.1, "c": "b"},
        {"x": None, "c": "b"},
    ]
    rows = [[1.0, 0.0], [0.10000000149011612, 1.0], [NAN, 1.0]]
    seal(folder, contract, manifest, make_golden(records, rows, [0.1, 0.2, 0.3]))
    return folder
