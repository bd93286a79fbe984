"""Where `evaluation.json` has which metric, and which way a metric is better.

Source of groups and names: the statistics of SageMaker Model Monitor's model quality jobs. Ours, in
the same form: `log_loss`, the group of the user's own metrics, and the comparison with a champion.
"""

from __future__ import annotations

GROUPS = {
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
    "regression": "regression_metrics",
}
METRICS = {
    "binary": (
        *("accuracy", "auc", "au_prc", "precision", "recall", "f0_5", "f1", "f2", "log_loss"),
        *("true_positive_rate", "true_negative_rate"),
        *("false_positive_rate", "false_negative_rate"),
    ),
    "multiclass": (
        *("accuracy", "weighted_precision", "weighted_recall"),
        *("weighted_f0_5", "weighted_f1", "weighted_f2", "log_loss"),
    ),
    "regression": ("mae", "mse", "rmse", "r2"),
}
LESS_IS_BETTER = frozenset(
    {"log_loss", "false_positive_rate", "false_negative_rate", "mae", "mse", "rmse"}
)
CUSTOM = "custom_metrics"
COMPARISON = "champion_comparison"


def path(objective: str, metric: str) -> str:
    """Return the place of a metric's value in the report, as `Std:JsonGet` writes it.

    A name that is not in ``METRICS`` is one of the user's own.
    """
    group = GROUPS[objective] if metric in METRICS[objective] else CUSTOM
    return f"{group}.{metric}.value"


def drop_path(metric: str) -> str:
    """Return the place of how much worse than the champion a metric is; below 0 it is better."""
    return f"{COMPARISON}.{metric}.drop.value"


def drop(metric: str, champion: float, challenger: float) -> float:
    """Compute how much worse a metric became."""
    return challenger - champion if metric in LESS_IS_BETTER else champion - challenger
