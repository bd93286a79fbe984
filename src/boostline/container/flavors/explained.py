"""How estimators of scikit-learn explain their scores: linear models, and forests of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from boostline.container.flavors.base import Contributions, Rows, Task
from boostline.container.flavors.shapley import Floats, Nodes, shapley, work

_FORESTS = ("sklearn.ensemble._forest", "sklearn.tree._classes")
_BOOSTING = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting"
_MOST = 240_000_000  # of work at a time: 20 s of CPU or so, and a third of that for many rows
_BLOCK = 1_000_000  # numbers that a linear model is asked about at once


def most_rows(task: Task, native: Any) -> int | None:
    """Count the rows that can be explained at a time: 0 where one is too much; None for any number.

    Parameters
    ----------
    task, native
        As :func:`explain` takes them.
    """
    kind, columns = type(native).__module__, getattr(native, "n_features_in_", 1)
    if kind in _FORESTS:
        trees = _of_forest(native)
        nodes, depth = sum(tree.node_count for tree in trees), max(tree.max_depth for tree in trees)
        return _MOST // work(nodes, depth, columns, _sums(task))
    if kind == _BOOSTING:
        grown = [tree for trees in native._predictors for tree in trees]  # noqa: SLF001
        nodes, depth = sum(len(tree.nodes) for tree in grown), max(map(_depth, grown))
        return _MOST // work(nodes, depth, columns, 1)
    # A linear model is asked about each column of a row alone.
    return _MOST // columns**2 if _is_linear(native) else None


def explain(task: Task, native: Any, rows: Rows) -> Contributions | None:
    """Explain the scores of an estimator; None where that is not known.

    Parameters
    ----------
    task
        What is answered.
    native
        The estimator: a linear one, if need be at the end of a pipeline, or trees of scikit-learn's
        own classes, since those of others may score in their own way.
    rows
        Shape (rows, columns), NaN for missing; no more of them than :func:`most_rows` says.
    """
    kind = type(native).__module__
    if kind in _FORESTS:
        return _forest(task, native, rows)
    return _boosted(task, native, rows) if kind == _BOOSTING else _linear(native, rows)


def _of_forest(native: Any) -> list[Any]:
    return [tree.tree_ for tree in getattr(native, "estimators_", [native])]


def _sums(task: Task) -> int:
    """Count what is explained: each class's sum of several, or one."""
    return task.classes if task.objective == "multiclass" else 1


def _depth(tree: Any) -> int:
    return int(tree.get_max_depth())


def _forest(task: Task, native: Any, rows: Rows) -> Contributions | None:
    """Explain a mean of trees: it is the score."""
    if native.n_outputs_ > 1:
        return None
    trees = _of_forest(native)

    def read(tree: Any) -> Nodes:
        leaf = tree.value[:, 0] * (tree.children_left < 0)[:, None]
        if task.classes:  # a class that training never saw has no column
            leaf, found = np.zeros((len(leaf), task.classes)), leaf
            leaf[:, np.asarray(native.classes_, dtype=np.intp)] = found
        if task.objective == "binary":
            leaf = leaf[:, 1:]
        missing, cover = tree.missing_go_to_left.astype(bool), tree.weighted_n_node_samples
        sides = (tree.children_left, tree.children_right)
        return Nodes(tree.feature, tree.threshold, missing, *sides, cover, leaf / len(trees))

    return _told(shapley(map(read, trees), rows), task, "identity")


def _boosted(task: Task, native: Any, rows: Rows) -> Contributions | None:
    """Explain a sum of trees, for each class that has one."""
    by_class = [*zip(*native._predictors, strict=True)]  # noqa: SLF001
    if native.is_categorical_ is not None or len(by_class) != _sums(task):
        return None

    def read(tree: Any) -> Nodes:
        nodes = tree.nodes
        return Nodes(
            nodes["feature_idx"],
            nodes["num_threshold"],
            nodes["missing_go_to_left"].astype(bool),
            np.where(nodes["is_leaf"], -1, nodes["left"].astype(np.intp)),
            np.where(nodes["is_leaf"], -1, nodes["right"].astype(np.intp)),
            nodes["count"],
            (nodes["value"] * nodes["is_leaf"])[:, None],
        )

    parts = np.concatenate([shapley(map(read, trees), rows) for trees in by_class], axis=2)
    parts[:, -1] += native._baseline_prediction  # noqa: SLF001
    links = {"LogitLink": "logit", "MultinomialLogit": "softmax", "LogLink": "log"}
    return _told(parts, task, links.get(type(native._loss.link).__name__, "identity"))  # noqa: SLF001


def _told(parts: Floats, task: Task, link: str) -> Contributions:
    one = task.objective != "multiclass"
    return Contributions(parts[..., 0] if one else np.moveaxis(parts, 2, 1), link)


def _is_linear(native: Any) -> bool:
    steps = getattr(native, "steps", None)  # a pipeline's
    return hasattr(steps[-1][1] if steps else native, "coef_")


def _linear(native: Any, rows: Rows) -> Contributions | None:
    """Explain a linear model: each column adds what it changes where all else is missing."""
    if not _is_linear(native):
        return None
    method = getattr(native, "decision_function", native.predict)
    try:
        base = method(np.full((1, rows.shape[1]), np.nan))
        alone = np.concatenate([*_alone(method, rows)])
        sums = method(rows.astype(np.float64))
    except ValueError:
        return None  # it takes no missing values: there is nothing to compare with
    parts = alone.reshape(*rows.shape, *base.shape[1:]) - base
    parts = np.append(parts, np.broadcast_to(base, (len(rows), 1, *base.shape[1:])), axis=1)
    if not np.allclose(parts.sum(axis=1), sums, rtol=1e-6, atol=1e-6):
        return None  # its columns are not taken one by one
    link = (
        {1: "logit", 2: "softmax"}[base.ndim]
        if method.__name__ == "decision_function"
        else "identity"
    )
    return Contributions(np.moveaxis(parts, 1, -1), link)


def _alone(method: Callable[[Floats], Floats], rows: Rows) -> Iterator[Floats]:
    """Yield the sums of each value of each row where all else is missing, some at a time."""
    width, values = rows.shape[1], rows.ravel()
    step = max(1, _BLOCK // width)
    for start in range(0, len(values), step):
        part = values[start : start + step]
        asked = np.full((len(part), width), np.nan)
        asked[range(len(part)), np.arange(start, start + len(part)) % width] = part
        yield method(asked)
