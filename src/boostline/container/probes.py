"""The rows that an engine is verified with."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from boostline.container.flavors.base import Rows, Structure, Way

_MOST = 100_000  # leaves, and splits: of more, some are left out evenly
_LIMITS = np.finfo(np.float32)
_SIZES = (0.0, 1.0, float(_LIMITS.max), float(_LIMITS.tiny), float(_LIMITS.smallest_subnormal))


def probe_rows(
    golden: Sequence[Sequence[float]],
    width: int,
    structure: Structure,
    categories: Sequence[int] = (),
) -> Rows:
    """Make the rows to verify an engine with.

    Parameters
    ----------
    golden
        Feature rows of real records, those first that suit best to put other values into.
    width
        How many columns a row has.
    structure
        The ways to the leaves.
    categories
        How many codes each column has; 0 where it is a number.

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
    holes = [(column, np.nan) for column in range(width)]
    codes = [
        (column, code)
        for column, count in enumerate(categories)
        if count
        for code in range(-1, count + 1)
    ]
    return np.concatenate(
        [
            np.repeat(np.array(constants, dtype=np.float32)[:, None], width, axis=1),
            real,
            _with(real, holes),
            _with(real, codes),
            _to_leaves(real, _some(structure.ways)),
            _on_splits(real, structure.ways),
        ]
    )


def _some(values: Sequence[Way]) -> Sequence[Way]:
    return values[:: -(-len(values) // _MOST) or 1]


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


def _on_splits(real: Rows, ways: Sequence[Way]) -> Rows:
    splits = sorted({(column, value) for way in ways for column, value, _ in way})
    splits = splits[:: -(-len(splits) // _MOST) or 1]
    columns = [column for column, _ in splits]
    values = np.array([value for _, value in splits])
    sides = (values, _beside(values, above=False), _beside(values, above=True))
    return np.concatenate(
        [_with(real, [*zip(columns, side.tolist(), strict=True)]) for side in sides]
    )


def _to_leaves(real: Rows, ways: Sequence[Way]) -> Rows:
    """Make three rows a leaf: one reaches it; then it is on the last split; then it lacks a value.

    Of several splits by one column the tightest on each side counts; a value just above the lower
    one is below the upper one, else nothing reaches the leaf.
    """
    rows = np.repeat(real[:1], 3 * len(ways), axis=0)
    bounds: dict[bool, dict[tuple[int, int], float]] = {False: {}, True: {}}
    for place, way in enumerate(ways):
        for column, value, above in way:
            known = bounds[above].get((place, column), value)
            bounds[above][place, column] = max(value, known) if above else min(value, known)
    for above, found in bounds.items():
        if found:
            places, columns = np.array([*found]).T
            values = _beside(np.array([*found.values()]), above=above)
            for row in range(3):
                rows[3 * places + row, columns] = values
    ends = [(3 * place, way[-1][0], way[-1][1]) for place, way in enumerate(ways) if way]
    for row, column, value in ends:
        rows[row + 1, column] = value
        rows[row + 2, column] = np.nan
    return rows
