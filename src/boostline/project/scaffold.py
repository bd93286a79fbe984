"""A new project from a table: the columns' roles guessed, each guess explained in the file."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boostline.contracts.errors import BoostlineError
from boostline.features import columns as cells
from boostline.features.columns import TableError, read_categories, read_numbers
from boostline.features.files import read_table
from boostline.project.config import NAME, NAME_LENGTH
from boostline.project.file import FILE

if TYPE_CHECKING:
    import polars as pl

FEWEST_ROWS = 20
FEWEST_OF_A_CLASS = 10
MOST_CATEGORIES = 60
MOST_CLASSES = 30
GREATEST_CLASS = 100  # greater integers are amounts, not names of classes
MARKERS = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?", "-", ".")
SAMPLE = "sample_request.json"
COMMENTS = {
    "numeric": "every value is a number",
    "categorical": f"text of at most {MOST_CATEGORIES} kinds: each kind has a code",
    "ignore": "not used; a request may have them",
}
GATES = {
    "auc": "0.5 is chance",
    "accuracy": "what always answering the most frequent class reaches",
    "r2": "0 is what always answering the mean reaches",
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


def create(folder: Path, name: str, data: Path, label: str) -> Guess:
    """Make a project's folder: `boostline.toml`, the table (a file or a folder), a sample request.

    Raises
    ------
    ScaffoldError
        If the folder is there already, or the table does not fit.
    """
    if folder.exists():
        raise ScaffoldError(f"{folder}: is there already; choose another name")
    if not re.fullmatch(NAME, name) or len(name) > NAME_LENGTH:
        raise ScaffoldError(f"{name!r}: a project's name must match {NAME}, at most {NAME_LENGTH}")
    if not data.exists():
        raise ScaffoldError(f"{data}: there is no such file")
    files = sorted(data.iterdir()) if data.is_dir() else [data]
    table = read_table(files)
    guess = infer(table, label)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "data").mkdir(parents=True)
    for file in files:
        shutil.copyfile(file, part / "data" / file.name)
    path = "data" if data.is_dir() else f"data/{data.name}"
    (part / SAMPLE).write_text(json.dumps(_sample(table, guess), indent=2, default=str) + "\n")
    (part / FILE).write_text("\n".join(_toml(name, path, guess)) + "\n", encoding="utf-8")
    part.rename(folder)
    return guess


def infer(table: pl.DataFrame, label: str) -> Guess:
    """Guess the objective and the role of each column of a table.

    Raises
    ------
    ScaffoldError
        If no model can be trained of it, with the reason.
    """
    if label not in table.columns:
        raise ScaffoldError(f"no column {label!r}; the table has {', '.join(table.columns)}")
    if len(table) < FEWEST_ROWS:
        raise ScaffoldError(
            f"the table has {len(table)} rows: training, validation and test need "
            f"{FEWEST_ROWS} at least, and a useful model hundreds"
        )
    guess = _objective(table[label])
    for column in table.drop(label).iter_columns():
        role, reason = _role(column, guess.missing)
        guess.roles[role].append(column.name)
        guess.reasons[column.name] = reason
    if not guess.roles["numeric"] and not guess.roles["categorical"]:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(guess.reasons.items())[:5])
        raise ScaffoldError(f"the table has no column to learn from beside the label ({why})")
    return guess


def _objective(label: pl.Series) -> Guess:
    name, texts = label.name, read_categories(label, [""])
    if texts.null_count():
        empty = f"empty in {texts.null_count()} of {len(label)} rows"
        raise ScaffoldError(f"column {name!r} is {empty}: leave rows without a label out")
    counts = dict(sorted(texts.value_counts().iter_rows()))
    numbers = _numbers(label, [""])
    if len(counts) == 1:
        only = next(iter(counts))
        raise ScaffoldError(f"column {name!r} is {only!r} in every row: nothing to tell apart")
    if len(counts) > 2 and numbers is not None and not _small(numbers):
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
    dates = texts.str.contains(_DAY_FIRST) | cells.read_iso_times(texts).is_not_null()
    if dates.mean() > 0.9:  # type: ignore[operator]
        return "ignore", "dates: [split] time can use them; as a feature, compute numbers of them"
    if kinds > min(MOST_CATEGORIES, len(column) // 2):
        return "ignore", f"text of {kinds} kinds: too many to learn each"
    return "categorical", f"{kinds} kinds{gone}"


def _numeric_role(name: str, numbers: pl.Series, rows: int, gone: str) -> tuple[str, str]:
    distinct = numbers.n_unique() == rows and _whole(numbers)
    if distinct and (re.search(_IDENTIFIER, name) or not name):
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


def _sample(table: pl.DataFrame, guess: Guess) -> dict[str, Any]:
    """Make a request: the first values of numbers, the most frequent of categories."""
    read, missing = dict[str, Any](), guess.missing
    for name in guess.roles["numeric"]:
        value = float(read_numbers(table[name], missing).drop_nans()[0])
        read[name] = int(value) if value.is_integer() else value
    for name in guess.roles["categorical"]:
        read[name] = min(read_categories(table[name], missing).drop_nulls().mode())
    return read


def _toml(name: str, path: str, guess: Guess) -> Iterator[str]:
    metric, least = guess.gate
    yield f"[project]\nname = {_text(name)}\n"
    yield f"[data]\npath = {_text(path)}\nlabel = {_text(guess.label)}"
    yield f"objective = {_text(guess.objective)}  # {_comment(guess.why)}"
    if guess.classes:
        last = "  # the last one is what is predicted" if guess.objective == "binary" else ""
        yield f"classes = {_list(guess.classes)}{last}"
    yield f"missing = {_list(guess.missing)}  # texts that mean a missing value\n\n[features]"
    for role, columns in guess.roles.items():
        yield f"# {COMMENTS[role]}"
        lines = (
            f"\n    {_text(column)},  # {_comment(guess.reasons[column])}" for column in columns
        )
        yield f"{role} = [" + "".join(lines) + ("\n]" if columns else "]")
    yield "\n[features.derived]\n# further columns, computed: the same for a table and for a record"
    yield '# ratio = \'col("one column") / col("another")\''
    yield "\n[split]\ntrain = 0.7\nvalidation = 0.15\ntest = 0.15\nseed = 1"
    yield '# by = "customer"  # rows of one value stay together'
    yield '# time = "day"  # the newest rows test\n'
    yield "[train.hyperparameters]\nmax_depth = 5\neta = 0.1\nnum_round = 500"
    yield "early_stopping_rounds = 30\n"
    yield "# no model is registered unless every gate holds on the test split"
    yield f"[[gate]]\nmetric = {_text(metric)}\nmin = {least}  # {GATES[metric]}"


def _text(text: str) -> str:
    """Write a TOML string: JSON's form is one, but for a DEL character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """Keep a comment on its line: control characters are not allowed in it."""
    return "".join(character if character.isprintable() else " " for character in text)


def _list(texts: list[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"
