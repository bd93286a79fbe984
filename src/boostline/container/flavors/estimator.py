"""scikit-learn: its estimators and pipelines, however they were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from boostline.container.flavors import intelex, stored
from boostline.container.flavors.base import Model, Task
from boostline.container.flavors.estimator_training import ESTIMATORS, NAME, train
from boostline.container.flavors.methods import score
from boostline.container.hyperparameters import Hyperparameter, Value
from boostline.container.objectives import SKLEARN
from boostline.features.spec import Objective

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels


class SklearnFlavor:
    """Estimators and pipelines of scikit-learn's own."""

    name, file = "sklearn", "model.skops"
    objectives: Mapping[str, Objective] = SKLEARN

    def libraries(self) -> Mapping[str, str]:
        """Name the versions of scikit-learn, skops and what accelerates training."""
        names = ["scikit-learn", "skops", *(["scikit-learn-intelex"] if intelex.INSTALLED else [])]
        return {name: version(name) for name in names}

    def hyperparameters(self, given: Mapping[str, object]) -> Sequence[Hyperparameter]:
        """List what the chosen estimator takes."""
        chosen = str(NAME.read(given.get(NAME.name, NAME.default)))
        return (NAME, *ESTIMATORS[chosen].takes)

    def train(self, data: Channels, values: Mapping[str, Value], checkpoints: object) -> Model:  # noqa: ARG002
        """Train an estimator by its name."""
        return score(train(data, values), Task.of(data.contract))

    def wrap(self, native: Any, task: Task) -> Model | None:
        """Take an estimator."""
        return score(intelex.plain(native), task) if isinstance(native, BaseEstimator) else None

    def save(self, model: Model, folder: Path) -> None:
        """Write ``model.skops``: the same bytes for the same model."""
        (folder / self.file).write_bytes(stored.dump(model.native))

    def load(self, folder: Path, task: Task) -> Model:
        """Read ``model.skops``."""
        return score(stored.load((folder / self.file).read_bytes()), task)


FLAVOR = SklearnFlavor()
