"""The split of a table into training, validation and test rows by their content.

A row's split depends on the seed and on the values the model sees (inputs and label, read by the
grammar of the features), on nothing else: not on the order or number of the other rows, the order
of the columns, the file format, or ignored columns. So equal rows go together and cannot leak from
one split into another, and a table that grows keeps the split of its old rows. With ``by``, the
values of that column decide instead of the whole row; with ``time``, the row's place in time.
"""

import hashlib
import math
from collections.abc import Mapping

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from boostline.container.errors import ContainerError
from boostline.features.columns import Coded

NAMES = ("train", "validation", "test")

Words = NDArray[np.uint64]


class Split(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The share of each split, and what decides on a row's.

    Attributes
    ----------
    train, validation, test
        The shares.
    seed
        Of the hashes.
    by
        A column whose equal values stay together; rows where it is missing go by their content.
    time
        A column of points in time: the oldest rows train, the newest test.
    """

    train: float
    validation: float
    test: float
    seed: int = 0
    by: str | None = None
    time: str | None = None

    def check(self) -> None:
        """Refuse shares that are no partition, and two ways to split at once.

        Raises
        ------
        ContainerError
            Which share is wrong, or what they add up to.
        """
        rates = (self.train, self.validation, self.test)
        for name, rate in zip(NAMES, rates, strict=True):
            if not 0 < rate < 1:
                raise ContainerError(f"split.{name}: {rate} is not between 0 and 1")
        if not math.isclose(sum(rates), 1.0, abs_tol=1e-9):
            raise ContainerError(f"split: the rates add up to {sum(rates)}, not to 1")
        if self.by is not None and self.time is not None:
            raise ContainerError("split: by and time exclude each other: name one column")

    def __str__(self) -> str:
        how = f", by {self.by!r}" if self.by else f", by time {self.time!r}" if self.time else ""
        return f"train {self.train}, validation {self.validation}, test {self.test}{how}"

    @property
    def bounds(self) -> NDArray[np.float64]:
        """Where, from 0 to 1, validation and test begin."""
        return np.array([self.train, self.train + self.validation])


def row_hashes(rows: Mapping[str, pl.Series | Coded], seed: int) -> Words:
    """Hash the content of each row that was read; another seed gives unrelated hashes.

    They are the same on every machine and with every version of the libraries.
    """
    hashes = np.array([_text_hash(str(seed))], dtype=np.uint64)
    for name in sorted(rows):
        key = np.uint64(_text_hash(name))
        column = rows[name]
        if isinstance(column, Coded):
            texts = [_text_hash(text) for text in (*column.texts, "missing")]
            missing = len(column.texts)
            places = column.codes.fill_null(missing).to_numpy()
            words = _mixed(np.array(texts, dtype=np.uint64) ^ key)[places]
        else:
            words = _mixed(_bits(column) ^ key)
        words ^= hashes
        hashes = _mixed(words)
    return hashes


def assign(hashes: Words, split: Split) -> NDArray[np.int64]:
    """Give each row the place of its split in ``NAMES``."""
    uniform = (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.searchsorted(split.bounds, uniform, side="right")


def time_bounds(times: NDArray[np.float64], split: Split) -> NDArray[np.float64]:
    """Find the times at which validation and test begin; rows of one time stay together."""
    places = (split.bounds * len(times)).astype(np.int64)
    return np.partition(times, places)[places]


def _bits(column: pl.Series) -> Words:
    values = column.to_numpy()
    bits: Words = values.view(np.uint64).copy()
    bits[np.isnan(values)] = np.uint64(_text_hash("missing"))
    return bits


def _text_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _mixed(words: Words) -> Words:
    # The finalizer of SplitMix64 (Steele, Lea, Flood 2014): each input bit reaches all output bits.
    words = words ^ (words >> np.uint64(30))
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words
