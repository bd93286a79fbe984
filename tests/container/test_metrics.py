import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from boostline.container.metrics import answers, confusion, measure, per_class, quality
from boostline.contracts.metrics import GROUPS, METRICS, drop, drop_path, path

LABELS = np.array([0, 0, 0, 1, 1, 1], dtype=np.float32)
SCORES = np.array([0.1, 0.4, 0.6, 0.35, 0.8, 0.9])


PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"


@pytest.mark.parametrize("objective", list(METRICS))
def test_every_metric_is_documented(objective: str) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if line.startswith(f"| {objective} |"))
    assert f"`{GROUPS[objective]}`" in row
    assert re.findall(r"`(\w+)`", row.split("|")[3]) == list(METRICS[objective])


def test_worse_is_above_0_whichever_way_a_metric_is_better() -> None:
    assert drop("auc", 0.75, 0.5) == 0.25
    assert drop("rmse", 2.0, 3.0) == 1.0
    assert drop("false_positive_rate", 0.5, 0.25) == -0.25


def test_a_name_that_is_not_built_in_is_the_users() -> None:
    assert path("regression", "mae") == "regression_metrics.mae.value"
    assert path("regression", "auc") == "custom_metrics.auc.value"
    assert drop_path("mae") == "champion_comparison.mae.drop.value"


def multiclass(rows: int = 500) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    generator = np.random.default_rng(1)
    scores = generator.dirichlet([1.0, 2.0, 0.5], rows)
    labels = [generator.choice(3, p=row) for row in scores]
    return np.array(labels, dtype=np.float32), scores


def test_metrics_at_the_threshold_and_on_scores() -> None:
    metrics, undefined = measure("binary", LABELS, SCORES, 0.5)
    assert undefined == []
    assert tuple(metrics) == METRICS["binary"]
    assert metrics["accuracy"] == pytest.approx(4 / 6)
    assert metrics["precision"] == pytest.approx(2 / 3)
    assert metrics["recall"] == pytest.approx(2 / 3)
    assert metrics["false_positive_rate"] == pytest.approx(1 / 3)
    assert metrics["auc"] == pytest.approx(7 / 9)
    losses = np.log([0.9, 0.6, 0.4, 0.35, 0.8, 0.9])
    assert metrics["log_loss"] == pytest.approx(-losses.mean())


def test_binary_metrics_are_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    scores = generator.random(400)
    labels = (generator.random(400) < scores).astype(np.float32)
    answered = scores >= 0.3
    metrics, _ = measure("binary", labels, scores, 0.3)
    for name, beta in (("f0_5", 0.5), ("f1", 1), ("f2", 2)):
        assert metrics[name] == pytest.approx(sk.fbeta_score(labels, answered, beta=beta))
    assert metrics["au_prc"] == pytest.approx(sk.average_precision_score(labels, scores))
    assert metrics["log_loss"] == pytest.approx(sk.log_loss(labels, scores))


def test_multiclass_metrics_are_scikit_learns() -> None:
    labels, scores = multiclass()
    answered = scores.argmax(axis=1)
    metrics, undefined = measure("multiclass", labels, scores)
    assert undefined == []
    assert tuple(metrics) == METRICS["multiclass"]
    weighted = {"average": "weighted"}
    assert metrics["accuracy"] == pytest.approx(sk.accuracy_score(labels, answered))
    assert metrics["weighted_precision"] == pytest.approx(
        sk.precision_score(labels, answered, **weighted)
    )
    assert metrics["weighted_recall"] == pytest.approx(
        sk.recall_score(labels, answered, **weighted)
    )
    for name, beta in (("weighted_f0_5", 0.5), ("weighted_f1", 1), ("weighted_f2", 2)):
        expected = sk.fbeta_score(labels, answered, beta=beta, **weighted)
        assert metrics[name] == pytest.approx(expected)
    assert metrics["log_loss"] == pytest.approx(sk.log_loss(labels, scores))


def test_a_class_that_is_never_answered_has_no_precision() -> None:
    scores = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1]])
    labels = np.array([0, 1], dtype=np.float32)
    metrics, _ = measure("multiclass", labels, scores)
    assert metrics["weighted_precision"] == pytest.approx(0.25)
    classes = per_class(confusion(labels, answers(scores, None), 3))
    assert [math.isnan(value) for value in classes["precision"]] == [False, True, True]
    assert [math.isnan(value) for value in classes["recall"]] == [False, False, True]


def test_regression_metrics_are_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    labels = generator.normal(50, 10, 300).astype(np.float32)
    scores = labels + generator.normal(0, 3, 300)
    metrics, undefined = measure("regression", labels, scores)
    assert undefined == []
    assert metrics["mae"] == pytest.approx(sk.mean_absolute_error(labels, scores))
    assert metrics["mse"] == pytest.approx(sk.mean_squared_error(labels, scores))
    assert metrics["rmse"] == pytest.approx(metrics["mse"] ** 0.5)
    assert metrics["r2"] == pytest.approx(sk.r2_score(labels, scores))
    constant = np.ones(3, dtype=np.float32)
    assert measure("regression", constant, np.zeros(3))[1] == ["r2"]


def test_a_score_equal_to_the_threshold_is_positive() -> None:
    assert measure("binary", LABELS, SCORES, 0.8)[0]["recall"] == pytest.approx(2 / 3)


def test_confusion_matrix_is_actual_then_answered() -> None:
    report, _ = quality("binary", LABELS, SCORES, 0.35)
    group = report["binary_classification_metrics"]
    assert group["confusion_matrix"] == {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 3}}
    assert group["accuracy_best_constant_classifier"] == {"value": 0.5}


RATES = {"recall", "true_positive_rate", "false_negative_rate"}


@pytest.mark.parametrize(
    ("labels", "threshold", "undefined"),
    [
        (LABELS, 0.95, {"precision"}),
        (np.zeros(6, dtype=np.float32), 0.5, {"auc", "au_prc", *RATES}),
    ],
)
def test_what_is_not_defined_is_left_out(
    labels: NDArray[np.float32], threshold: float, undefined: set[str]
) -> None:
    report, names = quality("binary", labels, SCORES, threshold)
    assert set(names) == undefined
    assert not undefined & set(report["binary_classification_metrics"])
    json.dumps(report, allow_nan=False)


def test_certain_scores_have_a_finite_loss() -> None:
    metrics, _ = measure("binary", LABELS, 1.0 - LABELS.astype(np.float64), 0.5)
    assert np.isfinite(metrics["log_loss"])


def test_curves_are_thin_and_whole() -> None:
    generator = np.random.default_rng(0)
    scores = generator.random(5000)
    labels = (generator.random(5000) < scores).astype(np.float32)
    report, _ = quality("binary", labels, scores, 0.5)
    metrics = report["binary_classification_metrics"]
    curve = metrics["receiver_operating_characteristic_curve"]
    assert len(curve["true_positive_rates"]) == len(curve["false_positive_rates"]) == 200
    assert (curve["false_positive_rates"][0], curve["true_positive_rates"][-1]) == (0.0, 1.0)
    assert len(metrics["precision_recall_curve"]["recalls"]) == 200


def test_deviations_where_there_are_200_rows() -> None:
    def group(rows: int) -> dict[str, Any]:
        labels, scores = multiclass(rows)
        found: dict[str, Any] = quality("multiclass", labels, scores)[0][GROUPS["multiclass"]]
        return found

    assert "standard_deviation" not in group(199)["accuracy"]
    assert 0 < group(200)["accuracy"]["standard_deviation"] < 0.1
    assert group(200) == group(200)
