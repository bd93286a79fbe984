"""Raw rows on their way to disk: read, checked, counted, and put into their splits."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from boostline.container.errors import ContainerError
from boostline.container.spill import Spill
from boostline.container.split import NAMES, Split, Words, assign, row_hashes, time_bounds
from boostline.features.columns import Coded, Explain, Report, read_coded, read_times
from boostline.features.files import Parse
from boostline.features.spec import FeatureSpec
from boostline.features.table import Columns, check_labels, read

SHOWN = 10
WORKERS = min(8, os.cpu_count() or 1)

Item = TypeVar("Item")
Result = TypeVar("Result")
Counts = NDArray[np.int64]
Keep = Counts | slice


class Vocabulary:
    """The texts of one column, in the order of their coming, with their rows by split."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._counts: Counts = np.zeros((len(NAMES), 0), dtype=np.int64)
        self._lock = Lock()

    @property
    def texts(self) -> list[str]:
        """Every text."""
        return list(self._ids)

    def counts(self, split: int | None = None) -> dict[str, int]:
        """Count the rows of a split, or all, by text, sorted; those without a row left out."""
        rows = self._counts.sum(axis=0) if split is None else self._counts[split]
        counted = zip(self._ids, rows.tolist(), strict=True)
        return {text: count for text, count in sorted(counted) if count}

    def add(self, texts: list[str], codes: Counts, places: Counts) -> Counts:
        """Give each row the place of its text in ``texts`` of this vocabulary; -1 stays."""
        with self._lock:
            ids = [self._ids.setdefault(text, len(self._ids)) for text in texts]
            rows = np.array([*ids, -1], dtype=np.int64)[codes]
            size = len(self._ids)
            counted = np.bincount((places * size + rows)[rows >= 0], minlength=len(NAMES) * size)
            grown = np.zeros((len(NAMES), size), dtype=np.int64)
            grown[:, : self._counts.shape[1]] = self._counts
            self._counts = grown + counted.reshape(len(NAMES), size)
        return rows


class Intake:
    """Takes raw rows in, up to a limit of malformed ones, and hands the others to a spill.

    Attributes
    ----------
    names, vocabularies
        The columns of a row; the texts of those that are no numbers.
    malformed, first
        How many rows were left out; the first of them, with place and reason.
    """

    def __init__(self, spec: FeatureSpec, split: Split, limit: int, spill: Spill) -> None:
        self._spec, self._split, self._limit, self._spill = spec, split, limit, spill
        self._bounds: NDArray[np.float64] | None = None
        self.names = [*spec.inputs, spec.label]
        numeric = {*spec.numeric, *([spec.label] if spec.objective == "regression" else [])}
        self.vocabularies = {name: Vocabulary() for name in self.names if name not in numeric}
        self.malformed = 0
        self.first: list[str] = []

    def find_times(self, pieces: Iterable[Parse]) -> None:
        """Find, for a split by time, when validation and test begin: a pass over one column."""
        name = str(self._split.time)

        def times(parse: Parse) -> NDArray[np.float64]:
            raw = parse().table[name]
            return read_times(raw, self._spec.missing, lambda *_: None).drop_nulls().to_numpy()

        found = np.concatenate(list(in_order(times, pieces)))
        if not len(found):
            raise ContainerError(f"split.time: column {name!r} holds no point in time")
        self._bounds = time_bounds(found, self._split)

    def take(self, pieces: Iterable[Parse]) -> None:
        """Read rows and store them.

        Raises
        ------
        ContainerError
            More rows are malformed than allowed; with the first places and reasons.
        """
        for problems in in_order(self._store, pieces):
            self.count(problems)

    def count(self, problems: list[str]) -> None:
        """Count malformed rows, as :meth:`take` does."""
        self.malformed += len(problems)
        self.first += problems[: SHOWN - len(self.first)]
        if self.malformed > self._limit:
            raise ContainerError(
                f"malformed rows: {self.malformed} so far, {self._limit} allowed: "
                f"{'; '.join(self.first)}"
            )

    def columns(self, rows: Words) -> Columns:
        """See rows of the spill as columns again."""
        found = dict[str, pl.Series | Coded]()
        for place, name in enumerate(self.names):
            words = np.ascontiguousarray(rows[:, place])
            if name in self.vocabularies:
                codes = pl.Series(name, words.view(np.int64)).cast(pl.UInt32, strict=False)
                found[name] = Coded(codes, self.vocabularies[name].texts)
            else:
                found[name] = pl.Series(name, words.view(np.float64))
        return found

    def _store(self, parse: Parse) -> list[str]:
        piece, bad = parse(), dict[int, str]()

        def report(column: pl.Series, where: pl.Series, explain: Explain) -> None:
            for row in where.fill_null(False).arg_true().to_list():
                bad.setdefault(row, f"column {column.name!r} {explain(column[row])}")

        columns = read(self._spec, piece.table, report)
        check_labels(self._spec, piece.table, columns, report)
        hashes = row_hashes(columns, self._split.seed)
        places = self._places(piece.table, hashes, report)
        keep: Keep = np.delete(np.arange(len(hashes)), list(bad)) if bad else slice(None)
        places = places[keep]
        words = [self._words(name, column, keep, places) for name, column in columns.items()]
        self._spill.add(words, hashes[keep], places)
        return piece.problems(bad)

    def _words(self, name: str, column: pl.Series | Coded, keep: Keep, places: Counts) -> Words:
        if not isinstance(column, Coded):
            return column.to_numpy()[keep].view(np.uint64)
        codes = column.codes.cast(pl.Int64).fill_null(-1).to_numpy()[keep]
        return self.vocabularies[name].add(column.texts, codes, places).view(np.uint64)

    def _places(self, table: pl.DataFrame, hashes: Words, report: Report) -> Counts:
        split, missing = self._split, self._spec.missing
        if split.time is not None:
            times = read_times(table[split.time], missing, report).fill_null(0.0)
            bounds = cast("NDArray[np.float64]", self._bounds)
            return np.searchsorted(bounds, times.to_numpy(), side="right")
        if split.by is not None:
            groups = read_coded(table[split.by], missing, report)
            grouped = row_hashes({split.by: groups}, split.seed)
            hashes = np.where(groups.codes.is_null().to_numpy(), hashes, grouped)
        return assign(hashes, split)


def in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Apply a function to items in a few threads; few items and results wait at a time."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
