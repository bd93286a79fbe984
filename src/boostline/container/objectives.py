"""The frameworks' names of what a model is trained for, and ours."""

from collections.abc import Mapping

from boostline.container.errors import ContainerError
from boostline.container.hyperparameters import Hyperparameter, Value
from boostline.features.spec import Objective

# XGBoost's, which SageMaker's classic layout speaks. Softmax trains the same trees as softprob.
XGBOOST: Mapping[str, Objective] = {
    "binary:logistic": "binary",
    "multi:softprob": "multiclass",
    "multi:softmax": "multiclass",
    "reg:squarederror": "regression",
    "reg:absoluteerror": "regression",
    "reg:pseudohubererror": "regression",
    "reg:squaredlogerror": "regression",
    "reg:gamma": "regression",
    "reg:tweedie": "regression",
    "count:poisson": "regression",
}
LIGHTGBM: Mapping[str, Objective] = {
    "binary": "binary",
    "multiclass": "multiclass",
    **dict.fromkeys(
        ("regression", "regression_l1", "huber", "poisson", "gamma", "tweedie"), "regression"
    ),
}
CATBOOST: Mapping[str, Objective] = {
    "Logloss": "binary",
    "MultiClass": "multiclass",
    **dict.fromkeys(("RMSE", "MAE", "Poisson"), "regression"),
}
SKLEARN: Mapping[str, Objective] = {
    "binary": "binary",
    "multiclass": "multiclass",
    "regression": "regression",
}

# How the sum of a model's leaves becomes its score, by all the names that it can be trained for; by
# others it is the score. Names of several frameworks mean the same.
_LINKS = {
    "logit": (
        *("binary:logistic", "reg:logistic"),
        *("binary", "cross_entropy", "multiclassova"),
        *("Logloss", "CrossEntropy", "MultiClassOneVsAll"),
    ),
    "softmax": ("multi:softprob", "multi:softmax", "multiclass", "MultiClass"),
    "log": (
        *("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox"),
        *("poisson", "gamma", "tweedie"),
        *("Poisson", "Tweedie"),
    ),
}
LINKS = {name: link for link, names in _LINKS.items() for name in names}
NAME = "objective"
CLASSES = Hyperparameter("num_class", "integer", 0, 0, 10_000)


def hyperparameter(objectives: Mapping[str, Objective]) -> Hyperparameter:
    """Declare the hyperparameter that chooses one; the first that fits the label is the default."""
    return Hyperparameter(NAME, "word", "", words=("", *objectives))


def choose(objectives: Mapping[str, Objective], label: Objective, chosen: Value) -> str:
    """Take the chosen objective, or the first that fits the label.

    Raises
    ------
    ContainerError
        It does not fit.
    """
    fitting = [name for name, objective in objectives.items() if objective == label]
    if chosen and chosen not in fitting:
        raise ContainerError(
            f"hyperparameter {NAME!r}: {chosen!r} does not fit the {label} label: "
            f"use {' or '.join(fitting) or 'another flavor'}"
        )
    return str(chosen) or fitting[0]
