"""Metrics of a model on labelled rows, in SageMaker's model-quality schema."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from boostline.contracts.metrics import GROUPS, METRICS

Array = NDArray[Any]
Matrix = NDArray[np.int64]

_CURVE_POINTS = 200
_BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
# As Model Monitor does it: five samples of 80 % of the rows, where there are enough of them.
_SAMPLES, _SHARE, _SAMPLED_ROWS = 5, 0.8, 200


def answers(scores: Array, threshold: float | None) -> Matrix:
    """Say which class each row is answered, by its code.

    Parameters
    ----------
    scores
        Probabilities: of class 1, shape (rows,), or of each class, shape (rows, classes).
    threshold
        For the first form: from it on, class 1 is answered.
    """
    chosen = scores.argmax(axis=1) if scores.ndim == 2 else scores >= threshold
    return chosen.astype(np.int64)


def confusion(labels: Array, answered: Matrix, classes: int) -> Matrix:
    """Count rows by actual class (first axis) and answered class."""
    places = labels.astype(np.int64) * classes + answered
    return np.bincount(places, minlength=classes * classes).reshape(classes, classes)


def measure(
    objective: str, labels: Array, scores: Array, threshold: float | None = None
) -> tuple[dict[str, float], list[str]]:
    """Measure a model.

    Parameters
    ----------
    objective
        ``binary``, ``multiclass`` or ``regression``.
    labels
        Codes of classes, or numbers; shape (rows,).
    scores
        As :func:`answers` takes them; for regression the predicted numbers, shape (rows,).
    threshold
        Of a binary model.

    Returns
    -------
    tuple[dict, list]
        The finite metrics by SageMaker's names, in the order of
        ``boostline.contracts.metrics.METRICS``, and the names of those not defined on these rows.
        The weighted ones weigh a class with its rows; the precision of a class that is never
        answered counts as 0 there.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        values = _MEASURES[objective](labels, scores, threshold)
    names = METRICS[objective]
    finite = {name: float(values[name]) for name in names if math.isfinite(values[name])}
    return finite, [name for name in names if name not in finite]


def quality(
    objective: str, labels: Array, scores: Array, threshold: float | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Write the group of ``evaluation.json`` that SageMaker's schema has for an objective.

    Takes what :func:`measure` takes. Returns the document, finite numbers only, and the names of
    the metrics it has to leave out.
    """
    measured, undefined = measure(objective, labels, scores, threshold)
    deviations = _deviations(objective, labels, scores, threshold)
    group: dict[str, Any] = {
        name: {"value": value, **deviations.get(name, {})} for name, value in measured.items()
    }
    if objective != "regression":
        classes = 2 if scores.ndim == 1 else scores.shape[1]
        matrix = confusion(labels, answers(scores, threshold), classes)
        constant = float(matrix.sum(axis=1).max() / len(labels))
        group["accuracy_best_constant_classifier"] = {"value": constant}
        group["confusion_matrix"] = {
            str(actual): {str(answer): count for answer, count in enumerate(row)}
            for actual, row in enumerate(matrix.tolist())
        }
    if objective == "binary" and 0 < labels.sum() < len(labels):
        group |= _curves(labels, scores)
    return {GROUPS[objective]: group}, undefined


def per_class(matrix: Matrix) -> dict[str, Array]:
    """Return precision, recall and the F scores of each class, NaN where not defined."""
    hits, actual, answered = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {"precision": hits / answered, "recall": hits / actual}
        for name, beta in _BETAS.items():
            found[name] = (1 + beta**2) * hits / (beta**2 * actual + answered)
    return found


def _binary(labels: Array, scores: Array, threshold: float | None) -> dict[str, Any]:
    matrix = confusion(labels, answers(scores, threshold), 2)
    true_negative, true_positive = np.diag(matrix) / matrix.sum(axis=1)
    both = 0 < labels.sum() < len(labels)
    return {name: values[1] for name, values in per_class(matrix).items()} | {
        "accuracy": np.trace(matrix) / len(labels),
        "auc": sk.roc_auc_score(labels, scores) if both else math.nan,
        "au_prc": sk.average_precision_score(labels, scores) if both else math.nan,
        "log_loss": _log_loss(np.where(labels == 1, scores, 1 - scores)),
        "true_positive_rate": true_positive,
        "true_negative_rate": true_negative,
        "false_positive_rate": 1 - true_negative,
        "false_negative_rate": 1 - true_positive,
    }


def _multiclass(labels: Array, scores: Array, _threshold: float | None) -> dict[str, Any]:
    matrix = confusion(labels, answers(scores, None), scores.shape[1])
    weights = matrix.sum(axis=1) / len(labels)
    return {
        f"weighted_{name}": float(weights @ np.nan_to_num(values))
        for name, values in per_class(matrix).items()
    } | {
        "accuracy": np.trace(matrix) / len(labels),
        "log_loss": _log_loss(scores[np.arange(len(labels)), labels.astype(np.int64)]),
    }


def _regression(labels: Array, scores: Array, _threshold: float | None) -> dict[str, Any]:
    actual = labels.astype(np.float64)
    errors = scores - actual
    square = np.mean(errors**2)
    return {
        "mae": np.mean(np.abs(errors)),
        "mse": square,
        "rmse": np.sqrt(square),
        "r2": 1 - square / np.var(actual) if np.ptp(actual) else math.nan,
    }


_MEASURES: Mapping[str, Callable[[Array, Array, float | None], dict[str, Any]]] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": _regression,
}


def _log_loss(chances: Array) -> float:
    """Average the loss of the probabilities that the true classes were given; never infinite."""
    smallest = np.finfo(np.float64).eps
    return float(-np.log(np.clip(chances.astype(np.float64), smallest, 1.0)).mean())


def _deviations(
    objective: str, labels: Array, scores: Array, threshold: float | None
) -> dict[str, dict[str, float]]:
    if len(labels) < _SAMPLED_ROWS:
        return {}
    generator = np.random.default_rng(0)
    samples = []
    for _ in range(_SAMPLES):
        rows = generator.choice(len(labels), int(_SHARE * len(labels)), replace=False)
        samples.append(measure(objective, labels[rows], scores[rows], threshold)[0])
    shared = set(samples[0]).intersection(*samples)
    return {
        name: {"standard_deviation": float(np.std([sample[name] for sample in samples], ddof=1))}
        for name in shared
    }


def _curves(labels: Array, scores: Array) -> dict[str, Any]:
    false_positive, true_positive, _ = sk.roc_curve(labels, scores)
    precisions, recalls, _ = sk.precision_recall_curve(labels, scores)
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": thinned(false_positive),
            "true_positive_rates": thinned(true_positive),
        },
        "precision_recall_curve": {"precisions": thinned(precisions), "recalls": thinned(recalls)},
    }


def thinned(curve: Array) -> list[float]:
    """Take at most 200 of a curve's points, both ends among them."""
    count = min(len(curve), _CURVE_POINTS)
    places = np.linspace(0, len(curve) - 1, count).round().astype(int)
    return [float(value) for value in curve[places]]
