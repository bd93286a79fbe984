"""The rows of a training, weighed by their classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

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
_MOST = 1e9  # of a weight: sums of many stay within float32


class Part(NamedTuple):
    """Rows to train on, or to stop on.

    Attributes
    ----------
    name
        ``train`` or ``validation``.
    rows
        Features and labels.
    weights
        One a row; None where all weigh the same.
    """

    name: str
    rows: Dataset
    weights: NDArray[np.float32] | None

    def batches(self) -> Iterator[tuple[NDArray[np.float32], ...]]:
        """Yield features, labels and weights of some rows at a time; without weights, two."""
        start = 0
        for features in self.rows.batches():
            part = slice(start, start + len(features))
            beside = (self.rows.labels, *([] if self.weights is None else [self.weights]))
            yield features, *(column[part] for column in beside)
            start = part.stop


def weighted(data: Channels, text: str) -> list[Part]:
    """Weigh the training rows, and those of validation if there are any.

    Validation rows are weighed too: early stopping on other weights than those trained with stops
    at once.

    Parameters
    ----------
    data
        The rows and their classes.
    text
        ``none``; ``balanced``: rows / (classes * rows of the class); or a JSON object of weights
        by class, 1 for those it does not name.

    Raises
    ------
    ContainerError
        There are no classes, or no such class, or no such weight.
    """
    weights = _class_weights(text, data)
    return [
        Part(name, rows, None if weights is None else weights[rows.labels.astype(np.int64)])
        for name, rows in (("train", data.train), ("validation", data.validation))
        if rows is not None
    ]


def _class_weights(text: str, data: Channels) -> NDArray[np.float32] | None:
    """Weigh the classes."""
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
        if name not in classes or not isinstance(weight, int | float) or not 0 < weight <= _MOST:
            raise ContainerError(
                f"hyperparameter 'class_weight': {name!r}: {weight!r}: give a positive number for "
                f"some of the classes {', '.join(map(repr, classes))}, at most {_MOST:g}"
            )
    return np.array([given.get(name, 1.0) for name in classes], dtype=np.float32)
