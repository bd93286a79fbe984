"""Metrics of a binary model, in SageMaker's model-quality schema."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

Array = NDArray[Any]

_CURVE_POINTS = 200


def binary_metrics(
    labels: Array, scores: Array, threshold: float
) -> tuple[dict[str, float], list[str]]:
    """Measure a binary model.

    Parameters
    ----------
    labels
        0 or 1, shape (rows,).
    scores
        Probabilities of class 1.
    threshold
        From it on, class 1 is answered: accuracy, precision, recall and F1 depend on it; AUC and
        log loss on the scores alone.

    Returns
    -------
    tuple[dict, list]
        The finite metrics by SageMaker's names, and the names of those that are not defined here.
    """
    answers = scores >= threshold
    both = 0 < labels.sum() < len(labels)
    nan = math.nan
    measured = {
        "accuracy": sk.accuracy_score(labels, answers),
        "auc": sk.roc_auc_score(labels, scores) if both else nan,
        "precision": sk.precision_score(labels, answers, zero_division=nan),
        "recall": sk.recall_score(labels, answers, zero_division=nan),
        "f1": sk.f1_score(labels, answers, zero_division=nan),
        "log_loss": sk.log_loss(labels, scores, labels=[0, 1]),
    }
    finite = {name: float(value) for name, value in measured.items() if math.isfinite(value)}
    return finite, [name for name in measured if name not in finite]


def binary_report(
    labels: Array, scores: Array, threshold: float
) -> tuple[dict[str, Any], list[str]]:
    """Write ``evaluation.json``.

    Parameters
    ----------
    labels, scores, threshold
        As in :func:`binary_metrics`.

    Returns
    -------
    tuple[dict, list]
        The document, finite numbers only, and the names of the metrics it has to leave out.
    """
    measured, undefined = binary_metrics(labels, scores, threshold)
    report: dict[str, Any] = {name: {"value": value} for name, value in measured.items()}
    matrix = sk.confusion_matrix(labels, scores >= threshold, labels=[0, 1]).tolist()
    report["confusion_matrix"] = {
        str(actual): {str(answer): count for answer, count in enumerate(row)}
        for actual, row in enumerate(matrix)
    }
    if 0 < labels.sum() < len(labels):
        report |= _curves(labels, scores)
    return {"binary_classification_metrics": report}, undefined


def _curves(labels: Array, scores: Array) -> dict[str, Any]:
    false_positive, true_positive, _ = sk.roc_curve(labels, scores)
    precisions, recalls, _ = sk.precision_recall_curve(labels, scores)
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": _thinned(false_positive),
            "true_positive_rates": _thinned(true_positive),
        },
        "precision_recall_curve": {
            "precisions": _thinned(precisions),
            "recalls": _thinned(recalls),
        },
    }


def _thinned(curve: Array) -> list[float]:
    count = min(len(curve), _CURVE_POINTS)
    places = np.linspace(0, len(curve) - 1, count).round().astype(int)
    return [float(value) for value in curve[places]]
