"""What a flavor has to offer: how a framework's model is recognised, scored, saved and loaded."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from boostline.container.hyperparameters import Hyperparameter, Value
from boostline.features.contract import FeatureContract
from boostline.features.spec import Objective

if TYPE_CHECKING:  # they read tables, and serving does not
    from boostline.container.channels import Channels
    from boostline.container.checkpoints import Checkpoints

Rows = NDArray[np.float32]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """What a model has to answer.

    Attributes
    ----------
    objective
        ``binary``: the probability of the last class, shape (rows,). ``multiclass``: that of each
        class, shape (rows, classes). ``regression``: a number, shape (rows,).
    classes
        How many there are; 0 for regression.
    """

    objective: Objective
    classes: int

    @classmethod
    def of(cls, contract: FeatureContract) -> Task:
        """Take it from a feature contract."""
        return cls(contract.objective, len(contract.classes or []))

    def shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of the scores of so many rows."""
        return (rows, self.classes) if self.objective == "multiclass" else (rows,)

    def checked(self, scores: object, rows: int) -> Scores:
        """Take scores from code that is not ours.

        Raises
        ------
        ValueError
            They have another shape, or are no probabilities or not finite.
        """
        found = np.asarray(scores, dtype=np.float64)
        wanted = self.shape(rows)
        if found.shape != wanted and found.size == np.prod(wanted) and found.ndim > len(wanted):
            found = found.reshape(wanted)  # a column of scores is one score a row
        if found.shape != wanted:
            raise ValueError(f"answered shape {found.shape}, {self.objective} needs {wanted}")
        if not np.isfinite(found).all():
            raise ValueError("answered scores that are not finite numbers")
        if self.objective != "regression" and not ((found >= 0) & (found <= 1 + 1e-6)).all():
            raise ValueError("answered scores that are no probabilities, between 0 and 1")
        return found


# A split on the way to a leaf: its column, its value, and whether the way goes on above the value.
# Which way a row goes that has the value itself, or none, is the framework's matter.
Step = tuple[int, float, bool]
Way = Sequence[Step]


@dataclass(frozen=True)
class Ways:
    """The ways to leaves, all steps in one row: a tree of many leaves has them by the million.

    Attributes
    ----------
    leaves
        How many there are; some have no steps.
    leaf, column, value, above
        Of each step: the leaf that it leads to, counted from 0, and the parts of a ``Step``.
    """

    leaves: int
    leaf: NDArray[np.int32]
    column: NDArray[np.int32]
    value: NDArray[np.float64]
    above: NDArray[np.bool_]

    @classmethod
    def of(cls, ways: Iterable[Way]) -> Ways:
        """Take them from where they are made one by one."""
        leaves, leaf, column, value, above = 0, array("i"), array("i"), array("d"), array("b")
        for way in ways:
            for step in way:
                leaf.append(leaves)
                column.append(step[0])
                value.append(step[1])
                above.append(step[2])
            leaves += 1
        return cls(
            leaves,
            np.array(leaf, dtype=np.int32),
            np.array(column, dtype=np.int32),
            np.array(value, dtype=np.float64),
            np.array(above, dtype=np.bool_),
        )


@dataclass(frozen=True)
class Structure:
    """What is known of a model's trees, for checking a conversion of them.

    Attributes
    ----------
    leaf_sum
        The largest magnitude that the sum of a row's leaves, one a tree, can reach.
    ways
        The way to each leaf.
    slope
        By how much at most a score moves with that sum.
    trees
        How many are walked to score a row.
    """

    leaf_sum: float
    ways: Ways
    slope: float = 0.25
    trees: int = 1


class Contributions(NamedTuple):
    """What each column adds to a sum that becomes the score.

    Attributes
    ----------
    parts
        Shape (rows, columns + 1), the last one being the base; multiclass has a sum for each
        class: (rows, classes, columns + 1).
    link
        How a sum becomes the score: ``identity``, ``log``, ``logit`` or ``softmax``.
    """

    parts: NDArray[np.float64]
    link: str

    def for_scores(self, scores: Scores) -> Contributions | None:
        """Return them, or None where they do not add up to the scores of their rows.

        A framework's own may not, such as LightGBM's of forests and of square roots. The bound is
        wide: they may be sums of float32.
        """
        sums = self.parts.sum(axis=-1)
        with np.errstate(over="ignore"):
            allowed = 1e-3 * np.maximum(1, np.abs(scores)) + 1e-5 * np.abs(self.parts).sum(axis=-1)
            near = np.abs(_LINKS[self.link](sums) - scores) <= allowed
        return self if near.all() else None


