"""The rows that an engine is verified with."""

from collections.abc import Sequence

import numpy as np

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
        there, just past the splits on its way, and that row without the value of the last split;
        each split's value itself, and the float32 numbers beside it.
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


def _on_splits(real: Rows, ways: Sequence[Way]) -> Rows:
    splits = sorted(
        {(column, float(np.float32(value))) for way in ways for column, value, _ in way}
    )
    step = -(-len(splits) // _MOST) or 1
    rows = [_with(real, splits[::step])]
    for side in (-_LIMITS.max, _LIMITS.max):
        near = [(column, float(np.nextafter(np.float32(value), side))) for column, value in splits]
        rows.append(_with(real, near[::step]))
    return np.concatenate(rows)


def _to_leaves(real: Rows, ways: Sequence[Way]) -> Rows:
    """Make two rows a leaf: it reaches the leaf; then it lacks the value of the last split."""
    rows = np.repeat(real[:1], 2 * len(ways), axis=0)
    # Of several splits by one column the tightest on each side counts; a value just above the
    # lower one is below the upper one, else nothing reaches the leaf.
    low: dict[tuple[int, int], float] = {}
    high: dict[tuple[int, int], float] = {}
    for place, way in enumerate(ways):
        for column, value, above in way:
            key = (place, column)
            if above:
                low[key] = max(value, low.get(key, value))
            else:
                high[key] = min(value, high.get(key, value))
    for bounds, side in ((high, -_LIMITS.max), (low, _LIMITS.max)):
        if bounds:
            places, columns = np.array([*bounds]).T
            values = np.array([*bounds.values()], dtype=np.float32)
            near = np.nextafter(values, side)
            rows[2 * places, columns] = rows[2 * places + 1, columns] = near
    ends = [(2 * place + 1, way[-1][0]) for place, way in enumerate(ways) if way]
    if ends:
        rows[tuple(np.array(ends).T)] = np.nan
    return rows
