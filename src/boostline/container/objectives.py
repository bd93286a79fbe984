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
