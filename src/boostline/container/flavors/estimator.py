"""scikit-learn, stored by skops: never a pickle."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import skops.io
from sklearn.base import BaseEstimator

from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Model, Task
from boostline.container.flavors.estimator_score import score
from boostline.container.flavors.estimator_train import (
    ACCELERATED,
    ESTIMATOR,
    ESTIMATORS,
    fit,
    plain,
)
from boostline.container.hyperparameters import Hyperparameter, Value
from boostline.features.spec import Objective

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels

FILE = "model.skops"

# skops trusts these only on demand. Node arrays with places out of range can end the process that
# reads them, though they cannot run code. The artifact's digests say that training wrote them.
_TRUSTED = frozenset(
    {
        "numpy.dtype",
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    }
)


class SklearnFlavor:
    """Estimators and pipelines of scikit-learn's own."""

    name = "sklearn"
    objectives: Mapping[str, Objective] = {
        "binary": "binary",
        "multiclass": "multiclass",
        "regression": "regression",
    }

    def libraries(self) -> Mapping[str, str]:
        """Name the versions of scikit-learn, skops and what accelerates training."""
        names = ["scikit-learn", "skops", *(["scikit-learn-intelex"] if ACCELERATED else [])]
        return {name: version(name) for name in names}

    def hyperparameters(self, given: Mapping[str, object]) -> Sequence[Hyperparameter]:
        """List what the chosen estimator takes."""
        chosen = ESTIMATOR.read(given.get(ESTIMATOR.name, ESTIMATOR.default))
        return (ESTIMATOR, *ESTIMATORS[str(chosen)].takes)

    def train(self, data: Channels, values: Mapping[str, Value], checkpoints: object) -> Model:  # noqa: ARG002
        """Train an estimator by its name."""
        return score(fit(data, values), Task.of(data.contract))

    def wrap(self, native: Any, task: Task) -> Model | None:
        """Take an estimator."""
        return score(plain(native), task) if isinstance(native, BaseEstimator) else None

    def save(self, model: Model, folder: Path) -> None:
        """Write ``model.skops``: the same bytes for the same model.

        Raises
        ------
        ContainerError
            skops would have to trust code that is not scikit-learn's.
        """
        content = skops.io.dumps(model.native)
        _audit(content)
        (folder / FILE).write_bytes(_stable(content))

    def load(self, folder: Path, task: Task) -> Model:
        """Read ``model.skops``.

        Raises
        ------
        ContainerError
            It holds what is not trusted, or cannot be read with these libraries.
        """
        content = (folder / FILE).read_bytes()
        _audit(content)
        try:
            return score(skops.io.loads(content, trusted=sorted(_TRUSTED)), task)
        except Exception as error:  # a foreign file can fail in any way
            raise ContainerError(
                f"{FILE}: not readable: {error}: install the libraries that model.json names"
            ) from None


def _audit(content: bytes) -> None:
    odd = sorted(set(skops.io.get_untrusted_types(data=content)) - _TRUSTED)
    if odd:
        raise ContainerError(
            f"{FILE}: holds {', '.join(odd)}, which skops does not trust: use scikit-learn's own "
            "parts, return an XGBoost model, or define save(model, folder) and load(folder)"
        )


def _stable(content: bytes) -> bytes:
    """Name members by their order instead of by memory addresses, and drop the time of day."""
    numbers: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:
        return found[1] + numbers.setdefault(found[2], str(len(numbers)))

    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        schema = old.read("schema.json").decode()
        new.writestr(
            zipfile.ZipInfo("schema.json"),
            re.sub(r'("(?:__id__|file)": "?)(\d+)', renamed, schema),
        )
        for number, name in numbers.items():
            if f"{number}.npy" in old.namelist():
                new.writestr(zipfile.ZipInfo(f"{name}.npy"), old.read(f"{number}.npy"))
    return target.getvalue()


FLAVOR = SklearnFlavor()
