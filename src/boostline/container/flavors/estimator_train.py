"""The training of scikit-learn: an estimator by name, accelerated where oneDAL can."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from boostline.container.errors import ContainerError
from boostline.container.hyperparameters import Hyperparameter
from boostline.container.weights import class_weights, row_weights
from boostline.features.spec import Objective

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels

ACCELERATED = importlib.util.find_spec("sklearnex") is not None
_SEED = Hyperparameter("random_state", "integer", 0, 0, 2**31 - 1)
_LEAF = Hyperparameter("min_samples_leaf", "integer", 1, 1)
_DEPTH = Hyperparameter("max_depth", "integer", 0, 0, 1_000)  # 0: no bound
_FOREST = (
    Hyperparameter("n_estimators", "integer", 300, 1, 100_000),
    Hyperparameter("max_features", "real", "sqrt", 1e-3, 1.0, words=("sqrt", "log2")),
    *(_DEPTH, _LEAF, _SEED),
)


@dataclass(frozen=True)
class _Estimator:
    """A module, its class by objective, whether it needs preparation, what it takes."""

    module: str
    classes: Mapping[Objective, str]
    takes: tuple[Hyperparameter, ...]
    linear: bool = False


def _both(name: str) -> Mapping[Objective, str]:
    classifier = f"{name}Classifier"
    return {"binary": classifier, "multiclass": classifier, "regression": f"{name}Regressor"}


ESTIMATORS = {
    "hist_gradient_boosting": _Estimator(
        "ensemble",
        _both("HistGradientBoosting"),
        (
            Hyperparameter("max_iter", "integer", 500, 1, 100_000),
            Hyperparameter("n_iter_no_change", "integer", 30, 0, 100_000),
            Hyperparameter("learning_rate", "real", 0.1, 1e-6, 1.0),
            Hyperparameter("max_leaf_nodes", "integer", 31, 2, 131_072),
            Hyperparameter("min_samples_leaf", "integer", 20, 1),
            Hyperparameter("l2_regularization", "real", 0.0, 0.0),
            Hyperparameter("max_features", "real", 1.0, 1e-3, 1.0),
            Hyperparameter("max_bins", "integer", 255, 2, 255),
            *(_DEPTH, _SEED),
        ),
    ),
    "random_forest": _Estimator("ensemble", _both("RandomForest"), _FOREST),
    "extra_trees": _Estimator("ensemble", _both("ExtraTrees"), _FOREST),
    "logistic_regression": _Estimator(
        "linear_model",
        {"binary": "LogisticRegression", "multiclass": "LogisticRegression"},
        (
            Hyperparameter("C", "real", 1.0, 1e-9),
            Hyperparameter("max_iter", "integer", 1_000, 1, 100_000),
            _SEED,
        ),
        linear=True,
    ),
    "ridge": _Estimator(
        "linear_model",
        {"regression": "Ridge"},
        (Hyperparameter("alpha", "real", 1.0, 0.0), _SEED),
        linear=True,
    ),
}
ESTIMATOR = Hyperparameter("estimator", "word", "hist_gradient_boosting", words=tuple(ESTIMATORS))


def fit(data: Channels, values: Mapping[str, Any]) -> Any:
    """Fit the estimator that ``estimator`` names.

    Returns
    -------
    Any
        An estimator of scikit-learn's own classes, whatever fitted it.

    Raises
    ------
    ContainerError
        It is not for this label, or scikit-learn refuses the values or the rows.
    """
    chosen, objective = ESTIMATORS[values[ESTIMATOR.name]], data.contract.objective
    if objective not in chosen.classes:
        fitting = [name for name, other in ESTIMATORS.items() if objective in other.classes]
        raise ContainerError(
            f"hyperparameter 'estimator': {values[ESTIMATOR.name]!r} does not fit the {objective} "
            f"label: use {' or '.join(fitting)}"
        )
    given = {item.name: values[item.name] for item in chosen.takes}
    if not given.get("max_depth", 1):
        given["max_depth"] = None
    made = _class(chosen.module, chosen.classes[objective])
    try:
        if "n_iter_no_change" in given:
            return _boosted(made, given, data, values)
        return _fitted(made(**given), data, values, linear=chosen.linear)
    except ValueError as error:
        raise ContainerError(f"scikit-learn: {error}") from None


def _class(module: str, name: str) -> Any:
    """Take the class that oneDAL accelerates, where there is one."""
    if ACCELERATED:
        faster = getattr(importlib.import_module(f"sklearnex.{module}"), name, None)
        if faster is not None:
            print(f"{name}: accelerated by scikit-learn-intelex", flush=True)
            return faster
    return getattr(importlib.import_module(f"sklearn.{module}"), name)


def _fitted(made: Any, data: Channels, values: Mapping[str, Any], *, linear: bool) -> Any:
    rows, labels = data.train.features, data.train.labels
    weight = row_weights(data.train, class_weights(values["class_weight"], data))
    if not linear:
        return plain(made.set_params(n_jobs=-1).fit(rows, labels, weight)).set_params(n_jobs=None)
    # A linear model needs numbers alike in size, none missing, and no order of categories.
    categories = data.contract.categories
    named = [place for place, name in enumerate(data.columns) if name in categories]
    numbers = [place for place, name in enumerate(data.columns) if name not in categories]
    whole = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    single = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = make_column_transformer((whole, numbers), (single, named))
    wide = prepare.fit_transform(rows.astype(np.float64))
    return Pipeline([("prepare", prepare), ("model", plain(made.fit(wide, labels, weight)))])


def _boosted(made: Any, given: dict[str, Any], data: Channels, values: Mapping[str, Any]) -> Any:
    """Boost until the validation rows tell no gain, and cut what came after the best."""
    weights = class_weights(values["class_weight"], data)
    patience, held = given.pop("n_iter_no_change"), data.validation
    if held is None or not patience:
        model = made(**given, early_stopping=False)
        return model.fit(data.train.features, data.train.labels, row_weights(data.train, weights))
    model = made(**given, early_stopping=True, n_iter_no_change=patience)
    model.fit(
        data.train.features,
        data.train.labels,
        row_weights(data.train, weights),
        X_val=held.features,
        y_val=held.labels,
        sample_weight_val=row_weights(held, weights),
    )
    # The first score is that of no iteration at all.
    model._predictors = model._predictors[: max(1, int(np.argmax(model.validation_score_)))]  # noqa: SLF001
    return model


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