def _softmax(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(sums - sums.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


_LINKS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "identity": lambda sums: sums,
    "log": np.exp,
    "logit": lambda sums: 1 / (1 + np.exp(-sums)),
    "softmax": _softmax,
}


class Model(Protocol):
    """A trained model."""

    @property
    def task(self) -> Task:
        """What it answers."""

    @property
    def best_iteration(self) -> int | None:
        """The last boosting round it holds, counted from 0; None if it has none."""

    @property
    def native(self) -> Any:
        """The framework's own object."""

    @property
    def most_explained(self) -> int | None:
        """How many rows it explains at a time: 0 where one is too much; None for any number."""

    def predict(self, rows: Rows) -> Scores:
        """Score rows of shape (rows, columns), NaN for missing, as the task says."""

    def structure(self) -> Structure | None:
        """Describe the trees; None where there is nothing to convert."""

    def convertible(self) -> Any:
        """Give what ``daal4py.mb.convert_model`` takes; asked for where there are trees."""

    def contributions(self, rows: Rows) -> Contributions | None:
        """Explain rows, no more than ``most_explained``; None where the model cannot."""


class Flavor(Protocol):
    """A framework."""

    @property
    def name(self) -> str:
        """As it is named in ``model.json``."""

    @property
    def objectives(self) -> Mapping[str, Objective]:
        """The framework's names of what can be trained, and ours; the first that fits is taken."""

    def hyperparameters(self, given: Mapping[str, object]) -> Sequence[Hyperparameter]:
        """List what the training takes, told what the job gives."""

    def train(self, data: Channels, values: Mapping[str, Value], checkpoints: Checkpoints) -> Model:
        """Train, and cut to the best iteration.

        ``values`` has all of :meth:`hyperparameters`, ``objective`` and ``class_weight``.
        """

    def libraries(self) -> Mapping[str, str]:
        """Versions of what loads the model."""

    def wrap(self, native: Any, task: Task) -> Model | None:
        """Take the framework's own object; None where it is of another framework."""

    def save(self, model: Model, folder: Path) -> None:
        """Write the model's files."""

    def load(self, folder: Path, task: Task) -> Model:
        """Read them again."""


class FunctionModel:
    """A model that a function scores.

    Parameters
    ----------
    native
        The framework's own object.
    task
        What is to be answered.
    score
        Makes scores of ``(native, rows)``.
    refuse
        Raises for scores that cannot be used, told what is wrong with them.
    explain
        Makes contributions of ``(native, rows)``.
    most
        Counts the rows that ``explain`` takes at a time.
    """

    best_iteration: int | None = None

    def __init__(
        self,
        native: Any,
        task: Task,
        score: Callable[[Any, Rows], object],
        refuse: Callable[[str], NoReturn],
        explain: Callable[[Any, Rows], Contributions | None] = lambda *_: None,
        most: Callable[[Any], int | None] = lambda _: None,
    ) -> None:
        self.native = native
        self.task = task
        self._score = score
        self._refuse = refuse
        self._explain = explain
        self._most = most

    @cached_property
    def most_explained(self) -> int | None:
        """How many rows it explains at a time."""
        return self._most(self.native)

    def predict(self, rows: Rows) -> Scores:
        """Score rows of shape (rows, columns), NaN for missing."""
        if len(rows) == 0:
            return np.empty(self.task.shape(0))
        scores = self._score(self.native, rows)
        try:
            return self.task.checked(scores, len(rows))
        except (TypeError, ValueError) as error:
            self._refuse(str(error))

    def structure(self) -> None:
        """No trees are known."""
        return

    def convertible(self) -> None:
        """Nothing to convert."""
        return

    def contributions(self, rows: Rows) -> Contributions | None:
        """Explain rows, if there is a way."""
        found = self._explain(self.native, rows)
        return None if found is None else found.for_scores(self.predict(rows))
