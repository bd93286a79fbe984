"""Where SageMaker's model quality report (`evaluation.json`) has which metric.

Source: the statistics schema of SageMaker Model Monitor's model quality metrics; `log_loss` is a
further member of the same form.
"""

from __future__ import annotations

GROUPS = {"binary": "binary_classification_metrics"}
METRICS = {"binary": ("accuracy", "auc", "precision", "recall", "f1", "log_loss")}


def path(objective: str, metric: str) -> str:
    """Return the place of a metric's value in the report, as `Std:JsonGet` writes it."""
    return f"{GROUPS[objective]}.{metric}.value"
