"""scikit-learn-intelex: its classes, which oneDAL accelerates, and scikit-learn's own of these."""

import importlib
import importlib.util
from typing import Any

from sklearn.pipeline import Pipeline

from boostline.container.errors import ContainerError

INSTALLED = importlib.util.find_spec("sklearnex") is not None


def fastest(module: str, name: str) -> Any:
    """Take the class of a name that oneDAL accelerates, where there is one, or scikit-learn's."""
    if INSTALLED:
        faster = getattr(importlib.import_module(f"sklearnex.{module}"), name, None)
        if faster is not None:
            print(f"{name}: accelerated by scikit-learn-intelex", flush=True)
            return faster
    return getattr(importlib.import_module(f"sklearn.{module}"), name)


def plain(native: Any) -> Any:
    """Give an estimator of scikit-learn-intelex scikit-learn's own class, which skops can store.

    Its trees and coefficients are the same; an image without the accelerator can load it.

    Raises
    ------
    ContainerError
        It is of a kind that holds more than these.
    """
    root, _, rest = type(native).__module__.partition(".")
    if isinstance(native, Pipeline):
        return Pipeline([(name, plain(step)) for name, step in native.steps])
    if root != "sklearnex":
        vars(native).pop("feature_names_in_", None)  # rows come as matrices
        return native
    module, name = rest.partition(".")[0], type(native).__name__
    if module not in ("ensemble", "linear_model"):
        raise ContainerError(f"sklearnex's {name} cannot be stored: train sklearn's own {name}")
    own = getattr(importlib.import_module(f"sklearn.{module}"), name)()
    known = own.get_params()
    own.set_params(**{k: v for k, v in native.get_params(deep=False).items() if k in known})
    fitted = {name.lstrip("_") for name in vars(native)} | {"estimators_"}
    fitted -= {"cached_estimators_", "feature_names_in_"}
    for name in sorted(name for name in fitted if name.endswith("_") and hasattr(native, name)):
        setattr(own, name, getattr(native, name))
    return own
