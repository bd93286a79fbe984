"""Reading tables from CSV and Parquet files: in pieces of bounded size, or as a whole."""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl
import polars.selectors as cs

from boostline.features.columns import TableError

SUFFIXES = (".csv", ".csv.gz", ".gz", ".parquet")
BLOCK = 8 << 20  # bytes of CSV text that are parsed at once
ROWS = 100_000  # rows of Parquet that are read at once


@dataclass(frozen=True)
class Piece:
    """Some consecutive rows of one file.

    Attributes
    ----------
    table
        The rows that have a field for each column; those of CSV are text.
    origin
        ``<file>, line`` or ``<file>, row``: what the numbers count, from 1.
    numbers
        Answers the number of each row.
    malformed
        The lines that are left out, by number, and what is wrong with each.
    """

    table: pl.DataFrame
    origin: str
    numbers: Callable[[], Sequence[int]]
    malformed: Mapping[int, str] = field(default_factory=dict)

    def problems(self, rows: Mapping[int, str]) -> list[str]:
        """Tell what is wrong, with the place: of the lines left out, and of rows of the table."""
        numbers = self.numbers() if rows else []
        found = {**self.malformed, **{numbers[row]: problem for row, problem in rows.items()}}
        return [f"{self.origin} {number}: {found[number]}" for number in sorted(found)]


Parse = Callable[[], Piece]


def is_table(path: Path) -> bool:
    """Say by its name whether a file is one that can be read."""
    return path.name.lower().endswith(SUFFIXES)


def read_header(paths: Sequence[Path]) -> list[str]:
    """Read the column names of files that make one table; those of the first file.

    Raises
    ------
    TableError
        A file cannot be read, or has other columns than the first.
    """
    if not paths:
        raise TableError(f"no data files: expected {', '.join(SUFFIXES)}")
    headers = [_open_table(path).header for path in paths]
    for path, header in zip(paths, headers, strict=True):
        if set(header) != set(headers[0]):
            odd = sorted(set(header) ^ set(headers[0]))
            raise TableError(f"{path.name}: other columns than {paths[0].name}: {odd}")
    return headers[0]


def read_pieces(paths: Sequence[Path], numeric: Collection[str] = ()) -> Iterator[Parse]:
    """Read files of the same columns piece by piece, so that a table may be larger than memory.

    Parameters
    ----------
    paths
        CSV (``.csv``, UTF-8 with a header; compressed ``.gz``) or Parquet (``.parquet``) files.
    numeric
        Columns that CSV may give as Float64 at once, where all their texts are plain numbers.

    Yields
    ------
    Parse
        Parses one piece when it is called, in any thread; the order is that of the rows.

    Raises
    ------
    TableError
        A file cannot be read.
    """
    read_header(paths)
    for path in paths:
        yield from _open_table(path).pieces(numeric)


def read_table(paths: Sequence[Path], malformed: list[str] | None = None) -> pl.DataFrame:
    """Read files of the same columns as one table; those of CSV are text, null where empty.

    Raises
    ------
    TableError
        A file cannot be read, or has a malformed line and no list ``malformed`` takes it.
    """
    header, tables = read_header(paths), []
    for parse in read_pieces(paths):
        piece = parse()
        if piece.malformed and malformed is None:
            raise TableError(piece.problems({})[0])
        if malformed is not None:
            malformed += piece.problems({})
        tables.append(piece.table.select(header))
    whole = pl.concat(tables, how="vertical_relaxed") if tables else pl.DataFrame()
    if whole.is_empty():
        raise TableError(f"{', '.join(path.name for path in paths)}: no rows")
    return whole


@dataclass(frozen=True)
class _Parquet:
    path: Path
    header: list[str]

    def pieces(self, _: Collection[str]) -> Iterator[Parse]:
        start = 1
        with _readable(self.path):
            for table in pl.scan_parquet(self.path, glob=False).collect_batches(chunk_size=ROWS):
                numbers = partial(range, start, start + table.height)
                yield partial(Piece, table, f"{self.path.name}, row", numbers)
                start += table.height


