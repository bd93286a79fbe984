"""Frameworks: how each trains, saves, loads and explains; one module each, listed here."""

import sys
from collections.abc import Iterator, Sequence
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from boostline.container.code import UserCode, open_code
from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Flavor, FunctionModel, Model, Rows, Task


class _Place(NamedTuple):
    module: str
    framework: str  # what has to be installed, as it is imported
    extra: str  # of ours, that installs it


# Imported when asked for: a framework is heavy, and need not be installed. The order is that in
# which they are asked about a model of the user's: the estimators of others are scikit-learn's too.
FLAVORS = {
    "xgboost": _Place("boostline.container.flavors.xgb", "xgboost", "xgboost"),
    "lightgbm": _Place("boostline.container.flavors.lgbm", "lightgbm", "lightgbm"),
    "catboost": _Place("boostline.container.flavors.cat", "catboost", "catboost"),
    "sklearn": _Place("boostline.container.flavors.estimator", "sklearn", "scikit-learn"),
    "code": _Place("boostline.container.flavors.own", "boostline", "container"),
}
GROUP = "boostline.flavors"  # entry points of other packages: each names a ``Flavor``
TRAIN_CODE, SERVE_CODE = Path("code", "train"), Path("code", "serve")  # channel and artifact


def find_flavor(name: str) -> Flavor:
    """Import a flavor by its name.

    Raises
    ------
    ContainerError
        There is none of that name, its framework is not installed, or another package declares
        one of our names.
    """
    place = FLAVORS.get(name)
    flavor: Flavor
    if place is None:
        others = _others()
        if name not in others:
            known = ", ".join((*FLAVORS, *others))
            raise ContainerError(f"unknown flavor {name!r}: known are {known}")
        flavor = others[name].load()
        return flavor
    try:
        flavor = import_module(place.module).FLAVOR
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in {place.framework, "skops"}:  # which stores scikit-learn's estimators
            raise
        raise ContainerError(
            f"flavor {name!r}: {missing} is not installed: use an image that holds it, or "
            f"install boostline[{place.extra}]"
        ) from None
    return flavor


@cache
def _others() -> dict[str, EntryPoint]:
    """List the flavors of other packages.

    Raises
    ------
    ContainerError
        A name is taken.
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if entry.name in FLAVORS or entry.name in found:
            taken = found[entry.name].value if entry.name in found else "boostline"
            raise ContainerError(
                f"flavor {entry.name!r} of {entry.value} is a name of {taken} already: "
                "uninstall one of the packages"
            )
        found[entry.name] = entry
    return found


def wrap(
    native: Any, task: Task, code: UserCode, columns: Sequence[str] = ()
) -> tuple[Flavor, Model]:
    """Find out how a model of the user's is saved.

    Parameters
    ----------
    native
        What ``train`` returned.
    task
        What it has to answer.
    code
        The file that trained it; its own ``save`` and ``load`` come before any flavor's.
    columns
        The features in the order that they are scored in.

    Returns
    -------
    tuple[Flavor, Model]
        The flavor that saves it, and the model.

    Raises
    ------
    UserCodeError
        Nothing can save it, or it knows the columns in another order.
    """
    names = _names(native)
    if names != list(columns) and sorted(names) == sorted(columns):
        code.refuse(
            "train",
            f"returned a model of the columns in the order {', '.join(names)}, and they are scored "
            f"in that of data.columns: {', '.join(columns)}: train in this order",
        )
    own = [code.optional(name) is not None for name in ("save", "load")]
    if any(own) and not all(own):
        code.refuse("train", "has one of save(model, folder) and load(folder): define both")
    for flavor in [find_flavor("code")] if all(own) else _candidates(native):
        model = flavor.wrap(native, task)
        if model is not None:
            break
    else:
        code.refuse(
            "train",
            f"returned a {type(native).__module__}.{type(native).__name__}, which cannot be "
            "stored: return a model of XGBoost, LightGBM, CatBoost or scikit-learn, or define "
            "save(model, folder) and load(folder) beside train",
        )
    return flavor, model


def _names(native: Any) -> list[str]:
    """Name the columns that a model was trained with, where it knows."""
    for place in ("feature_names_in_", "feature_names_", "feature_name_", "feature_names"):
        found = getattr(native, place, None)
        if found is not None:
            return [str(name) for name in found]
    return []


def _candidates(native: Any) -> Iterator[Flavor]:
    """Yield the flavors whose framework can have made a model: it was imported for that."""
    maker = type(native).__module__.partition(".")[0]
    for name, place in FLAVORS.items():
        if name != "code" and place.framework in sys.modules:
            try:
                flavor = find_flavor(name)
            except ContainerError:  # what stores its models is not installed
                if maker == place.framework:
                    raise
                continue
            yield flavor
    for name in _others():
        yield find_flavor(name)


def with_predict(model: Model, folder: Path) -> Model:
    """Let the user's ``predict`` score a model, if a folder of serve code is there.

    Raises
    ------
    UserCodeError
        The code cannot be imported.
    """
    code = open_code(folder)
    if code is None:
        return model
    predict, lock = code.function("predict"), Lock()

    def score(native: Any, rows: Rows) -> object:
        with lock:  # the server scores in threads: the user need not think of them
            return predict(native, rows.copy())  # to change at will; a request's are read-only

    return FunctionModel(model.native, model.task, score, partial(code.refuse, "predict"))
