"""Weights of the classes in training."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from boostline.container.errors import ContainerError
from boostline.container.hyperparameters import Hyperparameter

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels
    from boostline.container.dataset import Dataset

HYPERPARAMETER = Hyperparameter(
    "class_weight",
    "word",
    "none",
    words=("none", "balanced"),
    forms={'{"<class>": <weight>, …}': r"\{.*\}"},
)


def class_weights(text: str, data: Channels) -> NDArray[np.float32] | None:
    """Weigh the classes.

    Parameters
    ----------
    text
        ``none``; ``balanced``: rows / (classes * rows of the class); or a JSON object of weights
        by class, 1 for those it does not name.
    data
        The classes and the training rows.

    Returns
    -------
    NDArray or None
        One weight a class. Validation rows are weighed too: early stopping on other weights than
        those trained with stops at once.

    Raises
    ------
    ContainerError
        There are no classes, or no such class, or no such weight.
    """
    if text == "none":
        return None
    classes = data.classes
    if classes is None:
        raise ContainerError("hyperparameter 'class_weight': regression has no classes")
    if text == "balanced":
        counts = np.bincount(data.train.labels.astype(np.int64), minlength=len(classes))
        balanced = counts.sum() / (len(classes) * np.maximum(counts, 1))
        return np.asarray(balanced, dtype=np.float32)
    try:
        given: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise ContainerError(f"hyperparameter 'class_weight': not JSON: {error}") from None
    for name, weight in given.items():
        if name not in classes or not isinstance(weight, int | float) or not weight > 0:
            raise ContainerError(
                f"hyperparameter 'class_weight': {name!r}: {weight!r}: give a positive number for "
                f"some of the classes {', '.join(map(repr, classes))}"
            )
    return np.array([given.get(name, 1.0) for name in classes], dtype=np.float32)


def row_weights(rows: Dataset, weights: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """Give each row the weight of its class; None where all weigh the same."""
    return None if weights is None else weights[rows.labels.astype(np.int64)]
