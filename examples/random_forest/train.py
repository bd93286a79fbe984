"""A random forest of scikit-learn's in place of the built-in training."""

from typing import Any

from sklearn.ensemble import RandomForestClassifier


def train(data: Any, hyperparameters: dict[str, Any], context: Any) -> RandomForestClassifier:
    """Fit on the training rows; missing values are NaN, which the forest takes as they are."""
    forest = RandomForestClassifier(
        n_estimators=hyperparameters["trees"],
        max_features=hyperparameters["max_features"],
        min_samples_leaf=hyperparameters["min_samples_leaf"],
        class_weight="balanced_subsample",
        random_state=0,
    )
    forest.fit(data.train.features, data.train.labels)
    accuracy = forest.score(data.validation.features, data.validation.labels)
    context.log(f"{len(forest.estimators_)} trees, validation accuracy {accuracy:.4f}")
    return forest
