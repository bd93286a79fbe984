"""SHAP values of trees whose framework computes none.

What is expected of a row of which some columns are known: a split by one of these is followed, at
any other both sides are taken, by the shares of training's rows that went there (Lundberg et al.
2020, path-dependent). So a leaf adds its value times a factor for each column on its way: 1 or 0
where it is known, as the row gets there or not, else the share. Between both, such a product is a
polynomial, and a column's Shapley value is the integral of its derivative along the diagonal (Owen
1972). Gauss' rule is exact for it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MOST = 2_000_000  # numbers in an array: nodes by rows by points of the rule
_LEAST = 1e-12  # rows of training where there were none, so that divisions are possible

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


class Nodes(NamedTuple):
    """The nodes of a tree, or of several, an entry each.

    Attributes
    ----------
    column, value
        Of a split; a row goes below up to the value, and above it.
    missing
        Whether a row without a value goes below.
    below, above
        The places of what comes next; -1 for a leaf.
    cover
        How many rows of training got there.
    leaf
        What a leaf adds to each sum, shape (nodes, sums); 0 for a split.
    """

    column: Places
    value: Floats
    missing: NDArray[np.bool_]
    below: Places
    above: Places
    cover: Floats
    leaf: Floats


def shapley(trees: Iterable[Nodes], rows: NDArray[np.float32]) -> Floats:
    """Compute SHAP values.

    Parameters
    ----------
    trees
        Their sums are explained.
    rows
        Shape (rows, columns), NaN for missing.

    Returns
    -------
    NDArray
        Shape (rows, columns + 1, sums), the base last.
    """
    whole: Any = 0.0
    points = _points(rows.shape[1])
    for nodes in _joined(trees, _MOST // (points * max(1, len(rows)))):
        step = max(1, _MOST // (points * len(nodes.column)))
        places = range(0, max(1, len(rows)), step)
        whole += np.concatenate([_explained(nodes, rows[at : at + step]) for at in places])
    return np.asarray(whole)


def work(nodes: int, rows: NDArray[np.float32]) -> int:
    """Tell how much there is to do for so many nodes: 20 million are a second or so."""
    return nodes * len(rows) * _points(rows.shape[1])


def _joined(trees: Iterable[Nodes], most: int) -> Iterator[Nodes]:
    """Join small trees: numpy is slow where it is called often."""
    held: list[Nodes] = []
    count = 0
    for tree in trees:
        below, above = (np.where(side < 0, -1, side + count) for side in (tree.below, tree.above))
        held.append(tree._replace(below=below, above=above))
        count += len(tree.column)
        if count >= most:
            yield Nodes(*map(np.concatenate, zip(*held, strict=True)))
            held, count = [], 0
    if held:
        yield Nodes(*map(np.concatenate, zip(*held, strict=True)))


def _points(columns: int) -> int:
    """Count the points at which the rule is exact for products of so many factors."""
    return max(1, -(-columns // 2))


class _Steps(NamedTuple):
    """What leads to each node, shape (nodes,) or (nodes, rows); a root is led to by nothing.

    Of the splits by one column on a way each counts with those before it, and instead of them.
    """

    before: Places  # what the last split by the same column leads to; a root where there is none
    column: Places
    share: Floats
    known: Floats
    reach: Floats  # the share of training's rows that got there


def _steps(nodes: Nodes, rows: NDArray[np.float32], levels: Sequence[Places]) -> _Steps:
    count = len(nodes.column)
    parent, column = np.arange(count), np.full(count, -1)
    share, reach, known = np.ones(count), np.ones(count), np.ones((count, len(rows)))
    cover = np.maximum(nodes.cover, _LEAST)
    for level in levels:
        values = rows.T[nodes.column[level]]
        below = values <= nodes.value[level, None]
        below = np.where(np.isnan(values), nodes.missing[level, None], below)
        for child, goes in ((nodes.below[level], below), (nodes.above[level], ~below)):
            parent[child], column[child], known[child] = level, nodes.column[level], goes
            share[child] = cover[child] / cover[level]
            reach[child] = reach[level] * share[child]
    before = parent.copy()
    while (others := (column[before] >= 0) & (column[before] != column)).any():
        before[others] = parent[before[others]]
    for level in levels:
        for child in (nodes.below[level], nodes.above[level]):
            share[child] *= share[before[child]]
            known[child] *= known[before[child]]
    return _Steps(before, column, share, known, reach)


def _explained(nodes: Nodes, rows: NDArray[np.float32]) -> Floats:
    levels = [*_levels(nodes)]
    before, column, share, known, reach = _steps(nodes, rows, levels)
    width = rows.shape[1]
    points, weights = np.polynomial.legendre.leggauss(_points(min(len(levels), width)))
    points = (points + 1) / 2
    factor = share[:, None, None] * (1 - points) + known[:, :, None] * points
    slope = (known - share[:, None])[:, :, None] / factor
    slope = (slope - slope[before]) * weights / 2
    way = np.ones_like(factor)
    for level in levels:
        for child in (nodes.below[level], nodes.above[level]):
            way[child] = way[level] * factor[child] / factor[before[child]]
    parts = np.zeros((width + 1, len(rows), nodes.leaf.shape[1]))
    for place, leaf in enumerate(nodes.leaf.T):
        sums = way * leaf[:, None, None]
        for level in reversed(levels):
            sums[level] = sums[nodes.below[level]] + sums[nodes.above[level]]
        np.add.at(parts[..., place], column, (slope * sums).sum(axis=2))
    parts[-1] += reach @ nodes.leaf
    return parts.transpose(1, 0, 2)


def _levels(nodes: Nodes) -> Iterator[Places]:
    """Yield the splits by how many come before them; what follows no split is a root."""
    first = np.ones(len(nodes.column), dtype=bool)
    for side in (nodes.below, nodes.above):
        first[side[side >= 0]] = False
    level = np.flatnonzero(first)
    while len(level := level[nodes.below[level] >= 0]):
        yield level
        level = np.concatenate([nodes.below[level], nodes.above[level]])
