import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from boostline.container.report.importance import weigh

ROWS = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)


class Engine:
    """Scores by the second column, and a little by the third."""

    name = "formula"

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        return (2.0 * rows[:, 1] + 0.1 * rows[:, 2]).astype(np.float64)


def booster(labels: NDArray[np.float64], **parameters: object) -> xgboost.Booster:
    data = xgboost.DMatrix(ROWS, labels)
    return xgboost.train({"max_depth": 2, "nthread": 1, **parameters}, data, 10)


def test_a_booster_tells_its_shap_values() -> None:
    unit, weights = weigh(booster(Engine().score(ROWS)), Engine(), ROWS)
    assert "SHAP" in unit
    assert weights.shape == (3,)
    assert weights.argmax() == 1


def test_shap_values_of_classes_are_added() -> None:
    labels = np.digitize(ROWS[:, 0], [-0.5, 0.5]).astype(np.float64)
    model = booster(labels, objective="multi:softprob", num_class=3)
    _, weights = weigh(model, Engine(), ROWS)
    assert weights.shape == (3,)
    assert weights.argmax() == 0


def test_features_of_any_other_model_are_shuffled() -> None:
    unit, weights = weigh(object(), Engine(), ROWS)
    assert "shuffled" in unit
    assert weights[0] == 0
    assert weights[1] / weights[2] == pytest.approx(20, rel=0.2)
    assert (weights == weigh(object(), Engine(), ROWS)[1]).all()
