"""What the frameworks of boosted trees have in common."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

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
from boostline.container.objectives import LINKS
from boostline.container.weights import Part, weighted
from boostline.features.spec import Objective

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels

# How much a score can move with the sum of the leaves: the slope of the logistic function; of
# softmax, where every class's sum may move.
SLOPES: Mapping[Objective, float] = {"binary": 0.25, "multiclass": 0.5, "regression": 1.0}

# A leaf by its magnitude; or a split by its column, its value, and what is below and above.
Node = float | tuple[int, float, Any, Any]
Tree = Iterable[tuple[float, Way]]  # the magnitude of each leaf, and the way to it


def walk(root: Any, read: Callable[[Any], Node]) -> Iterator[tuple[float, list[Step]]]:
    """Yield the leaves of a tree of nodes that a function can read."""
    waiting: list[tuple[Any, list[Step]]] = [(root, [])]
    while waiting:
        node, path = waiting.pop()
        match read(node):
            case (column, value, below, above):
                waiting += [(below, [*path, (column, value, False)])]
                waiting += [(above, [*path, (column, value, True)])]
            case leaf:
                yield leaf, path


def _survey(trees: Iterable[Tree]) -> tuple[list[float], Ways]:
    """Take the largest leaf of each tree, and the ways to all leaves."""
    largest: list[float] = []

    def ways() -> Iterator[Way]:
        for tree in trees:  # one at a time: what is parsed of it is large
            largest.append(0.0)
            for leaf, way in tree:
                largest[-1] = max(largest[-1], leaf)
                yield way

    return largest, Ways.of(ways())


class TreeModel:
    """A model that holds its best iterations only.

    Parameters
    ----------
    native
        The framework's own object.
    task
        What is to be answered.
    flavor
        What knows the framework.

    Attributes
    ----------
    link
        How the sum of leaves becomes the score: see :class:`.base.Contributions`.
    most_explained
        Any number of rows: the frameworks' own SHAP values are quick.
    """

    most_explained: int | None = None

    def __init__(self, native: Any, task: Task, flavor: TreeFlavor) -> None:
        self.native = native
        self.task = task
        self._flavor = flavor
        self.link = LINKS.get(flavor.objective(native), "identity")

    @property
    def best_iteration(self) -> int:
        """The last round, since the rounds after the best one are cut."""
        return self._flavor.rounds(self.native) - 1

    def predict(self, rows: Rows) -> Scores:
        """Score rows of shape (rows, columns), NaN for missing."""
        if len(rows) == 0:
            return np.empty(self.task.shape(0))
        try:
            return self.task.checked(self._flavor.score(self, rows), len(rows))
        except ValueError as error:
            raise ContainerError(f"the model {reason(error)}: train another objective") from None

    def structure(self) -> Structure:
        """Describe the trees."""
        flavor, task = self._flavor, self.task
        leaves, ways = _survey(flavor.trees(self.native))
        # Trees of classes take turns, or there is one sum.
        turns = task.classes if flavor.turns and task.objective == "multiclass" else 1
        largest = max(sum(leaves[turn::turns]) for turn in range(turns))
        start = flavor.start(self.native)
        return Structure(largest + start, ways, SLOPES[task.objective], len(leaves))

    def convertible(self) -> Any:
        """Give what ``daal4py`` converts."""
        return self._flavor.convertible(self.native)

    def contributions(self, rows: Rows) -> Contributions | None:
        """Compute SHAP values, where the framework has such that add up."""
        try:
            shares = self._flavor.shares(self.native, rows)
        except self._flavor.error:  # as XGBoost's of trees with a leaf for all classes
            return None
        if shares is None:
            return None
        parts = np.asarray(shares, dtype=np.float64)
        if self.task.objective == "multiclass":
            parts = parts.reshape(len(rows), -1, rows.shape[1] + 1)
        return Contributions(parts, self.link).for_scores(self.predict(rows))


class Job(NamedTuple):
    """What a framework trains with.

    Attributes
    ----------
    parameters
        Its own hyperparameters, by its names; those that are not set are left out.
    parts
        The rows to train on; and those to stop on, if there are any.
    checkpoints
        What keeps an interrupted training, for a framework that can resume one.
    size
        How many bytes the features to train on are.
    """

    parameters: dict[str, Any]
    parts: list[Part]
    checkpoints: Checkpoints
    size: int


class TreeFlavor(ABC):
    """A framework: what it calls things, and how it fits, reads and scores a model.

    Attributes
    ----------
    name, file
        Of the flavor, and of the file that holds a model.
    library, kind, estimator, error
        The framework's module; what it trains, holds in estimators, and raises.
    objectives
        Its names of what can be trained, and ours.
    known, unset
        The hyperparameters, and values that stand for: not set.
    calls
        What the hyperparameters of the objective and of the number of classes are called.
    turns
        Whether each class has trees of its own, which take turns.
    patience
        What the hyperparameter of early stopping is called; 0 is never.
    inside, rounds
        Takes the object out of an estimator; counts the rounds of an object.
    """

    name: str
    file: str
    library: ModuleType
    kind: type
    estimator: type
    error: type[Exception]
    objectives: Mapping[str, Objective]
    known: Sequence[Hyperparameter]
    unset: Mapping[str, object] = {}
    calls = ("objective", "num_class")
    patience = "early_stopping_rounds"
    turns = True
    inside: Callable[[Any], Any] = staticmethod(lambda native: native)
    rounds: Callable[[Any], int]

    def cut(self, native: Any) -> Any:
        """Cut the framework's object to its best iteration, where the framework did not."""
        return native

    @abstractmethod
    def fit(self, job: Job) -> Any:
        """Train the framework's object; its errors may pass."""

    @abstractmethod
    def read(self, path: Path) -> Any:
        """Read the framework's object; its errors may pass."""

    @abstractmethod
    def objective(self, native: Any) -> str:
        """Name what an object was trained for, however it was trained."""

    @abstractmethod
    def score(self, model: TreeModel, rows: Rows) -> Any:
        """Score one row or more, in one thread."""

    @abstractmethod
    def shares(self, native: Any, rows: Rows) -> Any:
        """Compute SHAP values, the base last; None where the framework's do not add up."""

    @abstractmethod
    def trees(self, native: Any) -> Iterator[Tree]:
        """Yield the trees."""

    def start(self, native: Any) -> float:  # noqa: ARG002
        """Bound what sums of leaves start from."""
        return 0.0

    def convertible(self, native: Any) -> Any:
        """Give the framework's object as it is."""
        return native

    def libraries(self) -> Mapping[str, str]:
        """Name the framework's version, whatever the name of its package."""
        return {self.name: self.library.__version__}

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
        task, (objective, classes) = Task.of(data.contract), self.calls
        names = [item.name for item in self.known]
        own = {name: values[name] for name in names if values[name] != self.unset.get(name)}
        if data.validation is None or not values[self.patience]:
            del own[self.patience]
        own[objective] = values["objective"]
        if task.objective == "multiclass":
            own[classes] = task.classes
        size = 4 * len(data.columns) * len(data.train.labels)
        job = Job(own, weighted(data, str(values["class_weight"])), checkpoints, size)
        try:
            return TreeModel(self.cut(self.fit(job)), task, self)
        except self.error as error:
            raise ContainerError(f"{self.name}: {reason(error)}") from None

    def wrap(self, native: Any, task: Task) -> TreeModel | None:
        """Take the framework's object, or what holds one; None where it is of another."""
        held = self.inside(native) if isinstance(native, self.estimator) else native
        return TreeModel(self.cut(held), task, self) if isinstance(held, self.kind) else None

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
            return TreeModel(self.read(folder / self.file), task, self)
        except self.error as error:
            raise ContainerError(f"{self.file}: not readable: {reason(error)}") from None


def reason(error: Exception) -> str:
    """Take the sentence out of a framework's message: source lines and stacks are no use here."""
    text = str(error).strip().splitlines()[0]
    return re.sub(r"^(\[[\d:]+\] )?\S+:\d+: (Check failed: .*?: )?", "", text)
