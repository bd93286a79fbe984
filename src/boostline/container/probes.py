"""The rows that an engine is verified with."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from boostline.container.flavors.base import Rows, Structure, Ways

# What verification may cost, in trees that are walked and numbers that are held; of more leaves
# and splits than it allows, some are left out evenly.
_WALKS = 60_000_000
_NUMBERS = 12_000_000
_MOST = 100_000
_SHARES = 6  # three rows a leaf and three a split; tries may cost as much again
_TRIES = 40

_STEEP = 0.05  # as much as a score need move with the sum of the leaves
_LIMITS = np.finfo(np.float32)
_SIZES = (0.0, 1.0, float(_LIMITS.max), float(_LIMITS.tiny), float(_LIMITS.smallest_subnormal))

Places = NDArray[np.intp]
# How much each row's score moves with the sum of its leaves.
Slopes = Callable[[Rows], NDArray[np.float64]]


def probe_rows(
    golden: Sequence[Sequence[float]],
    width: int,
    structure: Structure,
    categories: Sequence[int] = (),
    slopes: Slopes = lambda rows: np.ones(len(rows)),
) -> Rows:
    """Make the rows to verify an engine with.

    Parameters
    ----------
    golden
        Feature rows of real records.
    width
        How many columns a row has.
    structure
        The ways to the leaves.
    categories
        How many codes each column has; 0 where it is a number.
    slopes
        Tells of each row how much its score moves with the sum of its leaves: where that is next to
        nothing, a wrong leaf does not show.

    Returns
    -------
    Rows
        Real rows; constant rows of missing, zero and extreme values; each column missing in turn;
        every code of each category, and codes that were never seen; for each leaf a row that gets
        there, just past the splits on its way, that row on the last split, and without a value for
        it; each split's value, and the float32 numbers beside it.
    """
    constants = [np.nan, *_SIZES, *(-size for size in _SIZES)]
    real = np.array(golden if len(golden) else [[0.0] * width], dtype=np.float32)
    real = real[np.argsort(-slopes(real), kind="stable")]
    holes = [(column, np.nan) for column in range(width)]
    codes = [
        (column, code)
        for column, count in enumerate(categories)
        if count
        for code in range(-1, count + 1)
    ]
    rows = min(_WALKS // max(structure.trees, 1), _NUMBERS // max(width, 1))
    most = max(1, min(_MOST, rows // _SHARES))
    return np.concatenate(
        [
            np.repeat(np.array(constants, dtype=np.float32)[:, None], width, axis=1),
            real,
            _with(real, holes),
            _with(real, codes),
            _to_leaves(real, structure.ways, _some(structure.ways.leaves, most), slopes, rows),
            _on_splits(real, structure.ways, most),
        ]
    )


def _some(count: int, most: int) -> Places:
    return np.arange(0, count, -(-count // most) or 1)


def _with(real: Rows, values: Sequence[tuple[int, float]]) -> Rows:
    """Take real rows in turn, each with one value put in its column."""
    rows = real[np.arange(len(values)) % len(real)]
    if values:
        columns, put = zip(*values, strict=True)
        rows[np.arange(len(values)), columns] = put
    return rows


def _beside(values: NDArray[np.float64], *, above: bool) -> Rows:
    """Take the nearest float32 number that is strictly above, or below, each float64 one."""
    near = values.astype(np.float32)
    past = near > values if above else near < values
    return np.where(past, near, np.nextafter(near, _LIMITS.max if above else -_LIMITS.max))


def _on_splits(real: Rows, ways: Ways, most: int) -> Rows:
    splits = np.unique(np.stack([ways.column, ways.value], axis=1), axis=0)
    splits = splits[_some(len(splits), most)]
    columns, values = splits[:, 0].astype(int).tolist(), splits[:, 1]
    sides = (values, _beside(values, above=False), _beside(values, above=True))
    return np.concatenate(
        [_with(real, [*zip(columns, side.tolist(), strict=True)]) for side in sides]
    )


def _to_leaves(real: Rows, ways: Ways, leaves: Places, slopes: Slopes, tries: int) -> Rows:
    """Make three rows a leaf: one reaches it; then it is on the last split; then it lacks a value.

    It is made of the real row that leaves the score the most to move.
    """
    forced, ends = _forced(ways, leaves, real.shape[1])
    found = _steepest(real, forced, slopes, tries)
    rows = np.repeat(found, 3, axis=0)
    split = np.flatnonzero(ends >= 0)
    ends = ends[split]
    rows[3 * split + 1, ways.column[ends]] = ways.value[ends]
    rows[3 * split + 2, ways.column[ends]] = np.nan
    return rows


def _forced(ways: Ways, leaves: Places, width: int) -> tuple[Rows, Places]:
    """Take the values that lead to each leaf, NaN where any will do; and each way's last step.

    Of several splits by one column the tightest on each side counts; a value just above the lower
    one is below the upper one, else nothing reaches the leaf.
    """
    place = np.full(ways.leaves, -1)
    place[leaves] = np.arange(len(leaves))
    forced = np.full((len(leaves), width), np.nan, dtype=np.float32)
    known = place[ways.leaf] >= 0
    for above in (False, True):
        steps = np.flatnonzero(known & (ways.above == above))
        order = np.argsort(ways.value[steps] * (1 if above else -1), kind="stable")
        steps = steps[order]  # of one place and column the last one stays
        forced[place[ways.leaf[steps]], ways.column[steps]] = _beside(
            ways.value[steps], above=above
        )
    ends = np.full(len(leaves), -1)
    steps = np.flatnonzero(known)
    ends[place[ways.leaf[steps]]] = steps
    return forced, ends


def _steepest(real: Rows, forced: Rows, slopes: Slopes, left: int) -> Rows:
    """Fill forced values up from the real row where the score moves most, as far as needed.

    Where no real row will do, the best so far takes some columns of others: between one that
    scores near 0 and one near 1 there are such that are near neither.
    """
    chance = np.random.default_rng(0)
    free = np.isnan(forced)
    best = np.where(free, real[0], forced)
    steepness = np.full(len(best), -1.0)
    waiting = np.arange(len(best))
    for tries in range(_TRIES):
        waiting = waiting[:left]
        if not len(waiting):
            break
        other = np.where(free[waiting], real[tries % len(real)], forced[waiting])
        if tries >= len(real):
            mixed = chance.random(other.shape) < chance.random((len(other), 1))
            other = np.where(mixed, other, best[waiting])
        found = slopes(other)
        better = found > steepness[waiting]
        best[waiting[better]] = other[better]
        steepness[waiting[better]] = found[better]
        left -= len(waiting)
        waiting = waiting[steepness[waiting] < _STEEP]
    return best
