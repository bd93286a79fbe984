"""Reading the raw values of one column by the grammar of :mod:`boostline.features.values`."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from boostline.features.errors import FeatureError
from boostline.features.values import (
    BLANKS,
    NAN,
    TOO_LARGE,
    category_parser,
    number_parser,
)

_SHOWN = 3
_TEXTUAL = (pl.String, pl.Categorical, pl.Enum)
_TIMES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f")  # of ISO 8601; a zone may follow


class TableError(FeatureError):
    """A table that does not fit; rows are counted from 1, without the header."""


class Coded(NamedTuple):
    """A categorical column: each row's place in ``texts``, null where the value is missing.

    ``texts`` are canonical and distinct, in no particular order; some may have no row.
    """

    codes: pl.Series
    texts: list[str]


Explain = Callable[[Any], str]
Report = Callable[[pl.Series, pl.Series, Explain], None]


def refuse(column: pl.Series, where: pl.Series, explain: Explain) -> None:
    """Refuse the malformed rows of a column: the default of what is done about them.

    Raises
    ------
    TableError
        With what ``explain`` says of the first value, and the first rows.
    """
    rows = where.fill_null(False).arg_true()
    shown = ", ".join(f"row {row + 1}: {column[row]!r}" for row in rows.head(_SHOWN).to_list())
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    raise TableError(f"column {column.name!r} {explain(column[rows[0]])} ({shown}{more})")


def read_numbers(column: pl.Series, missing: Sequence[str], report: Report = refuse) -> pl.Series:
    """Read a numeric column as Float64, NaN where a value is missing or malformed.

    Raises
    ------
    TableError
        The column's type is none of numbers; or from ``report``, for malformed values.
    """
    kind = column.dtype
    if kind.is_integer() or kind.is_float() or kind == pl.Null:
        numbers = column.cast(pl.Float64)
    elif kind in _TEXTUAL or kind.is_decimal():
        numbers = _parsed(column.cast(pl.String), missing, report)
    else:
        raise TableError(f"column {column.name!r} holds {kind}: a numeric column needs numbers")
    values = numbers.fill_null(NAN).to_numpy() + 0.0  # adding zero drops the sign of a zero
    outside = np.abs(values) >= TOO_LARGE
    if outside.any():
        report(column, pl.Series(outside), lambda _: "is not within the range of float32")
        values[outside] = NAN
    listed = [float(value) for text in missing if (value := _number_or_none(text)) is not None]
    if listed:
        values[np.isin(values, listed)] = NAN
    return pl.Series(column.name, values)


def read_coded(column: pl.Series, missing: Sequence[str], report: Report = refuse) -> Coded:
    """Read a categorical column; what is malformed is missing.

    Raises
    ------
    TableError
        The column's type has no text; or from ``report``, for malformed values.
    """
    values = column if column.dtype.is_numeric() or column.dtype == pl.Boolean else None
    if values is None or values.dtype.is_decimal():
        values = _texts(column)
    found = values.drop_nulls().unique()
    canonicals, bad = _through(category_parser(missing), found)
    if bad:
        report(values, values.is_in(list(bad)), bad.__getitem__)
    texts = list(dict.fromkeys(text for text in canonicals.values() if text is not None))
    place = {text: code for code, text in enumerate(texts)}
    codes = pl.Series(
        [place.get(canonicals.get(value)) for value in found.to_list()], dtype=pl.UInt32
    )
    coded = values.replace_strict(found, codes, default=None, return_dtype=pl.UInt32)
    return Coded(coded.alias(column.name), texts)


def read_categories(
    column: pl.Series, missing: Sequence[str], report: Report = refuse
) -> pl.Series:
    """Read a categorical column as :func:`read_coded`: canonical String, null where missing."""
    codes, texts = read_coded(column, missing, report)
    return pl.Series(column.name, texts, dtype=pl.String).gather(codes)


def read_times(column: pl.Series, missing: Sequence[str], report: Report = refuse) -> pl.Series:
    """Read a column of points in time as Float64, the later the greater.

    Dates, ISO 8601 text (in microseconds since 1970, UTC where no zone is given), and numbers.

    Raises
    ------
    TableError
        From ``report``: values are missing, or are none of these.
    """
    if column.dtype in (pl.Date, pl.Datetime):
        times = column.cast(pl.Datetime("us")).cast(pl.Float64)
    else:
        text = textual(column)
        times = read_numbers(column, missing, _accept if text else report).fill_nan(None)
        times = read_iso_times(column).fill_null(times) if text else times
    if times.null_count():
        report(column, times.is_null(), lambda _: "is no point in time: 2026-01-31, or a number")
    return times.alias(column.name)


def read_iso_times(column: pl.Series) -> pl.Series:
    """Read ISO 8601 texts as Float64, microseconds since 1970; null where they are none."""
    texts = column.cast(pl.String).str.strip_chars(BLANKS).str.replace(" ", "T", literal=True)
    ways = [_to_time(texts, form) for form in _TIMES]
    ways += [_to_time(texts, f"{form}%#z").dt.replace_time_zone(None) for form in _TIMES[1:]]
    return pl.select(pl.coalesce(ways)).to_series().cast(pl.Float64)


def textual(column: pl.Series) -> bool:
    """Say whether a column holds text."""
    return column.dtype in _TEXTUAL


def _to_time(texts: pl.Series, form: str) -> pl.Series:
    return texts.str.to_datetime(form, strict=False, time_unit="us")


def _accept(column: pl.Series, where: pl.Series, explain: Explain) -> None:
    """Let malformed values be."""


def _texts(column: pl.Series) -> pl.Series:
    with suppress(pl.exceptions.PolarsError):  # of durations, and of bytes that are not UTF-8
        if not column.dtype.is_nested():
            return column.cast(pl.String)
    raise TableError(
        f"column {column.name!r} holds {column.dtype}: a categorical column, or a label, needs "
        "text, numbers, booleans or dates"
    )


def _parsed(texts: pl.Series, missing: Sequence[str], report: Report) -> pl.Series:
    """Read numbers from text: the plain ones at once, the rest through the parser of a record."""
    # What Polars reads as a finite number is one by the grammar; it also reads "inf" and "nan".
    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() == texts.null_count() and numbers.is_finite().all():
        return numbers
    odd = texts.is_not_null() & ~numbers.is_finite().fill_null(False)
    parsed, bad = _through(number_parser(missing), texts.filter(odd).unique())
    if bad:
        report(texts, texts.is_in(list(bad)), bad.__getitem__)
    old = pl.Series(list(parsed), dtype=pl.String)
    new = pl.Series(list(parsed.values()), dtype=pl.Float64)
    others = texts.replace_strict(old, new, default=None, return_dtype=pl.Float64)
    return pl.select(pl.when(odd).then(others).otherwise(numbers)).to_series()


def _through(
    parser: Callable[[object], Any], values: pl.Series
) -> tuple[dict[Any, Any], dict[Any, str]]:
    """Put distinct values through a record's parser: what each is, what is wrong with the rest."""
    good: dict[Any, Any] = {}
    bad: dict[Any, str] = {}
    for value in values.to_list():
        try:
            good[value] = parser(value)
        except ValueError as error:
            bad[value] = str(error)
    return good, bad


def _number_or_none(text: str) -> float | None:
    try:
        number = number_parser()(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number
