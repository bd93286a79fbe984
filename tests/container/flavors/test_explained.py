"""Explanations of scikit-learn's trees, against the definition: every coalition of columns."""

import tracemalloc
from collections.abc import Collection
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from boostline.container.explain import Explainer, ExplainError, TooManyRowsError
from boostline.container.flavors import explained, find_flavor, shapley
from boostline.container.flavors.base import Contributions, Model, Rows, Task
from boostline.features.contract import fitted
from boostline.features.spec import FeatureSpec

pytestmark = pytest.mark.slow

BINARY, CLASSES, NUMBER = Task("binary", 2), Task("multiclass", 3), Task("regression", 0)
WIDTH = 4
Array = NDArray[Any]


def make_rows(count: int, seed: int) -> Rows:
    rows = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    rows[::5, 1] = np.nan
    return rows


ROWS, ASKED = make_rows(300, 1), make_rows(6, 2)
SIGNAL = ROWS[:, 0] * np.nan_to_num(ROWS[:, 1]) + ROWS[:, 2]
YES, LEVEL = (SIGNAL > 0.2).astype(int), np.digitize(SIGNAL, [-0.5, 0.5])


def wrapped(native: Any, task: Task) -> Model:
    model = find_flavor("sklearn").wrap(native, task)
    assert model is not None
    return model


def contributions(native: Any, task: Task, rows: Rows = ASKED) -> Contributions:
    found = wrapped(native, task).contributions(rows)
    assert found is not None
    return found


def of_tree(tree: Any, row: Array, known: Collection[int], place: int = 0) -> Array:
    """What is expected of a row of which some columns are known, by a tree of a forest."""
    sides = (tree.children_left[place], tree.children_right[place])
    if sides[0] < 0:
        return np.asarray(tree.value[place, 0])
    column = tree.feature[place]
    if column in known:
        missing = np.isnan(row[column])
        below = tree.missing_go_to_left[place] if missing else row[column] <= tree.threshold[place]
        return of_tree(tree, row, known, sides[0] if below else sides[1])
    parts = [tree.weighted_n_node_samples[side] * of_tree(tree, row, known, side) for side in sides]
    return np.asarray(sum(parts) / tree.weighted_n_node_samples[place])


def of_nodes(nodes: Any, row: Array, known: Collection[int], place: int = 0) -> float:
    """The same by a tree of histogram boosting."""
    node = nodes[place]
    if node["is_leaf"]:
        return float(node["value"])
    column = node["feature_idx"]
    if column in known:
        missing = np.isnan(row[column])
        below = node["missing_go_to_left"] if missing else row[column] <= node["num_threshold"]
        return of_nodes(nodes, row, known, node["left"] if below else node["right"])
    parts = [
        int(nodes[side]["count"]) * of_nodes(nodes, row, known, side)
        for side in (node["left"], node["right"])
    ]
    return sum(parts) / int(node["count"])


def defined(expected: Any) -> Array:
    """Shapley values by their definition; the base last."""
    values = []
    for column in range(WIDTH):
        others = [other for other in range(WIDTH) if other != column]
        whole: Any = 0.0
        for size in range(WIDTH):
            for known in combinations(others, size):
                gain = np.asarray(expected({*known, column})) - expected(known)
                whole += gain / (WIDTH * comb(WIDTH - 1, size))
        values.append(whole)
    return np.array([*values, expected(())])


@pytest.mark.parametrize(
    ("native", "task"),
    [
        (RandomForestClassifier(4, max_depth=6, random_state=0), BINARY),
        (RandomForestClassifier(3, class_weight="balanced", random_state=0), CLASSES),
        (ExtraTreesClassifier(3, max_depth=7, random_state=0), CLASSES),
        (RandomForestRegressor(3, random_state=0), NUMBER),
        (DecisionTreeClassifier(random_state=0), BINARY),
        (DecisionTreeRegressor(max_depth=1), NUMBER),
        (DecisionTreeRegressor(min_samples_leaf=300), NUMBER),
    ],
    ids=str,
)
def test_forests(native: Any, task: Task) -> None:
    native.fit(ROWS, {BINARY: YES, CLASSES: LEVEL}.get(task, SIGNAL))
    found = contributions(native, task)
    trees = [one.tree_ for one in getattr(native, "estimators_", [native])]
    for row, parts in zip(ASKED, found.parts, strict=True):
        values = defined(lambda known: np.mean([of_tree(t, row, known) for t in trees], axis=0))  # noqa: B023
        wanted = values.T if task == CLASSES else values[:, -1]
        np.testing.assert_allclose(parts, wanted, rtol=1e-9, atol=1e-12)
    assert found.link == "identity"
    np.testing.assert_allclose(
        found.parts.sum(axis=-1), wrapped(native, task).predict(ASKED), atol=1e-12
    )


