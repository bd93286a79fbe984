"""scikit-learn: training by an estimator's name, accelerated where oneDAL can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from boostline.container.errors import ContainerError
from boostline.container.flavors import intelex, stored
from boostline.container.flavors.base import Model, Task
from boostline.container.flavors.methods import score
from boostline.container.hyperparameters import Hyperparameter, Value, alike
from boostline.container.objectives import SKLEARN
from boostline.container.weights import Part, weighted
from boostline.features.spec import Objective

if TYPE_CHECKING:  # it reads tables, and serving does not
    from boostline.container.channels import Channels

_SEED = alike("random_state", "integer", 0, 0, 2**31 - 1)
_TREE = (*alike("max_depth", "integer", 0, 0, 1_000), *_SEED)  # a depth of 0 is no bound
_BOOSTING = (
    *alike("max_iter", "integer", 500, 1, 100_000),
    *alike("n_iter_no_change", "integer", 30, 0, 100_000),
    *alike("learning_rate", "real", 0.1, 1e-6, 1),
    *alike("max_leaf_nodes", "integer", 31, 2, 131_072),
    *alike("min_samples_leaf", "integer", 20, 1),
    *alike("l2_regularization", "real", 0.0, 0),
    *alike("max_features", "real", 1.0, 1e-3, 1),
    *(*alike("max_bins", "integer", 255, 2, 255), *_TREE),
)
_FOREST = (
    *alike("n_estimators", "integer", 300, 1, 100_000),
    Hyperparameter("max_features", "real", "sqrt", 1e-3, 1.0, words=("sqrt", "log2")),
    *(*alike("min_samples_leaf", "integer", 1, 1), *_TREE),
)
_LOGISTIC = (
    *alike("C", "real", 1.0, 1e-9),
    *(*alike("max_iter", "integer", 1_000, 1, 100_000), *_SEED),
)
_RIDGE = (*alike("alpha", "real", 1.0, 0), *_SEED)
_CLASSES = {"binary": "", "multiclass": ""}
_EITHER = {"binary": "Classifier", "multiclass": "Classifier", "regression": "Regressor"}
# By name: a module, a class, what that ends with for each objective, what it takes.
ESTIMATORS = {
    "hist_gradient_boosting": ("ensemble", "HistGradientBoosting", _EITHER, _BOOSTING),
    "random_forest": ("ensemble", "RandomForest", _EITHER, _FOREST),
    "extra_trees": ("ensemble", "ExtraTrees", _EITHER, _FOREST),
    "logistic_regression": ("linear_model", "LogisticRegression", _CLASSES, _LOGISTIC),
    "ridge": ("linear_model", "Ridge", {"regression": ""}, _RIDGE),
}
_NAME = Hyperparameter("estimator", "word", "hist_gradient_boosting", words=tuple(ESTIMATORS))


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
        chosen = str(_NAME.read(given.get(_NAME.name, _NAME.default)))
        return (_NAME, *ESTIMATORS[chosen][3])

    def train(self, data: Channels, values: Mapping[str, Value], checkpoints: object) -> Model:  # noqa: ARG002
        """Train an estimator by its name."""
        name, objective = str(values[_NAME.name]), data.contract.objective
        fitting = [name for name, (_, _, ends, _) in ESTIMATORS.items() if objective in ends]
        if name not in fitting:
            raise ContainerError(
                f"hyperparameter 'estimator': {name!r} does not fit the {objective} label: "
                f"use {' or '.join(fitting)}"
            )
        try:
            return score(_fitted(name, data, values), Task.of(data.contract))
        except ValueError as error:
            raise ContainerError(f"scikit-learn: {error}") from None

    def wrap(self, native: Any, task: Task) -> Model | None:
        """Take an estimator."""
        return score(intelex.plain(native), task) if isinstance(native, BaseEstimator) else None

    def save(self, model: Model, folder: Path) -> None:
        """Write ``model.skops``: the same bytes for the same model."""
        (folder / self.file).write_bytes(stored.dump(model.native))

    def load(self, folder: Path, task: Task) -> Model:
        """Read ``model.skops``."""
        return score(stored.load((folder / self.file).read_bytes()), task)


def _fitted(name: str, data: Channels, values: Mapping[str, Any]) -> Any:
    """Fit an estimator; it is of scikit-learn's own class, whatever fitted it."""
    module, stem, ends, takes = ESTIMATORS[name]
    make = intelex.fastest(module, stem + ends[data.contract.objective])
    given = {item.name: values[item.name] for item in takes}
    if "max_depth" in given:
        given["max_depth"] = given["max_depth"] or None
    train, *held = weighted(data, values["class_weight"])
    if takes is _BOOSTING:
        return _boosted(make, given, train, held)
    rows, labels = train.rows.features, train.rows.labels
    if takes is _FOREST:
        forest = make(**given, n_jobs=-1).fit(rows, labels, train.weights)
        return intelex.plain(forest).set_params(n_jobs=None)
    # A linear model needs numbers alike in size, none missing, and no order of categories.
    named = [place for place, name in enumerate(data.columns) if name in data.contract.categories]
    numbers = sorted({*range(len(data.columns))} - {*named})
    whole = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    single = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = make_column_transformer((whole, numbers), (single, named))
    model = make(**given).fit(prepare.fit_transform(rows.astype(float)), labels, train.weights)
    return Pipeline([("prepare", prepare), ("model", intelex.plain(model))])


def _boosted(make: Any, given: dict[str, Any], train: Part, held: Sequence[Part]) -> Any:
    """Boost until the validation rows tell no gain, and cut what came after the best."""
    patience, seen = given.pop("n_iter_no_change"), dict[str, Any]()
    stops = bool(held and patience)
    model = make(**given, early_stopping=stops, n_iter_no_change=patience or 10)
    if stops:
        _, rows, weights = held[0]
        seen = {"X_val": rows.features, "y_val": rows.labels, "sample_weight_val": weights}
    model.fit(train.rows.features, train.rows.labels, train.weights, **seen)
    if stops:  # the first score is that of no iteration at all
        best = max(1, int(np.argmax(model.validation_score_)))
        model._predictors = model._predictors[:best]  # noqa: SLF001
    return model


FLAVOR = SklearnFlavor()
