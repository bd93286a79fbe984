"""scikit-learn, stored by skops: never a pickle."""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import sklearn
import skops
import skops.io
from sklearn.base import BaseEstimator

from boostline.container.errors import ContainerError
from boostline.container.flavors.base import FunctionModel, Model, Rows, Task

FILE = "model.skops"

# skops trusts these only on demand: node arrays with places out of range can end the process that
# reads them, though they cannot run code. The artifact's digests say that training wrote them.
_TRUSTED = frozenset(
    {
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    }
)


def score(native: Any, task: Task) -> FunctionModel:
    """Score a model by scikit-learn's methods: ``predict_proba``, or ``predict`` for regression."""
    method = "predict" if task.objective == "regression" else "predict_proba"

    def scores(model: Any, rows: Rows) -> object:
        if not hasattr(model, method):
            _refuse(f"has no {method}: put predict(model, features) into the serve code")
        found = getattr(model, method)(rows)
        if task.objective == "regression":
            return found
        # A class that training never saw has no column: its probability is 0.
        whole = np.zeros((len(rows), task.classes))
        whole[:, np.asarray(model.classes_, dtype=np.int64)] = found
        return whole[:, -1] if task.objective == "binary" else whole

    return FunctionModel(native, task, scores, _refuse)


class SklearnFlavor:
    """Estimators and pipelines of scikit-learn's own."""

    name = "sklearn"

    def libraries(self) -> Mapping[str, str]:
        """Name the versions of scikit-learn and skops."""
        return {"scikit-learn": sklearn.__version__, "skops": skops.__version__}

    def wrap(self, native: Any, task: Task) -> Model | None:
        """Take an estimator."""
        return score(native, task) if isinstance(native, BaseEstimator) else None

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


def _refuse(message: str) -> NoReturn:
    raise ContainerError(f"the model {message}")


FLAVOR = SklearnFlavor()
