"""Requests that are tables: many rows of CSV, and Parquet."""

import io
from collections.abc import Sequence

import numpy as np
import polars as pl
import polars.selectors as cs

from boostline.container.flavors.base import Rows
from boostline.container.programs.forms import HEADER, Form, Forms
from boostline.container.programs.refusals import (
    MAX_ROWS,
    RowProblem,
    ScoringError,
    empty_body,
    invalid_rows,
    too_many_rows,
)
from boostline.features.columns import TableError
from boostline.features.table import transform

MAX_TEXT = 1 << 17  # bytes: what Python's csv module takes as one field
_SLICE = 1_000  # rows


def read_csv(body: bytes, names: Sequence[str], form: Form) -> Rows | None:
    """Read many lines of CSV that has no quotes.

    Parameters
    ----------
    body
        Lines without the header; a line feed ends each but the last.
    names
        What the fields are.
    form
        What the rows are.

    Returns
    -------
    Rows
        Exactly what reading line by line makes of them; None where something is unusual.
    """
    number = pl.Float64 if form.plain else pl.String
    schema = {name: number if name in form.inputs else pl.String for name in names}
    try:
        frame = pl.read_csv(body, has_header=False, schema=schema, quote_char=None)
        if not _whole(body, frame):
            return None
        if not form.plain:
            return _matrix(transform(form.contract, frame, form.contract.unknown_category))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, TableError):
        return None
    numbers = frame.select(pl.col(form.inputs).cast(pl.Float32))
    # Polars also reads "nan" and "inf", which are no numbers; and one may be too large.
    finite = numbers.select(pl.all().is_finite().all()).row(0)
    return _matrix(numbers) if all(finite) else None


def read_parquet(body: bytes, forms: Forms, transformed: bool) -> Rows:
    """Read Parquet: raw records, or features, as :meth:`Forms.of` tells by the names.

    Parameters
    ----------
    body
        The file.
    forms
        What its rows can be.
    transformed
        Whether they are known to be features.

    Raises
    ------
    ScoringError
        It is broken; or with the problems of its rows.
    """
    frame = _decoded(body)
    form = forms.of(frame.columns, transformed)
    frame = frame.select(form.inputs)
    if frame.is_empty():
        raise empty_body("the table has no rows: send at least one")
    _check_types(frame)
    try:
        return _matrix(transform(form.contract, frame, form.contract.unknown_category))
    except (pl.exceptions.PolarsError, TableError) as error:
        # Row by row, so that each problem has its row and column.
        whole = frame.with_columns(cs.decimal().cast(pl.String), cs.temporal().cast(pl.String))
        form.collect(row for part in whole.iter_slices(_SLICE) for row in part.to_dicts())
        raise _bad_parquet(str(error)) from None


def _decoded(body: bytes) -> pl.DataFrame:
    if not body:
        raise empty_body("the body is empty: send at least one row")
    try:
        if pl.scan_parquet(io.BytesIO(body)).select(pl.len()).collect().item() > MAX_ROWS:
            raise too_many_rows()
        return pl.read_parquet(io.BytesIO(body))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _bad_parquet(str(error)) from None


def _check_types(frame: pl.DataFrame) -> None:
    problems = [
        RowProblem(HEADER, name, f"holds {kind}: send numbers or text")
        for name, kind in frame.schema.items()
        if kind.is_nested() or kind in (pl.Binary, pl.Object, pl.Duration)
    ]
    texts = frame.select(cs.string().str.len_bytes().max())
    longest = zip(texts.columns, texts.row(0), strict=True) if texts.width else ()
    problems += [
        RowProblem(HEADER, name, f"holds a text of more than {MAX_TEXT} bytes")
        for name, length in longest
        if (length or 0) > MAX_TEXT
    ]
    if problems:
        raise invalid_rows(problems)


def _bad_parquet(reason: str) -> ScoringError:
    return ScoringError(400, "bad_parquet", f"the body is not usable as Parquet: {reason}")


def _whole(body: bytes, frame: pl.DataFrame) -> bool:
    """Say whether each line has a field for each column.

    Polars fills short and blank lines with nulls, and takes a comma at the end.
    """
    if frame.height != body.count(b"\n") + 1:
        return False
    blank = pl.all_horizontal(pl.all().is_null()).any()
    if frame.to_series(-1).null_count() and frame.select(blank).item():
        return False
    commas = int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord(",")))
    return commas == frame.height * (frame.width - 1)


def _matrix(features: pl.DataFrame) -> Rows:
    return features.to_numpy(order="c")
