import json

import numpy as np
import pytest
from numpy.typing import NDArray

from boostline.container.metrics import binary_metrics, binary_report

LABELS = np.array([0, 0, 0, 1, 1, 1], dtype=np.float32)
SCORES = np.array([0.1, 0.4, 0.6, 0.35, 0.8, 0.9])


def test_metrics_at_the_threshold_and_on_scores() -> None:
    metrics, undefined = binary_metrics(LABELS, SCORES, 0.5)
    assert undefined == []
    assert metrics["accuracy"] == pytest.approx(4 / 6)
    assert metrics["precision"] == pytest.approx(2 / 3)
    assert metrics["recall"] == pytest.approx(2 / 3)
    assert metrics["f1"] == pytest.approx(2 / 3)
    assert metrics["auc"] == pytest.approx(7 / 9)
    losses = np.log([0.9, 0.6, 0.4, 0.35, 0.8, 0.9])
    assert metrics["log_loss"] == pytest.approx(-losses.mean())


def test_a_score_equal_to_the_threshold_is_positive() -> None:
    assert binary_metrics(LABELS, SCORES, 0.8)[0]["recall"] == pytest.approx(2 / 3)


def test_confusion_matrix_is_actual_then_answered() -> None:
    report, _ = binary_report(LABELS, SCORES, 0.35)
    assert report["binary_classification_metrics"]["confusion_matrix"] == {
        "0": {"0": 1, "1": 2},
        "1": {"0": 0, "1": 3},
    }


@pytest.mark.parametrize(
    ("labels", "threshold", "undefined"),
    [(LABELS, 0.95, ["precision"]), (np.zeros(6, dtype=np.float32), 0.5, ["auc", "recall"])],
)
def test_what_is_not_defined_is_left_out(
    labels: NDArray[np.float32], threshold: float, undefined: list[str]
) -> None:
    report, names = binary_report(labels, SCORES, threshold)
    assert names == undefined
    assert not set(undefined) & set(report["binary_classification_metrics"])
    json.dumps(report, allow_nan=False)


def test_certain_scores_have_a_finite_loss() -> None:
    metrics, _ = binary_metrics(LABELS, 1.0 - LABELS.astype(np.float64), 0.5)
    assert np.isfinite(metrics["log_loss"])


def test_curves_are_thin_and_whole() -> None:
    generator = np.random.default_rng(0)
    scores = generator.random(5000)
    labels = (generator.random(5000) < scores).astype(np.float32)
    report, _ = binary_report(labels, scores, 0.5)
    metrics = report["binary_classification_metrics"]
    curve = metrics["receiver_operating_characteristic_curve"]
    assert len(curve["true_positive_rates"]) == len(curve["false_positive_rates"]) == 200
    assert (curve["false_positive_rates"][0], curve["true_positive_rates"][-1]) == (0.0, 1.0)
    assert len(metrics["precision_recall_curve"]["recalls"]) == 200
