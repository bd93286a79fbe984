"""What the frameworks of boosted trees have in common."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from boostline.container.checkpoints import Checkpoints
from boostline.container.errors import ContainerError
from boostline.container.flavors.base import (
    Contributions,
    Model,
    Rows,
    Scores,
    Step,
    Structure,
    Task,
    Way,
    Ways,
)
from boostline.container.hyperparameters import Hyperparameter, Value
from boostline.features.spec import Objective

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels

# How much a score can move with the sum of the leaves: the slope of the logistic function; of
# softmax, where every class's sum may move.
SLOPES: Mapping[Objective, float] = {"binary": 0.25, "multiclass": 0.5, "regression": 1.0}


# A node's column, value, and children below and above; None for a leaf.
Split = tuple[int, float, Any, Any] | None


def walk(root: Any, split: Callable[[Any], Split]) -> Iterator[tuple[Any, list[Step]]]:
    """Yield each leaf of a tree with the way to it."""
    waiting: list[tuple[Any, list[Step]]] = [(root, [])]
    while waiting:
        node, path = waiting.pop()
        found = split(node)
        if found is None:
            yield node, path
        else:
            column, value, below, above = found
            waiting += [(below, [*path, (column, value, False)])]
            waiting += [(above, [*path, (column, value, True)])]


def survey(
    trees: Iterable[Iterable[tuple[Any, Way]]], size: Callable[[Any], float]
) -> tuple[list[float], Ways]:
    """Take the largest leaf of each tree, by its size, and the ways to all leaves."""
    largest: list[float] = []

    def ways() -> Iterator[Way]:
        for tree in trees:  # one at a time: what is parsed of it is large
            largest.append(0.0)
            for leaf, way in tree:
                largest[-1] = max(largest[-1], size(leaf))
                yield way

    return largest, Ways.of(ways())


def largest_sum(leaves: Sequence[float], groups: int) -> float:
    """Bound a sum of leaves by the largest of each tree, where trees of groups take turns."""
    return max(sum(leaves[group::groups]) for group in range(groups))


class TreeModel(ABC):
    """A model that holds its best iterations only.

    Parameters
    ----------
    native
        The framework's own object.
    task
        What is to be answered.
    """

    def __init__(self, native: Any, task: Task) -> None:
        self.native = native
        self.task = task

    @property
    @abstractmethod
    def best_iteration(self) -> int:
        """The last round, since the rounds after the best one are cut."""

    @abstractmethod
    def score(self, rows: Rows) -> Any:
        """Score one row or more by the framework, in one thread."""

    @abstractmethod
    def structure(self) -> Structure:
        """Describe the trees."""

    @abstractmethod
    def contributions(self, rows: Rows) -> Contributions:
        """Compute SHAP values."""

    def convertible(self) -> Any:
        """Give the framework's object as it is."""
        return self.native

    def predict(self, rows: Rows) -> Scores:
        """Score rows of shape (rows, columns), NaN for missing."""
        if len(rows) == 0:
            return np.empty(self.task.shape(0))
        try:
            return self.task.checked(self.score(rows), len(rows))
        except ValueError as error:
            raise ContainerError(f"the model {reason(error)}: train another objective") from None


class TreeFlavor(ABC):
    """A framework: what it calls things, and how it fits and reads a model."""

    name: str
    objectives: Mapping[str, Objective]
    known: Sequence[Hyperparameter]
    file: str
    error: type[Exception]
    model: type[TreeModel]

    @abstractmethod
    def take(self, native: Any) -> Any | None:
        """Take the framework's object out of what holds one, cut to its best iteration."""

    @abstractmethod
    def fit(self, data: Channels, values: Mapping[str, Any], checkpoints: Checkpoints) -> Any:
        """Train the framework's object; its errors may pass."""

    @abstractmethod
    def read(self, path: Path) -> Any:
        """Read the framework's object; its errors may pass."""

    def libraries(self) -> Mapping[str, str]:
        """Name the framework's version."""
        return {self.name: version(self.name)}

    def hyperparameters(self, given: Mapping[str, object]) -> Sequence[Hyperparameter]:  # noqa: ARG002
        """List what training takes."""
        return self.known

    def train(
        self, data: Channels, values: Mapping[str, Value], checkpoints: Checkpoints
    ) -> TreeModel:
        """Train; stop when the validation metric no longer improves.

        Raises
        ------
        ContainerError
            The framework refuses the values or the rows.
        """
        try:
            native = self.take(self.fit(data, values, checkpoints))
        except self.error as error:
            raise ContainerError(f"{self.name}: {reason(error)}") from None
        return self.model(native, Task.of(data.contract))

    def wrap(self, native: Any, task: Task) -> TreeModel | None:
        """Take the framework's object, or what holds one; None where it is of another."""
        found = self.take(native)
        return None if found is None else self.model(found, task)

    def save(self, model: Model, folder: Path) -> None:
        """Write the model's one file."""
        model.native.save_model(str(folder / self.file))

    def load(self, folder: Path, task: Task) -> TreeModel:
        """Read the model's one file.

        Raises
        ------
        ContainerError
            It is not a model of this library.
        """
        try:
            return self.model(self.read(folder / self.file), task)
        except self.error as error:
            raise ContainerError(f"{self.file}: not readable: {reason(error)}") from None


def reason(error: Exception) -> str:
    """Take the sentence out of a framework's message: source lines and stacks are no use here."""
    text = str(error).strip().splitlines()[0]
    return re.sub(r"^(\[[\d:]+\] )?\S+:\d+: (Check failed: .*?: )?", "", text)


# Progress is told alike for every framework, so that the same metric definitions read it.
_TOLD = {
    **dict.fromkeys(("binary_logloss", "Logloss"), "logloss"),
    **dict.fromkeys(("multi_logloss", "MultiClass"), "mlogloss"),
    "RMSE": "rmse",
    "learn": "train",
}


def tell(place: int, values: Iterable[tuple[str, str, float]]) -> None:
    """Print a round's metrics: of which rows, the name, the value."""
    told = [f"{_TOLD.get(r, r)}-{_TOLD.get(n, n)}:{value:.6f}" for r, n, value in values]
    print(f"[{place}] {' '.join(told)}", flush=True)
