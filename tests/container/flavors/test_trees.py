"""What the flavors of boosted trees share, with models that users train in their own way."""

from collections.abc import Callable
from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest

from boostline.container.flavors import find_flavor
from boostline.container.flavors.base import Task

CLASSES = Task("multiclass", 3)
ROWS = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
LEVEL = np.digitize(ROWS[:, 0] * ROWS[:, 1], [-0.3, 0.3])


def light() -> lightgbm.Booster:
    settings = {"objective": "multiclassova", "num_class": 3, "verbosity": -1}
    return lightgbm.train(settings, lightgbm.Dataset(ROWS, LEVEL), 5)


def cat() -> catboost.CatBoost:
    settings = {
        "loss_function": "MultiClassOneVsAll",
        "iterations": 5,
        "allow_writing_files": False,
    }
    return catboost.CatBoost(settings | {"verbose": False}).fit(ROWS, LEVEL)


@pytest.mark.parametrize(("flavor", "train"), [("lightgbm", light), ("catboost", cat)])
def test_one_class_against_all_others_is_explained_for_each(
    flavor: str, train: Callable[[], Any]
) -> None:
    model = find_flavor(flavor).wrap(train(), CLASSES)
    assert model is not None
    found = model.contributions(ROWS[:7])
    assert found is not None
    assert found.parts.shape == (7, 3, 5)
    assert found.link == "logit"
    scores = 1 / (1 + np.exp(-found.parts.sum(axis=2)))
    np.testing.assert_allclose(scores, model.predict(ROWS[:7]), rtol=1e-6)
