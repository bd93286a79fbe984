import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from boostline.container.flavors.base import Contributions, FunctionModel, Model, Rows, Task
from boostline.container.flavors.xgb import FLAVOR
from boostline.container.report.importance import weigh

ROWS = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)


class Formula:
    """Scores by the second column, and a little by the third."""

    name = "formula"

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        return (2.0 * rows[:, 1] + 0.1 * rows[:, 2]).astype(np.float64)


def formula() -> Model:
    return FunctionModel(None, Task("regression", 0), lambda _, rows: rows[:, 1], pytest.fail)


def booster(labels: NDArray[np.float64], classes: int = 0, **parameters: object) -> Model:
    data = xgboost.DMatrix(ROWS, labels)
    trained = xgboost.train({"max_depth": 2, "nthread": 1, **parameters}, data, 10)
    model = FLAVOR.wrap(trained, Task("multiclass" if classes else "regression", classes))
    assert model is not None
    return model


def test_a_booster_tells_its_shap_values() -> None:
    unit, weights = weigh(booster(Formula().score(ROWS)), Formula(), ROWS)
    assert "SHAP" in unit
    assert weights.shape == (3,)
    assert weights.argmax() == 1


def test_shap_values_of_classes_are_added() -> None:
    labels = np.digitize(ROWS[:, 0], [-0.5, 0.5]).astype(np.float64)
    model = booster(labels, 3, objective="multi:softprob", num_class=3)
    _, weights = weigh(model, Formula(), ROWS)
    assert weights.shape == (3,)
    assert weights.argmax() == 0


def test_features_of_any_other_model_are_shuffled() -> None:
    unit, weights = weigh(formula(), Formula(), ROWS)
    assert "shuffled" in unit
    assert weights[0] == 0
    assert weights[1] / weights[2] == pytest.approx(20, rel=0.2)
    assert (weights == weigh(formula(), Formula(), ROWS)[1]).all()


@pytest.mark.parametrize(("able", "asked"), [(None, 2_000), (9_000, 2_000), (400, 200), (59, 0)])
def test_a_large_model_explains_as_many_rows_as_it_can(able: int | None, asked: int) -> None:
    counts = []

    def explain(_: object, rows: Rows) -> Contributions:
        counts.append(len(rows))
        return Contributions(np.pad(rows * [0, 1, 0], ((0, 0), (0, 1))), "identity")

    def score(_: object, rows: Rows) -> object:
        return rows[:, 1]

    task = Task("regression", 0)
    model = FunctionModel(None, task, score, pytest.fail, explain, lambda _: able)
    unit, _ = weigh(model, Formula(), ROWS)
    assert counts == ([asked] if asked else [])
    assert ("SHAP" in unit) == (asked > 0)
    counts.clear()
    assert "SHAP" in weigh(model, Formula(), ROWS[:20])[0]  # all rows there are
    assert counts == [20]
