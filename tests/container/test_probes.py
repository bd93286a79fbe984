"""Each leaf's probe gets there, and so a conversion with one leaf changed does not serve."""

import importlib.util
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from boostline.container.engines import choose_engine, convert_onedal
from boostline.container.flavors import find_flavor
from boostline.container.flavors.base import Model, Rows, Task
from boostline.container.probes import probe_rows

WIDTH, ROUNDS = 4, 20
ROWS = np.random.default_rng(1).normal(size=(2_000, WIDTH)).astype(np.float32)
YES = (ROWS[:, 0] * ROWS[:, 1] + ROWS[:, 2] > 0).astype(int)  # a clean rule: scores near 0 and 1
GOLDEN = ROWS[:20].tolist()


def train(flavor: str) -> Any:
    if flavor == "xgboost":
        settings = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1}
        return xgboost.train(settings, xgboost.DMatrix(ROWS, YES), ROUNDS)
    if flavor == "lightgbm":
        light = {"objective": "binary", "verbosity": -1, "num_threads": 1}
        return lightgbm.train(light, lightgbm.Dataset(ROWS, YES), ROUNDS)
    cat = {"loss_function": "Logloss", "depth": 4, "iterations": ROUNDS, "verbose": False}
    return catboost.CatBoost({**cat, "allow_writing_files": False}).fit(ROWS, YES)


def wrap(flavor: str, native: Any) -> Model:
    model = find_flavor(flavor).wrap(native, Task("binary", 2))
    assert model is not None
    return model


def leaves(flavor: str, native: Any, rows: Rows) -> NDArray[Any]:
    if flavor == "xgboost":
        return np.asarray(native.predict(xgboost.DMatrix(rows), pred_leaf=True))
    if flavor == "lightgbm":
        return np.asarray(native.predict(rows, pred_leaf=True))
    return np.asarray(native.calc_leaf_indexes(rows))


@pytest.mark.parametrize("flavor", ["xgboost", "lightgbm", "catboost"])
def test_the_probes_reach_every_leaf(flavor: str) -> None:
    native = train(flavor)
    model = wrap(flavor, native)
    structure = model.structure()
    assert structure is not None
    rows = probe_rows(GOLDEN, WIDTH, structure)
    splits = len(np.unique(np.stack([structure.ways.column, structure.ways.value]), axis=1).T)
    # Before the rows on the splits: three a leaf, of which the first gets there.
    there = rows[len(rows) - 3 * splits - 3 * structure.ways.leaves : len(rows) - 3 * splits : 3]
    reached = leaves(flavor, model.native, there)
    seen = sum(len(np.unique(column)) for column in reached.T)
    if flavor != "catboost":
        assert seen == structure.ways.leaves
        return
    # A symmetric tree may split twice by one column: some of its leaves nothing reaches.
    assert seen == sum(len(np.unique(c)) for c in leaves(flavor, model.native, many()).T)


def many() -> Rows:
    return np.random.default_rng(2).normal(size=(200_000, WIDTH)).astype(np.float32) * 2


def spoil_xgboost(native: Any, place: int, folder: Path) -> Any:
    model = json.loads(native.save_raw("json"))
    trees = model["learner"]["gradient_booster"]["model"]["trees"]
    tree = trees[place % len(trees)]
    ends = [node for node, child in enumerate(tree["left_children"]) if child == -1]
    tree["split_conditions"][ends[place % len(ends)]] += 0.01
    spoilt = xgboost.Booster({"nthread": 1})
    spoilt.load_model(bytearray(json.dumps(model).encode()))
    return spoilt


def spoil_catboost(native: Any, place: int, folder: Path) -> Any:
    file = folder / "model.json"
    native.save_model(str(file), format="json")
    model = json.loads(file.read_bytes())
    tree = model["oblivious_trees"][place % ROUNDS]
    used = [leaf for leaf, weight in enumerate(tree["leaf_weights"]) if weight]
    tree["leaf_values"][used[place % len(used)]] += 0.01
    file.write_text(json.dumps(model))
    return catboost.CatBoost().load_model(str(file), format="json")


@pytest.mark.skipif(importlib.util.find_spec("daal4py") is None, reason="oneDAL has no wheel here")
@pytest.mark.parametrize(
    ("flavor", "spoil"), [("xgboost", spoil_xgboost), ("catboost", spoil_catboost)]
)
def test_one_wrong_leaf_is_caught(
    flavor: str, spoil: Callable[[Any, int, Path], Any], tmp_path: Path
) -> None:
    model = wrap(flavor, train(flavor))
    assert choose_engine(model, GOLDEN, WIDTH).engine.name == "onedal"
    for place in range(0, 160, 13):
        spoilt = wrap(flavor, spoil(model.native, place, tmp_path))
        convert = partial(lambda wrong, _: convert_onedal(wrong), spoilt)
        choice = choose_engine(model, GOLDEN, WIDTH, convert)
        assert choice.engine is choice.native, place
        assert "differs from the native engine" in choice.reason
