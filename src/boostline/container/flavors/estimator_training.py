"""The training of scikit-learn: estimators by name, accelerated where oneDAL can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from boostline.container.errors import ContainerError
from boostline.container.flavors import intelex
from boostline.container.hyperparameters import Hyperparameter
from boostline.container.weights import Part, weighted
from boostline.features.spec import Objective

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels

_SEED = Hyperparameter("random_state", "integer", 0, 0, 2**31 - 1)
_DEPTH = Hyperparameter("max_depth", "integer", 0, 0, 1_000)  # 0 is no bound
_BOOSTING = (
    Hyperparameter("max_iter", "integer", 500, 1, 100_000),
    Hyperparameter("n_iter_no_change", "integer", 30, 0, 100_000),
    Hyperparameter("learning_rate", "real", 0.1, 1e-6, 1),
    Hyperparameter("max_leaf_nodes", "integer", 31, 2, 131_072),
    Hyperparameter("min_samples_leaf", "integer", 20, 1, 2**31 - 1),
    Hyperparameter("l2_regularization", "real", 0.0, 0),
    Hyperparameter("max_features", "real", 1.0, 1e-3, 1),
    Hyperparameter("max_bins", "integer", 255, 2, 255),
    _DEPTH,
    _SEED,
)
_FOREST = (
    Hyperparameter("n_estimators", "integer", 300, 1, 100_000),
    Hyperparameter("max_features", "real", "sqrt", 1e-3, 1.0, words=("sqrt", "log2")),
    Hyperparameter("min_samples_leaf", "integer", 1, 1, 2**31 - 1),
    _DEPTH,
    _SEED,
)
_LOGISTIC = (
    Hyperparameter("C", "real", 1.0, 1e-9),
    Hyperparameter("max_iter", "integer", 1_000, 1, 100_000),
    _SEED,
)
_RIDGE = (Hyperparameter("alpha", "real", 1.0, 0), _SEED)


class Estimator(NamedTuple):
    """What can be trained by a name.

    Attributes
    ----------
    kind
        How it is fitted.
    module
        Of scikit-learn, and of scikit-learn-intelex.
    classes
        The name of the class by objective; the others do not fit.
    takes
        Its hyperparameters.
    """

    kind: Literal["boosting", "forest", "linear"]
    module: str
    classes: Mapping[Objective, str]
    takes: tuple[Hyperparameter, ...]


def _either(name: str) -> Mapping[Objective, str]:
    classifier = f"{name}Classifier"
    return {"binary": classifier, "multiclass": classifier, "regression": f"{name}Regressor"}


_LOGISTIC_CLASSES: Mapping[Objective, str] = dict.fromkeys(
    ("binary", "multiclass"), "LogisticRegression"
)
ESTIMATORS = {
    "hist_gradient_boosting": Estimator(
        "boosting", "ensemble", _either("HistGradientBoosting"), _BOOSTING
    ),
    "random_forest": Estimator("forest", "ensemble", _either("RandomForest"), _FOREST),
    "extra_trees": Estimator("forest", "ensemble", _either("ExtraTrees"), _FOREST),
    "logistic_regression": Estimator("linear", "linear_model", _LOGISTIC_CLASSES, _LOGISTIC),
    "ridge": Estimator("linear", "linear_model", {"regression": "Ridge"}, _RIDGE),
}
NAME = Hyperparameter("estimator", "word", "hist_gradient_boosting", words=tuple(ESTIMATORS))


def train(data: Channels, values: Mapping[str, Any]) -> Any:
    """Train the estimator that ``estimator`` names.

    Returns
    -------
    Any
        An estimator of scikit-learn's own class, whatever fitted it.

    Raises
    ------
    ContainerError
        It does not fit the label, or scikit-learn refuses the values or the rows.
    """
    name, objective = values[NAME.name], data.contract.objective
    chosen = ESTIMATORS[name]
    if objective not in chosen.classes:
        fitting = [known for known, other in ESTIMATORS.items() if objective in other.classes]
        raise ContainerError(
            f"hyperparameter 'estimator': {name!r} does not fit the {objective} label: "
            f"use {' or '.join(fitting)}"
        )
    try:
        return _fitted(chosen, data, values)
    except ValueError as error:
        raise ContainerError(f"scikit-learn: {error}") from None


def _fitted(chosen: Estimator, data: Channels, values: Mapping[str, Any]) -> Any:
    make = intelex.fastest(chosen.module, chosen.classes[data.contract.objective])
    given = {item.name: values[item.name] for item in chosen.takes}
    if "max_depth" in given:
        given["max_depth"] = given["max_depth"] or None
    train, *held = weighted(data, values["class_weight"])
    match chosen.kind:
        case "boosting":
            return _boosted(make, given, train, held)
        case "forest":
            return _forest(make, given, train)
        case "linear":
            categories = data.contract.categories
            named = [place for place, name in enumerate(data.columns) if name in categories]
            return _linear(make, given, train, named)


def _forest(make: Any, given: dict[str, Any], train: Part) -> Any:
    """Fit a forest by all CPUs; it scores by one."""
    forest = make(**given, n_jobs=-1)
    forest.fit(train.rows.features, train.rows.labels, train.weights)
    return intelex.plain(forest).set_params(n_jobs=None)


def _linear(make: Any, given: dict[str, Any], train: Part, named: Sequence[int]) -> Any:
    """Fit a linear model: it needs numbers alike in size, none missing, no order of categories."""
    whole = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    single = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    rows = train.rows.features
    numbers = [place for place in range(rows.shape[1]) if place not in named]
    prepare = make_column_transformer((whole, numbers), (single, named))
    wide = prepare.fit_transform(rows.astype(float))
    model = make(**given).fit(wide, train.rows.labels, train.weights)
    return Pipeline([("prepare", prepare), ("model", intelex.plain(model))])


def _boosted(make: Any, given: dict[str, Any], train: Part, held: Sequence[Part]) -> Any:
    """Boost until the validation rows tell no gain, and cut what came after the best."""
    patience = given.pop("n_iter_no_change")
    rows = (train.rows.features, train.rows.labels, train.weights)
    if not held or not patience:
        return make(**given, early_stopping=False).fit(*rows)
    model = make(**given, early_stopping=True, n_iter_no_change=patience)
    _, other, weights = held[0]
    model.fit(*rows, X_val=other.features, y_val=other.labels, sample_weight_val=weights)
    best = max(1, int(np.argmax(model.validation_score_)))  # the first is of no iteration at all
    model._predictors = model._predictors[:best]  # noqa: SLF001
    return model
