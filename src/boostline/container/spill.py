"""Rows on disk, sorted by their hashes: an order of the rows alone, in bounded memory.

The first bits of a row's hash choose its bucket, a file of fixed-width rows; one bucket after the
other is sorted in memory. How many buckets there are changes nothing of what is read back.
"""

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from boostline.container.split import NAMES, Words

CHUNK = 1 << 16  # rows that are read back at once


class Spill:
    """The rows of every split.

    Parameters
    ----------
    folder
        An empty folder for the files.
    width
        How many 8-byte words a row has.
    bits
        There are two to this power of buckets in each split.
    """

    def __init__(self, folder: Path, width: int, bits: int) -> None:
        self._folder, self._width, self._bits = folder, 1 + width, bits
        self._lock = Lock()
        self.counts = np.zeros(len(NAMES), dtype=np.int64)

    def add(self, columns: list[Words], hashes: Words, places: NDArray[np.int64]) -> None:
        """Store rows, from any thread: 8-byte values seen as words, the row's hash, its split."""
        shift = np.uint64(64 - self._bits)
        bucket = hashes >> shift if self._bits else np.zeros_like(hashes)
        files = (bucket.astype(np.int64) + (places << self._bits)).astype(np.uint16)
        order = np.argsort(files, kind="stable")  # of 16 bits: by radix
        rows = np.stack([hashes, *columns], axis=1).take(order, axis=0)
        counts = np.bincount(files, minlength=len(self.counts) << self._bits)
        ends = np.cumsum(counts)
        with self._lock:
            for file in np.flatnonzero(counts).tolist():
                with self._file(file).open("ab") as stream:
                    stream.write(rows[ends[file] - counts[file] : ends[file]].data)
            self.counts += counts.reshape(len(self.counts), -1).sum(axis=1)

    def chunks(self, split: int) -> Iterator[Words]:
        """Read a split back in the order of the hashes: (CHUNK, width), the last one shorter."""
        chunk = np.empty((0, self._width), dtype=np.uint64)
        for bucket in range(1 << self._bits):
            path = self._file((split << self._bits) + bucket)
            if not path.exists():
                continue
            rows = np.fromfile(path, dtype=np.uint64).reshape(-1, self._width)
            order = np.argsort(rows[:, 0])  # rows of one hash are equal: any order of them
            while len(order):
                taken, order = np.split(order, [CHUNK - len(chunk)])
                part = rows.take(taken, axis=0)  # faster than rows[taken]
                chunk = np.concatenate([chunk, part]) if len(chunk) else part
                if len(chunk) == CHUNK:
                    yield chunk[:, 1:]
                    chunk = chunk[:0]
        if len(chunk):
            yield chunk[:, 1:]

    def distinct(self) -> int:
        """Count the rows that differ within each split: equal rows are in one bucket."""
        rows = (np.fromfile(path, np.uint64) for path in self._folder.iterdir())
        return sum(len(np.unique(words[:: self._width])) for words in rows)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}"
