import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from boostline.container.errors import ContainerError
from boostline.container.split import Split, assign, row_hashes, time_bounds
from boostline.features.columns import Coded, read_coded

RATES = Split(train=0.7, validation=0.18, test=0.12, seed=7)
ROWS = pl.DataFrame(
    {
        "x": [float(i) for i in range(5000)],
        "c": [None if i % 7 == 0 else f"c{i % 11}" for i in range(5000)],
    }
)


def hashes_of(rows: pl.DataFrame, seed: int) -> NDArray[np.uint64]:
    """Hash what a table holds: texts as categories."""
    columns: dict[str, pl.Series | Coded] = {
        column.name: read_coded(column, []) if column.dtype == pl.String else column
        for column in rows
    }
    return row_hashes(columns, seed)


def test_the_hash_never_changes() -> None:
    # A change of these numbers moves every user's rows to other splits.
    rows = pl.DataFrame({"x": [1.5, float("nan")], "c": ["a", None]})
    assert hashes_of(rows, 7).tolist() == [6883965493457517879, 8554842947217992792]


def test_the_rates_are_kept() -> None:
    counts = np.bincount(assign(hashes_of(ROWS, 7), RATES), minlength=3) / len(ROWS)
    assert np.abs(counts - [0.7, 0.18, 0.12]).max() < 0.02


def test_neither_row_order_nor_column_order_nor_other_rows_matter() -> None:
    hashes = hashes_of(ROWS, 7)
    assert (hashes_of(ROWS.reverse(), 7) == hashes[::-1]).all()
    assert (hashes_of(ROWS.select("c", "x"), 7) == hashes).all()
    assert (hashes_of(ROWS.head(10), 7) == hashes[:10]).all()


def test_every_nan_is_the_same() -> None:
    bits = np.array([0x7FF8000000000000, 0xFFF8000000000001], dtype=np.uint64)
    rows = pl.DataFrame({"x": bits.view(np.float64)})
    first, second = hashes_of(rows, 7)
    assert first == second


def test_another_seed_is_another_split() -> None:
    same = assign(hashes_of(ROWS, 7), RATES) == assign(hashes_of(ROWS, 8), RATES)
    # Independent splits agree by chance: 0.7^2 + 0.18^2 + 0.12^2 = 0.54.
    assert 0.5 < same.mean() < 0.58


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ((0.7, 0.2, 0.2), "add up to"),
        ((1.0, 0.0, 0.0), r"split\.train: 1\.0 is not between"),
        ((0.9, 0.1, 0.0), r"split\.test"),
        ((0.8, -0.1, 0.3), r"split\.validation"),
    ],
)
def test_wrong_rates(rates: tuple[float, float, float], message: str) -> None:
    with pytest.raises(ContainerError, match=message):
        Split(train=rates[0], validation=rates[1], test=rates[2]).check()


def test_rows_of_one_time_stay_together() -> None:
    split = Split(train=0.5, validation=0.25, test=0.25, time="t")
    assert time_bounds(np.array([3.0, 1.0, 2.0, 4.0]), split).tolist() == [3.0, 4.0]
    assert time_bounds(np.array([1.0, 1.0, 1.0, 1.0]), split).tolist() == [1.0, 1.0]


def test_one_way_to_split_excludes_the_other() -> None:
    with pytest.raises(ContainerError, match="by and time exclude each other"):
        Split(train=0.7, validation=0.2, test=0.1, by="a", time="b").check()
