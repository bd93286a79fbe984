from pathlib import Path

import numpy as np
import pytest
import xgboost

from boostline.container.errors import ContainerError
from boostline.container.flavors import find_flavor
from boostline.container.flavors.base import Rows, Task
from boostline.container.flavors.trees import TreeModel
from boostline.container.flavors.xgb import FLAVOR

TASKS = {
    "binary:logistic": Task("binary", 2),
    "multi:softprob": Task("multiclass", 3),
    "reg:squarederror": Task("regression", 0),
}


def rows(seed: int) -> Rows:
    found = np.random.default_rng(seed).normal(size=(400, 4)).astype(np.float32)
    found[::9, 2] = np.nan
    return found


def booster(objective: str) -> xgboost.Booster:
    features, task = rows(1), TASKS[objective]
    signal = features[:, 0] * features[:, 1] + features[:, 3]
    codes = np.digitize(signal, [0.0, 1.0][: max(task.classes - 1, 0)])
    labels = codes if task.classes else 100 + signal
    classes = {"num_class": 3} if task.objective == "multiclass" else {}
    return xgboost.train({"objective": objective, **classes}, xgboost.DMatrix(features, labels), 30)


def model(objective: str) -> TreeModel:
    wrapped = FLAVOR.wrap(booster(objective), TASKS[objective])
    assert wrapped is not None
    return wrapped


def test_it_is_found_by_name() -> None:
    assert find_flavor("xgboost") is FLAVOR


@pytest.mark.parametrize("objective", TASKS)
def test_saved_models_score_the_same(tmp_path: Path, objective: str) -> None:
    made = model(objective)
    FLAVOR.save(made, tmp_path)
    loaded = FLAVOR.load(tmp_path, TASKS[objective])
    scores = loaded.predict(rows(3))
    assert scores.shape == TASKS[objective].shape(400)
    np.testing.assert_array_equal(scores, made.predict(rows(3)))
    assert loaded.predict(rows(3)[:0]).shape == TASKS[objective].shape(0)


@pytest.mark.parametrize("objective", TASKS)
def test_the_structure_bounds_the_sum_of_the_leaves(objective: str) -> None:
    made = model(objective)
    structure = made.structure()
    assert structure is not None
    sums = made.native.inplace_predict(rows(3), predict_type="margin")
    assert structure.leaf_sum >= np.abs(sums).max() - 1.0
    assert {*structure.ways.column.tolist()} == {0, 1, 2, 3}


def test_estimators_are_cut_to_their_best_iteration() -> None:
    features = rows(1)
    labels = (features[:, 0] > 0).astype(int)
    estimator = xgboost.XGBClassifier(n_estimators=50, early_stopping_rounds=2)
    estimator.fit(features, labels, eval_set=[(rows(2), labels)], verbose=False)
    made = FLAVOR.wrap(estimator, Task("binary", 2))
    assert made is not None
    assert made.best_iteration == estimator.best_iteration < 49
    expected = estimator.predict_proba(features)[:, 1]
    np.testing.assert_allclose(made.predict(features), expected, rtol=1e-6)


def test_names_of_features_do_not_matter() -> None:
    features = rows(1)
    matrix = xgboost.DMatrix(features, features[:, 0], feature_names=["p", "q", "r", "s"])
    made = FLAVOR.wrap(xgboost.train({}, matrix, 3), Task("regression", 0))
    assert made is not None
    structure = made.structure()
    assert structure is not None
    assert len(structure.ways.value)
    assert made.predict(features).shape == (400,)


def test_another_objective_than_the_labels_is_refused() -> None:
    for objective in ("multi:softprob", "reg:squarederror"):
        wrapped = FLAVOR.wrap(booster(objective), Task("binary", 2))
        assert wrapped is not None
        with pytest.raises(ContainerError, match="the model answered"):
            wrapped.predict(rows(3))


def test_other_things_are_not_taken() -> None:
    assert FLAVOR.wrap(object(), Task("binary", 2)) is None


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.ubj").write_bytes(b"{broken")
    with pytest.raises(ContainerError, match=r"model\.ubj: not readable"):
        FLAVOR.load(tmp_path, Task("binary", 2))
