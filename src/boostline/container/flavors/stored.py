"""Estimators of scikit-learn as bytes, written by skops and audited: never a pickle."""

import io
import re
import zipfile
from typing import Any

import skops.io

from boostline.container.errors import ContainerError

# skops trusts these only on demand. Node arrays with places out of range can end the process that
# reads them, though they cannot run code. The artifact's digests say that training wrote them.
_TRUSTED = frozenset(
    {
        "numpy.dtype",
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    }
)


def dump(native: Any) -> bytes:
    """Write an estimator: the same bytes for the same one.

    Raises
    ------
    ContainerError
        skops would have to trust code that is not scikit-learn's.
    """
    content = skops.io.dumps(native)
    _audit(content)
    return _stable(content)


def load(content: bytes) -> Any:
    """Read an estimator.

    Raises
    ------
    ContainerError
        It holds what is not trusted, or cannot be read with these libraries.
    """
    _audit(content)
    try:
        return skops.io.loads(content, trusted=sorted(_TRUSTED))
    except Exception as error:  # a foreign file can fail in any way
        raise ContainerError(
            f"model.skops: not readable: {error}: install the libraries that model.json names"
        ) from None


def _audit(content: bytes) -> None:
    odd = sorted(set(skops.io.get_untrusted_types(data=content)) - _TRUSTED)
    if odd:
        raise ContainerError(
            f"model.skops: holds {', '.join(odd)}, which skops does not trust: use scikit-learn's "
            "own parts, return an XGBoost model, or define save(model, folder) and load(folder)"
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
