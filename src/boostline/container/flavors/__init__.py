"""How a framework's model is saved and loaded: one module a framework, listed here."""

from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from boostline.container.code import UserCode, open_code
from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Flavor, FunctionModel, Model, Rows, Task

# Imported when asked for: a framework is heavy, and need not be installed. The order is that in
# which they are asked about a model of the user's: XGBoost's estimators are scikit-learn's too.
FLAVORS = {
    "xgboost": "boostline.container.flavors.xgb",
    "sklearn": "boostline.container.flavors.estimator",
    "code": "boostline.container.flavors.own",
}
TRAIN_CODE, SERVE_CODE = Path("code", "train"), Path("code", "serve")  # channel and artifact


def find_flavor(name: str) -> Flavor:
    """Import a flavor by its name.

    Raises
    ------
    ContainerError
        There is none of that name.
    """
    if name not in FLAVORS:
        raise ContainerError(f"unknown flavor {name!r}: known are {', '.join(FLAVORS)}")
    flavor: Flavor = import_module(FLAVORS[name]).FLAVOR
    return flavor


def wrap(native: Any, task: Task, code: UserCode) -> tuple[Flavor, Model]:
    """Find out how a model of the user's is saved.

    Parameters
    ----------
    native
        What ``train`` returned.
    task
        What it has to answer.
    code
        The file that trained it; its own ``save`` and ``load`` come before any flavor's.

    Returns
    -------
    tuple[Flavor, Model]
        The flavor that saves it, and the model.

    Raises
    ------
    UserCodeError
        Nothing can save it.
    """
    own = [code.optional(name) is not None for name in ("save", "load")]
    if any(own) and not all(own):
        code.refuse("train", "has one of save(model, folder) and load(folder): define both")
    for name in ["code"] if all(own) else [name for name in FLAVORS if name != "code"]:
        flavor = find_flavor(name)
        model = flavor.wrap(native, task)
        if model is not None:
            break
    else:
        code.refuse(
            "train",
            f"returned a {type(native).__module__}.{type(native).__name__}, which cannot be "
            "stored: return an XGBoost model, or a scikit-learn estimator, or define "
            "save(model, folder) and load(folder) beside train",
        )
    return flavor, model


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
            return predict(native, rows)

    return FunctionModel(model.native, model.task, score, partial(code.refuse, "predict"))
