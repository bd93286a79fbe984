"""Reading tables from CSV and Parquet files."""

import csv
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from boostline.features.columns import TableError


def read_table(paths: Sequence[Path]) -> pl.DataFrame:
    """Read files of the same columns as one table.

    Parameters
    ----------
    paths
        CSV (``.csv``, UTF-8 with a header) or Parquet (``.parquet``) files.

    Returns
    -------
    pl.DataFrame
        The rows of all files in the order given. The columns of CSV are text, null where empty.

    Raises
    ------
    TableError
        A file cannot be read: with its name and, for CSV, the line.
    """
    if not paths:
        raise TableError("no data files: expected .csv or .parquet files")
    tables = [_read(path) for path in paths]
    first = tables[0]
    for path, table in zip(paths, tables, strict=True):
        if set(table.columns) != set(first.columns):
            odd = sorted(set(table.columns) ^ set(first.columns))
            raise TableError(f"{path.name}: other columns than {paths[0].name}: {odd}")
    whole = pl.concat([table.select(first.columns) for table in tables], how="vertical_relaxed")
    if whole.is_empty():
        raise TableError(f"{', '.join(path.name for path in paths)}: no rows")
    return whole


def _read(path: Path) -> pl.DataFrame:
    if path.suffix == ".parquet":
        try:
            return pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise TableError(f"{path.name}: not a readable Parquet file: {error}") from None
    if path.suffix != ".csv":
        raise TableError(f"{path.name}: unknown kind of file: expected .csv or .parquet")
    return _read_csv(path)


def _read_csv(path: Path) -> pl.DataFrame:
    header = _header(path)
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        _find_ragged_line(path, header)
        raise TableError(f"{path.name}: not readable as CSV: {error}") from None
    # Polars fills a short line with nulls, so its last column is null.
    if table.height and table.to_series(-1).null_count():
        _find_ragged_line(path, header)
    return table.rename(dict(zip(table.columns, header, strict=True)))


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except UnicodeDecodeError as error:
        raise TableError(f"{path.name}: not UTF-8 text: {error.reason}") from None
    if not header:
        raise TableError(f"{path.name}: empty: expected a header line")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise TableError(f"{path.name}, line 1: column {twice[0]!r} is there twice")
    return header


def _find_ragged_line(path: Path, header: list[str]) -> None:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        for fields in reader:
            if fields and len(fields) != len(header):
                raise TableError(
                    f"{path.name}, line {reader.line_num}: {len(fields)} fields, "
                    f"the header has {len(header)}"
                )
