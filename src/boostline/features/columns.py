"""Reading the raw values of one column by the grammar of :mod:`boostline.features.values`."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from boostline.features.errors import FeatureError
from boostline.features.values import (
    BLANKS,
    NAN,
    NUMBER,
    TOO_LARGE,
    category_parser,
    number_parser,
)

_SHOWN = 3
_TEXTUAL = (pl.String, pl.Categorical, pl.Enum)
_NUMERIC_TEXT = rf"^[{BLANKS}]*{NUMBER}[{BLANKS}]*$"


class TableError(FeatureError):
    """A table that does not fit; rows are counted from 1, without the header."""


def read_numbers(column: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Read a numeric column as Float64, NaN where a value is missing.

    Raises
    ------
    TableError
        With the rows and values that are malformed.
    """
    kind = column.dtype
    if kind.is_integer() or kind.is_float() or kind == pl.Null:
        numbers = column.cast(pl.Float64)
    elif kind in _TEXTUAL or kind.is_decimal():
        numbers = _parsed(column.cast(pl.String), missing)
    else:
        raise TableError(f"column {column.name!r} holds {kind}: a numeric column needs numbers")
    numbers = numbers.fill_null(NAN)
    outside = numbers.is_not_nan() & (numbers.abs() >= TOO_LARGE)
    if outside.any():
        raise TableError(offence(column, outside, "is not within the range of float32"))
    listed = [float(value) for text in missing if (value := _number_or_none(text)) is not None]
    return (
        pl.select(
            pl.when(numbers.is_in(listed))
            .then(NAN)
            .when(numbers == 0.0)
            .then(0.0)
            .otherwise(numbers)
        )
        .to_series()
        .alias(column.name)
    )


def read_categories(column: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Read a categorical column as canonical String, null where a value is missing.

    Raises
    ------
    TableError
        With the rows and values that are malformed.
    """
    values = column if column.dtype.is_numeric() or column.dtype == pl.Boolean else None
    if values is None or values.dtype.is_decimal():
        values = column.cast(pl.String)
    found = values.drop_nulls().unique()
    canonicals, bad = _through(category_parser(missing), found)
    if bad:
        raise TableError(offence(column, values.is_in(list(bad)), next(iter(bad.values()))))
    if not canonicals:
        return pl.Series(column.name, [None] * len(column), dtype=pl.String)
    old = pl.Series(list(canonicals), dtype=values.dtype)
    new = pl.Series(list(canonicals.values()), dtype=pl.String)
    return values.replace_strict(old, new, default=None, return_dtype=pl.String).alias(column.name)


def offence(column: pl.Series, where: pl.Series, message: str) -> str:
    """Say what is wrong with the rows ``where``, and show the first few."""
    rows = where.fill_null(False).arg_true()
    shown = ", ".join(f"row {row + 1}: {column[row]!r}" for row in rows.head(_SHOWN).to_list())
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"column {column.name!r} {message} ({shown}{more})"


def _parsed(texts: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Read numbers from text: the plain ones at once, the rest through the parser of a record."""
    plain = texts.str.contains(_NUMERIC_TEXT)
    numbers = (
        pl.select(pl.when(plain).then(texts))
        .to_series()
        .str.strip_chars(BLANKS)
        .cast(pl.Float64, strict=False)
    )
    rest = texts.filter(numbers.is_null() & texts.is_not_null()).unique()
    parsed, bad = _through(number_parser(missing), rest)
    if bad:
        raise TableError(offence(texts, texts.is_in(list(bad)), next(iter(bad.values()))))
    if parsed:
        others = texts.replace_strict(parsed, default=None, return_dtype=pl.Float64)
        numbers = numbers.fill_null(others)
    return numbers


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