@dataclass(frozen=True)
class _Csv:
    """A CSV file whose header is known; ``lines`` counts the header's own."""

    path: Path
    header: list[str]
    lines: int

    @property
    def origin(self) -> str:
        return f"{self.path.name}, line"

    def pieces(self, numeric: Collection[str]) -> Iterator[Parse]:
        """Cut the file into blocks of whole lines."""
        with _readable(self.path), _open(self.path) as file:
            line = 1 + self.lines
            for _ in range(self.lines):
                file.readline()
            for block in _blocks(file):
                yield partial(self._parse, block, line, numeric)
                line += block.count(b"\n")

    def _parse(self, block: bytes, line: int, numeric: Collection[str]) -> Piece:
        table = self._read(block, numeric) if numeric else None
        if table is None or not all(table.select(cs.float().is_finite().all()).row(0)):
            table = self._read(block, ())
        if table is None or (table.to_series(-1).null_count() and not _whole(block, table)):
            return self._parse_lines(block, line)
        return Piece(table, self.origin, lambda: self._parse_lines(block, line).numbers())

    def _read(self, block: bytes, numeric: Collection[str]) -> pl.DataFrame | None:
        schema = {name: pl.Float64 if name in numeric else pl.String for name in self.header}
        try:
            return pl.read_csv(block, has_header=False, schema=schema)
        except pl.exceptions.PolarsError:
            return None

    def _parse_lines(self, block: bytes, line: int) -> Piece:
        """Parse line by line, which is slower and finds what is wrong with which line."""
        reader = csv.reader(io.StringIO(block.decode(errors="surrogateescape"), newline=""))
        rows: dict[int, list[str | None]] = {}
        malformed: dict[int, str] = {}
        try:
            for fields in reader:
                number = line + reader.line_num - 1
                if problem := self._problem(fields):
                    malformed[number] = problem
                elif fields:  # a blank line is none
                    rows[number] = [text or None for text in fields]
        except csv.Error as error:
            number = line + reader.line_num - 1
            raise TableError(f"{self.origin} {number}: not readable as CSV: {error}") from None
        schema = dict.fromkeys(self.header, pl.String)
        table = pl.DataFrame(list(rows.values()), schema, orient="row")
        return Piece(table, self.origin, lambda: list(rows), malformed)

    def _problem(self, fields: list[str]) -> str:
        if fields and len(fields) != len(self.header):
            return f"{len(fields)} fields, the header has {len(self.header)}"
        return "" if _is_text(fields) else "not UTF-8 text"


def _open_table(path: Path) -> _Csv | _Parquet:
    if not is_table(path):
        raise TableError(f"{path.name}: unknown kind of file: expected {', '.join(SUFFIXES)}")
    with _readable(path):
        if _is_parquet(path):
            return _Parquet(path, list(pl.scan_parquet(path, glob=False).collect_schema()))
        with io.TextIOWrapper(_open(path), "utf-8-sig", "surrogateescape", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
    if not header:
        raise TableError(f"{path.name}: empty: expected a header line")
    if not _is_text(header):
        raise TableError(f"{path.name}: not UTF-8 text: save it as UTF-8")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise TableError(f"{path.name}, line 1: column {twice[0]!r} is there twice")
    return _Csv(path, header, reader.line_num)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error, csv.Error) as error:
        kind = "Parquet file" if _is_parquet(path) else "text"
        raise TableError(f"{path.name}: not a readable {kind}: {error}") from None


def _is_text(fields: list[str]) -> bool:
    """Say whether all was UTF-8: what is not was read as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in "".join(fields))


def _open(path: Path) -> BinaryIO:
    compressed = path.suffix.lower() == ".gz"
    return cast("BinaryIO", gzip.open(path)) if compressed else path.open("rb")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while data := file.read(BLOCK):
        block = rest + data
        end = _last_end(block)
        rest = block[end:]
        if end:
            yield block[:end]
    if rest:
        yield rest


def _last_end(block: bytes) -> int:
    """Find the end of the last line that no quoted field goes beyond."""
    end = block.rfind(b"\n") + 1
    quotes = block.count(b'"', 0, end) if b'"' in block else 0
    while quotes % 2:
        start = block.rfind(b"\n", 0, end - 1) + 1
        quotes -= block.count(b'"', start, end)
        end = start
    return end


def _whole(block: bytes, table: pl.DataFrame) -> bool:
    """Say whether no line is too short: Polars fills short ones with nulls.

    Long ones it refuses, so all separators that stand in no field lie between fields.
    """
    inside = sum(table.select(cs.string().str.count_matches(",", literal=True).sum()).row(0))
    return block.count(b",") == int(inside) + table.height * (table.width - 1)
