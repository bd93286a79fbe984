"""The raw rows of a processing job: its files', or those that the user's code made of them."""

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import polars as pl

from boostline.container.code import Context, open_code
from boostline.features.files import ROWS, Parse, Piece, read_header, read_pieces, read_table


class Source:
    """Rows that can be read more than once.

    The folder ``code`` may hold the user's ``process(table, context)``, which gets and returns the
    whole table as a Polars DataFrame, the values of CSV as text.

    Attributes
    ----------
    header, size
        The columns, and about how many bytes the rows have.
    malformed
        The lines that the user's code did not get, with what is wrong.
    """

    def __init__(self, files: list[Path], code: Path, context: Context) -> None:
        self._files = files
        self._table: pl.DataFrame | None = None
        self.header = read_header(files)
        self.size = sum(path.stat().st_size for path in files)
        self.malformed: list[str] = []
        own = open_code(code)
        if own is not None:
            table = own.function("process")(read_table(files, self.malformed), context)
            if not isinstance(table, pl.DataFrame):
                kind = type(table).__name__
                own.refuse("process", f"returned {kind}: it must return a polars.DataFrame")
            self._table, self.header, self.size = table, table.columns, int(table.estimated_size())

    def pieces(self, numeric: Collection[str]) -> Iterator[Parse]:
        """Read the rows from the beginning, as :func:`boostline.features.files.read_pieces`."""
        if self._table is None:
            yield from read_pieces(self._files, numeric)
            return
        for start in range(0, self._table.height, ROWS):
            numbers = partial(range, start + 1, self._table.height + 1)
            yield partial(Piece, self._table[start : start + ROWS], "process's row", numbers)
