"""What a flavor has to offer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from boostline.container.dataset import Dataset
from boostline.container.hyperparameters import Hyperparameter, Value
from boostline.features.spec import Objective

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Structure:
    """What is known of a model's trees, for checking a conversion of them.

    Attributes
    ----------
    leaf_sum
        The largest sum of the magnitudes of leaves that a row can reach, one a tree.
    boundaries
        Each split as (column, value): rows go left below the value.
    """

    leaf_sum: float
    boundaries: Sequence[tuple[int, float]]


class Model(Protocol):
    """A trained model."""

    @property
    def best_iteration(self) -> int | None:
        """The last boosting round it holds, counted from 0; None if it has none."""

    @property
    def native(self) -> Any:
        """The framework's own object."""

    def predict(self, rows: NDArray[np.float32]) -> Scores:
        """Score rows of shape (rows, columns), NaN for missing: probability of the last class."""

    def structure(self) -> Structure:
        """Describe the trees."""


class Flavor(Protocol):
    """A framework."""

    @property
    def name(self) -> str:
        """As it is named in hyperparameters and in ``model.json``."""

    @property
    def hyperparameters(self) -> Sequence[Hyperparameter]:
        """What can be set."""

    def libraries(self) -> Mapping[str, str]:
        """Versions of what trains."""

    def train(
        self,
        train: Dataset,
        validation: Dataset,
        objective: Objective,
        hyperparameters: Mapping[str, Value],
        say: Callable[[str], None],
    ) -> Model:
        """Train, telling the progress line by line."""

    def save(self, model: Model, folder: Path) -> None:
        """Write the model's files."""

    def load(self, folder: Path) -> Model:
        """Read them again."""