@pytest.mark.parametrize(
    ("native", "task", "link"),
    [
        (HistGradientBoostingClassifier(max_iter=4, max_leaf_nodes=9), BINARY, "logit"),
        (HistGradientBoostingClassifier(max_iter=3), CLASSES, "softmax"),
        (HistGradientBoostingRegressor(max_iter=4), NUMBER, "identity"),
        (HistGradientBoostingRegressor(loss="poisson", max_iter=4), NUMBER, "log"),
    ],
    ids=str,
)
def test_histogram_boosting(native: Any, task: Task, link: str) -> None:
    native.fit(ROWS, {BINARY: YES, CLASSES: LEVEL}.get(task, np.exp(SIGNAL)))
    found = contributions(native, task)
    assert found.link == link
    each = found.parts if task == CLASSES else found.parts[:, None]
    for place, trees in enumerate(zip(*native._predictors, strict=True)):
        for row, parts in zip(ASKED, each[:, place], strict=True):
            values = defined(lambda known: sum(of_nodes(t.nodes, row, known) for t in trees))  # noqa: B023
            values[-1] += native._baseline_prediction.ravel()[place]
            np.testing.assert_allclose(parts, values, rtol=1e-9, atol=1e-12)
    sums, scores = found.parts.sum(axis=-1), wrapped(native, task).predict(ASKED)
    made = {
        "logit": lambda: 1 / (1 + np.exp(-sums)),
        "softmax": lambda: np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True),
        "log": lambda: np.exp(sums),
        "identity": lambda: sums,
    }[link]()
    np.testing.assert_allclose(made, scores, rtol=1e-9)


def test_how_much_is_computed_at_a_time_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    native = RandomForestClassifier(7, random_state=0).fit(ROWS, LEVEL)
    whole = contributions(native, CLASSES, ROWS).parts
    for most in (1, 3_000, 50_000):
        monkeypatch.setattr(shapley, "_MOST", most)
        np.testing.assert_allclose(contributions(native, CLASSES, ROWS).parts, whole, atol=1e-12)
    assert contributions(native, CLASSES, ROWS[:0]).parts.shape == (0, 3, WIDTH + 1)


def test_a_class_that_training_never_saw() -> None:
    native = RandomForestClassifier(3, random_state=0).fit(ROWS, np.where(YES, 2, 0))
    parts = contributions(native, CLASSES).parts
    assert not parts[:, 1].any()
    np.testing.assert_allclose(
        parts.sum(axis=2), wrapped(native, CLASSES).predict(ASKED), atol=1e-12
    )
    boosted = HistGradientBoostingClassifier(max_iter=2).fit(ROWS, np.where(YES, 2, 0))
    assert wrapped(boosted, CLASSES).contributions(ASKED) is None  # it has one sum for two classes


class Turned(RandomForestClassifier):  # type: ignore[misc]
    """Scores in its own way."""

    def predict_proba(self, rows: Array) -> Array:
        return np.asarray(super().predict_proba(rows)[:, ::-1])


@pytest.mark.parametrize(
    "native",
    [
        Turned(3),
        HistGradientBoostingClassifier(max_iter=2, categorical_features=[3]),
        make_pipeline(SimpleImputer(), RandomForestClassifier(3)),
        make_pipeline(SimpleImputer(), GradientBoostingClassifier(n_estimators=3)),
    ],
    ids=lambda native: type(native).__name__,
)
def test_what_is_not_explained(native: Any) -> None:
    rows = ROWS.copy()
    rows[:, 3] = np.arange(len(rows)) % 3
    model = wrapped(native.fit(rows, YES), BINARY)
    assert model.contributions(rows[:5]) is None
    with pytest.raises(ExplainError, match="cannot explain its scores: models of XGBoost"):
        explainer(model).explain(rows[:5], 3)


def explainer(model: Model) -> Explainer:
    spec = FeatureSpec(label="y", objective="binary", numeric=[*"abcd"])
    return Explainer(model, fitted(spec, {}, ["no", "yes"]))


@pytest.mark.parametrize(
    "native", [RandomForestClassifier(), HistGradientBoostingClassifier(), LogisticRegression()]
)
def test_more_rows_than_a_large_model_explains(
    monkeypatch: pytest.MonkeyPatch, native: Any
) -> None:
    rows = np.nan_to_num(ROWS)
    native = make_pipeline(SimpleImputer(), native) if hasattr(native, "C") else native
    model = wrapped(native.fit(rows, YES), BINARY)
    assert model.most_explained is not None
    assert model.most_explained > 300
    work = explained._MOST // model.most_explained  # of a row
    monkeypatch.setattr(explained, "_MOST", 5 * work)
    some = wrapped(native, BINARY)
    assert explainer(some).explain(rows[:5], 2) == explainer(model).explain(rows[:9], 2)[:5]
    with pytest.raises(TooManyRowsError, match="this model explains at most 5 rows in a request"):
        explainer(some).explain(rows[:6], 2)
    monkeypatch.setattr(explained, "_MOST", work - 1)
    with pytest.raises(ExplainError, match="this model is too large to explain a score: train"):
        explainer(wrapped(native, BINARY)).explain(rows[:1], 2)


def test_columns_that_no_way_can_have_are_no_work() -> None:
    wide = np.tile(np.nan_to_num(ROWS), 50)
    models = [
        wrapped(RandomForestRegressor(5, max_depth=3, random_state=0).fit(rows, YES), NUMBER)
        for rows in (wide[:, :4], wide)
    ]
    few, many = (model.most_explained for model in models)
    assert few is not None
    assert many == pytest.approx(few, rel=0.3)  # as many nodes or so


def test_the_memory_that_one_large_tree_takes() -> None:
    rows = np.random.default_rng(0).normal(size=(8_000, 40)).astype(np.float32)
    native = DecisionTreeRegressor(splitter="random", max_features=1, random_state=0)
    model = wrapped(native.fit(rows, rows[:, 0]), NUMBER)
    tracemalloc.start()
    try:
        model.contributions(rows[:1])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * 8 * native.tree_.node_count  # whatever the number of columns
