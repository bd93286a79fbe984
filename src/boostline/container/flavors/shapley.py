"""SHAP values of trees whose framework computes none.

What is expected of a row of which some columns are known: a split by one of these is followed, at
any other both sides are taken, by the shares of training's rows that went there (Lundberg et al.
2020, path-dependent). So a leaf adds its value times a factor for each column on its way: 1 or 0
where it is known, as the row gets there or not, else the share. Between both, such a product is a
polynomial, and a column's Shapley value is the integral of its derivative along the diagonal (Owen
1972). Gauss' rule is exact for it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MOST = 100_000  # numbers in an array: nodes by rows; larger ones leave the CPU's caches
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
    for nodes in _joined(trees, _MOST // max(1, len(rows))):
        step = max(1, _MOST // len(nodes.column))
        places = range(0, max(1, len(rows)), step)
        whole += np.concatenate([_explained(nodes, rows[at : at + step]) for at in places])
    return np.asarray(whole)


def work(nodes: int, depth: int, columns: int, sums: int) -> int:
    """Tell how much there is to do for a row.

    Measured on forests of 5,000 nodes a tree: 10 to 15 million take a second of CPU where rows come
    one by one or few, and 20 to 60 million of many rows at once. A further sum costs a quarter of
    the first.

    Parameters
    ----------
    nodes
        Of all trees.
    depth
        Of the deepest.
    columns, sums
        Of a row, and of a leaf.
    """
    return nodes * _points(depth, columns) * (3 + sums) // 4


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


def _points(depth: int, columns: int) -> int:
    """Count the points at which the rule is exact: a way has a factor for each of its columns."""
    return max(1, -(-min(depth, columns) // 2))


@lru_cache(maxsize=64)
def _rule(points: int) -> list[tuple[float, float]]:
    """Compute Gauss' rule between 0 and 1: points and weights."""
    places, weights = np.polynomial.legendre.leggauss(points)
    return [*zip(((places + 1) / 2).tolist(), (weights / 2).tolist(), strict=True)]


class _Level(NamedTuple):
    """Splits that as many come before, and what comes next of each: what is below, then above."""

    splits: Places
    below: slice
    above: slice


def _ordered(nodes: Nodes) -> tuple[Nodes, list[_Level]]:
    """Order nodes by how many splits come before them, so that numpy need not look for them."""
    first = np.ones(len(nodes.column), dtype=bool)
    for side in (nodes.below, nodes.above):
        first[side[side >= 0]] = False
    block = np.flatnonzero(first)
    order, levels, start = [block], list[_Level](), 0
    while len(found := np.flatnonzero(nodes.below[block] >= 0)):
        middle = start + len(block) + len(found)
        below, above = slice(start + len(block), middle), slice(middle, middle + len(found))
        levels.append(_Level(found + start, below, above))
        start += len(block)
        block = np.concatenate([nodes.below[block[found]], nodes.above[block[found]]])
        order.append(block)
    whole = np.concatenate(order)
    return Nodes(*map(itemgetter(whole), nodes)), levels


class _Steps(NamedTuple):
    """What leads to each node, shape (nodes,) or (nodes, rows); a root is led to by nothing.

    Of the splits by one column on a way each counts with those before it, and instead of them.
    """

    before: Places  # what the last split by the same column leads to; a root where there is none
    column: Places
    share: Floats
    known: Floats
    reach: Floats  # the share of training's rows that got there


def _steps(nodes: Nodes, rows: NDArray[np.float32], levels: Sequence[_Level]) -> _Steps:
    count = len(nodes.column)
    parent, column = np.arange(count), np.full(count, -1)
    share, reach, known = np.ones(count), np.ones(count), np.ones((count, len(rows)))
    cover = np.maximum(nodes.cover, _LEAST)
    for splits, *sides in levels:
        values = rows.T[nodes.column[splits]]
        below = values <= nodes.value[splits, None]
        below = np.where(np.isnan(values), nodes.missing[splits, None], below)
        for child, goes in zip(sides, (below, ~below), strict=True):
            parent[child], column[child], known[child] = splits, nodes.column[splits], goes
            share[child] = cover[child] / cover[splits]
            reach[child] = reach[splits] * share[child]
    before = parent.copy()
    while (others := (column[before] >= 0) & (column[before] != column)).any():
        before[others] = parent[before[others]]
    for _, *sides in levels:
        for child in sides:
            share[child] *= share[before[child]]
            known[child] *= known[before[child]]
    return _Steps(before, column, share, known, reach)


def _explained(nodes: Nodes, rows: NDArray[np.float32]) -> Floats:
    nodes, levels = _ordered(nodes)
    steps = _steps(nodes, rows, levels)
    width = rows.shape[1]
    parts = np.zeros((nodes.leaf.shape[1], width + 1, len(rows)))
    # One point after another: they are only summed, and all at once are so much more memory.
    for point, weight in _rule(_points(len(levels), width)):
        _add(parts, nodes.leaf, steps, levels, point, weight)
    parts[:, -1] += nodes.leaf.T @ steps.reach[:, None]
    return parts.transpose(2, 1, 0)


def _add(
    parts: Floats,
    leaves: Floats,
    steps: _Steps,
    levels: Sequence[_Level],
    point: float,
    weight: float,
) -> None:
    """Add what the integrand is at a point to the parts, shape (sums, columns + 1, rows)."""
    before, column, share, known, _ = steps
    share = share[:, None]
    factor = share * (1 - point) + known * point
    slope = (known - share) / factor
    slope = (slope - slope[before]) * weight
    way = factor / factor[before]
    for splits, *sides in levels:
        for child in sides:
            way[child] *= way[splits]
    for part, leaf in zip(parts, leaves.T, strict=True):
        sums = way * leaf[:, None]
        for splits, below, above in reversed(levels):
            sums[splits] = sums[below] + sums[above]
        np.add.at(part, column, slope * sums)
