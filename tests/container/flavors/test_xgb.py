from pathlib import Path

import numpy as np
import pytest

from boostline.container.dataset import Dataset
from boostline.container.errors import ContainerError
from boostline.container.flavors import find_flavor
from boostline.container.flavors.xgb import FLAVOR, XGBoostModel
from boostline.container.hyperparameters import read_hyperparameters


def dataset(seed: int, rows: int = 400) -> Dataset:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, 4)).astype(np.float32)
    labels = (features[:, 0] * features[:, 1] + generator.normal(size=rows) > 0).astype(np.float32)
    features[::9, 2] = np.nan
    return Dataset(features, labels)


def train(lines: list[str] | None = None, **given: object) -> XGBoostModel:
    values = read_hyperparameters({"num_round": 60} | given, FLAVOR.hyperparameters)
    say = (lines if lines is not None else []).append
    return FLAVOR.train(dataset(1), dataset(2), "binary", values, say)


def test_it_is_found_by_name() -> None:
    assert find_flavor("xgboost") is FLAVOR


def test_it_stops_early_and_keeps_the_best_rounds() -> None:
    lines: list[str] = []
    model = train(lines, early_stopping_rounds=5)
    losses = [float(line.rsplit(":", 1)[1]) for line in lines]
    assert model.best_iteration == int(np.argmin(losses))
    assert len(losses) == model.best_iteration + 6
    assert lines[0].startswith("[0] train-logloss:0.")


def test_without_early_stopping_it_keeps_all_rounds() -> None:
    assert train(early_stopping_rounds=0).best_iteration == 59


def test_saved_models_score_the_same_and_are_the_same_bytes(tmp_path: Path) -> None:
    rows = dataset(3).features
    saved = []
    for name, threads in (("a", 1), ("b", 2)):
        model = train(subsample=0.7, colsample_bytree=0.5, seed=3, nthread=threads)
        (tmp_path / name).mkdir()
        FLAVOR.save(model, tmp_path / name)
        np.testing.assert_array_equal(
            FLAVOR.load(tmp_path / name).predict(rows), model.predict(rows)
        )
        saved.append((tmp_path / name / "model.ubj").read_bytes())
    assert saved[0] == saved[1]


def test_the_structure_bounds_the_margin() -> None:
    model = train()
    structure = model.structure()
    margins = model.native.inplace_predict(dataset(3).features, predict_type="margin")
    assert structure.leaf_sum >= np.abs(margins).max() - 1.0
    assert {column for column, _ in structure.boundaries} == {0, 1, 2, 3}


def test_other_objectives_are_refused() -> None:
    values = read_hyperparameters({}, FLAVOR.hyperparameters)
    with pytest.raises(ContainerError, match="objective 'multiclass' is not supported"):
        FLAVOR.train(dataset(1), dataset(2), "multiclass", values, print)


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.ubj").write_bytes(b"{broken")
    with pytest.raises(ContainerError, match=r"model\.ubj: not readable"):
        FLAVOR.load(tmp_path)
