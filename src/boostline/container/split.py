"""The split of a table into training, validation and test rows by their content.

A row's split depends on the seed and on the values the model sees (inputs and label, read by the
grammar of the features), on nothing else: not on the order or number of the other rows, the order
of the columns, the file format, or ignored columns. So equal rows go together and cannot leak from
one split into another, and a table that grows keeps the split of its old rows.
"""

import hashlib
import math

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from boostline.container.errors import ContainerError

NAMES = ("train", "validation", "test")


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The share of each split, and the seed."""

    train: float
    validation: float
    test: float
    seed: int = 0

    def check(self) -> None:
        """Refuse rates that are no partition.

        Raises
        ------
        ContainerError
            Which rate is wrong, or what they add up to.
        """
        rates = (self.train, self.validation, self.test)
        for name, rate in zip(NAMES, rates, strict=True):
            if not 0 < rate < 1:
                raise ContainerError(f"split.{name}: {rate} is not between 0 and 1")
        if not math.isclose(sum(rates), 1.0, abs_tol=1e-9):
            raise ContainerError(f"split: the rates add up to {sum(rates)}, not to 1")

    def __str__(self) -> str:
        return f"train {self.train}, validation {self.validation}, test {self.test}"


def row_hashes(rows: pl.DataFrame, seed: int) -> NDArray[np.uint64]:
    """Hash each row's content.

    Parameters
    ----------
    rows
        Canonical rows: Float64 and String columns.
    seed
        Another seed gives unrelated hashes.

    Returns
    -------
    NDArray[np.uint64]
        Shape (rows,); the same on every machine and with every version of the libraries.
    """
    hashes = np.full(len(rows), _text_hash(str(seed)), dtype=np.uint64)
    for name in sorted(rows.columns):
        key = np.uint64(_text_hash(name))
        hashes = _mixed(hashes ^ _mixed(_bits(rows[name]) ^ key))
    return hashes


def assign(hashes: NDArray[np.uint64], rates: Rates) -> NDArray[np.int64]:
    """Give each row the place of its split in ``NAMES``."""
    uniform = (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53
    bounds = np.array([rates.train, rates.train + rates.validation])
    return np.searchsorted(bounds, uniform, side="right")


def _bits(column: pl.Series) -> NDArray[np.uint64]:
    if column.dtype == pl.Float64:
        values = column.to_numpy()
        bits: NDArray[np.uint64] = values.view(np.uint64).copy()
        bits[np.isnan(values)] = np.uint64(_text_hash("missing"))
        return bits
    unique = column.unique().drop_nulls()
    codes = pl.Series([_text_hash(text) for text in unique], dtype=pl.UInt64)
    hashed = column.replace_strict(unique, codes, default=None, return_dtype=pl.UInt64)
    return hashed.fill_null(_text_hash("missing")).to_numpy().copy()


def _text_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # The finalizer of SplitMix64 (Steele, Lea, Flood 2014): each input bit reaches all output bits.
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
