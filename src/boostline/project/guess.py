"""What a table's columns seem to be: the objective, and the role of each column."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import polars as pl

from boostline.contracts.errors import BoostlineError
from boostline.features import columns as cells
from boostline.features.columns import TableError, read_categories, read_numbers

FEWEST_ROWS = 20
FEWEST_OF_A_CLASS = 10
MOST_CATEGORIES = 60
MOST_CLASSES = 30
GREATEST_CLASS = 100  # greater integers are amounts, not names of classes
GONE = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "?")  # a missing value everywhere
MARKERS = (*GONE, "None", "-", ".")  # among numbers; else a kind may be called so
FEWEST_KEPT = 1000  # different numbers that a label of many keeps in float32
UNNAMED = ("ignore", "it has no name: the index of a table, most often")
COMMENTS = {
    "numeric": "every value is a number",
    "categorical": f"text of at most {MOST_CATEGORIES} kinds: each kind has a code",
    "ignore": "not used; a request may have them",
}
_DAY_FIRST = r"^\s*\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b"
_IDENTIFIER = r"(?i:(^|[^a-z])(id|uuid|guid|key|no|nr|index|rownum)$|^(id|uuid)\b)|[a-z]ID$"


class ScaffoldError(BoostlineError):
    """No project can be made of what was given."""

    exit_code = 2


@dataclass
class Guess:
    """What a table's columns seem to be, with the reasons of objective and roles.

    ``gate`` is a metric and the least that it should reach; ``missing`` are texts that mean a
    missing value. Regression has no classes.
    """

    label: str
    objective: str
    classes: list[str]
    why: str
    gate: tuple[str, float]
    roles: dict[str, list[str]] = field(default_factory=lambda: {role: [] for role in COMMENTS})
    reasons: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=lambda: [""])


def infer(table: pl.DataFrame, label: str) -> Guess:
    """Guess the objective and the role of each column of a table.

    Raises
    ------
    ScaffoldError
        If no model can be trained of it, with the reason.
    """
    check_header(table.columns, label)
    if len(table) < FEWEST_ROWS:
        raise ScaffoldError(
            f"the table has {len(table)} rows: training, validation and test need "
            f"{FEWEST_ROWS} at least, and a useful model hundreds"
        )
    guess = _objective(table[label])
    for column in table.drop(label).iter_columns():
        role, reason = _role(column, guess.missing) if column.name else UNNAMED
        guess.roles[role].append(column.name)
        guess.reasons[column.name] = reason
    if not guess.roles["numeric"] and not guess.roles["categorical"]:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(guess.reasons.items())[:5])
        raise ScaffoldError(f"the table has no column to learn from beside the label ({why})")
    used = [label, *guess.roles["numeric"], *guess.roles["categorical"]]
    if (different := table.select(used).n_unique()) < FEWEST_ROWS:
        raise ScaffoldError(
            f"the table has {len(table)} rows, only {different} different ones in what a model "
            f"can use: equal rows go into one split, and {FEWEST_ROWS} different ones are needed"
        )
    return guess


def check_header(header: list[str], label: str) -> None:
    """Refuse a table without the label's column.

    Raises
    ------
    ScaffoldError
        Which columns it has, or what separates them.
    """
    if label in header:
        return
    for separator in (";", "\t", "|"):
        parts = [part.strip(' "') for name in header for part in name.split(separator)]
        if label in parts:
            raise ScaffoldError(
                f"no column {label!r}; the table seems to be separated by {separator!r}: only "
                "commas are read: save it with commas, or as Parquet"
            )
    raise ScaffoldError(f"no column {label!r}; the table has {', '.join(header)}")


def _objective(label: pl.Series) -> Guess:
    name, texts = label.name, read_categories(label, [""])
    _check_present(texts)
    counts = dict(sorted(texts.value_counts().iter_rows()))
    numbers = _numbers(label, [""])
    if len(counts) == 1:
        only = next(iter(counts))
        raise ScaffoldError(f"column {name!r} is {only!r} in every row: nothing to tell apart")
    if len(counts) > 2 and numbers is not None and not _small(numbers):
        _check_precision(name, numbers)
        why = f"{len(counts)} different numbers, {_range(numbers)}"
        return Guess(name, "regression", [], why, ("r2", 0.0))
    if len(counts) > MOST_CLASSES:
        kinds = f"{len(counts)} kinds of text: a label is a number, or has {MOST_CLASSES} at most"
        raise ScaffoldError(f"column {name!r} has {kinds}")
    rarest = min(counts, key=lambda text: counts[text])
    if counts[rarest] < FEWEST_OF_A_CLASS:
        raise ScaffoldError(
            f"column {name!r} is {rarest!r} in {counts[rarest]} rows: with fewer than "
            f"{FEWEST_OF_A_CLASS} a split may get none: join rare classes, or leave them out"
        )
    why = ", ".join(f"{text!r} {count}" for text, count in counts.items())
    objective = "binary" if len(counts) == 2 else "multiclass"
    majority = math.ceil(max(counts.values()) / len(label) * 100) / 100
    gate = ("auc", 0.6) if objective == "binary" else ("accuracy", min(majority, 0.99))
    return Guess(name, objective, list(counts), f"{len(counts)} values: {why} rows", gate)


def _check_present(texts: pl.Series) -> None:
    """Refuse a label that is missing in some rows; a kind may be called `-`, a number not."""
    others = texts.filter(~texts.is_in(MARKERS))
    markers = GONE if _numbers(others, [""]) is None else MARKERS
    found = [repr(marker) for marker in markers if texts.eq(marker).any()]
    gone = texts.null_count() + int(texts.is_in(markers).sum())
    if gone:
        empty = ["empty"] if texts.null_count() else []
        raise ScaffoldError(
            f"column {texts.name!r} is {' or '.join([*empty, *found])} in {gone} of {len(texts)} "
            "rows, which is no label: leave rows without a label out"
        )


def _check_precision(name: str, numbers: pl.Series) -> None:
    """Refuse a label that is hardly told apart in float32, which models compute in."""
    different = numbers.n_unique()
    kept = numbers.cast(pl.Float32).n_unique()
    if kept < FEWEST_KEPT and 2 * kept < different:
        raise ScaffoldError(
            f"column {name!r} has {different} different numbers, only {kept} in float32, which "
            "models compute in: subtract a constant from it"
        )


def _small(numbers: pl.Series) -> bool:
    few = numbers.n_unique() <= MOST_CLASSES
    return few and _whole(numbers) and bool((numbers.abs() < GREATEST_CLASS).all())


def _whole(numbers: pl.Series) -> bool:
    return bool((numbers == numbers.round()).all())


def _role(column: pl.Series, missing: list[str]) -> tuple[str, str]:
    """Guess the role of a column, and say why; texts that mean missing are added."""
    if column.dtype.is_nested() or column.dtype.is_temporal():
        return "ignore", f"{column.dtype}: compute numbers from it in a process step"
    texts = read_categories(column, [""]).drop_nulls()
    kinds = texts.n_unique()
    gone = f", {len(column) - len(texts)} missing" if len(texts) < len(column) else ""
    if kinds < 2:
        return "ignore", "one value throughout" if kinds else "no values"
    numbers = _numbers(column, missing)
    if numbers is None and cells.textual(column):
        found = [marker for marker in MARKERS if texts.eq(marker).any()]
        numbers = _numbers(column, [*missing, *found])
        missing += found if numbers is not None and numbers.len() else []
    if numbers is not None and numbers.n_unique() > 1:
        return _numeric_role(column.name, numbers, len(column), gone)
    for dates, use in (
        (cells.read_iso_times(texts).is_not_null(), "[split] time can use them"),
        (texts.str.contains(_DAY_FIRST), "[split] time can use ISO 8601 ones only: 2026-01-31"),
    ):
        if dates.mean() > 0.9:  # type: ignore[operator]
            return "ignore", f"dates: {use}; as a feature, compute numbers of them"
    if kinds > min(MOST_CATEGORIES, len(column) // 2):
        return "ignore", f"text of {kinds} kinds: too many to learn each"
    return "categorical", f"{kinds} kinds{gone}"


def _numeric_role(name: str, numbers: pl.Series, rows: int, gone: str) -> tuple[str, str]:
    distinct = numbers.n_unique() == rows and _whole(numbers)
    if distinct and re.search(_IDENTIFIER, name):
        return "ignore", "an identifier: another number in each row"
    return "numeric", f"{_range(numbers)}{gone}"


def _range(numbers: pl.Series) -> str:
    values = numbers.to_numpy()
    return f"{values.min():g} to {values.max():g}"


def _numbers(column: pl.Series, missing: list[str]) -> pl.Series | None:
    try:
        return read_numbers(column, missing).drop_nans()
    except TableError:
        return None
