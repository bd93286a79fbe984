"""A new project from a table: the columns' roles guessed, each guess explained in the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from boostline.contracts.errors import BoostlineError
from boostline.features.columns import TableError, read_categories, read_numbers
from boostline.features.files import read_table
from boostline.features.spec import quote
from boostline.project.file import FILE

if TYPE_CHECKING:
    import polars as pl

MOST_CATEGORIES = 60
SAMPLE = "sample_request.json"
COMMENTS = {
    "numeric": "every value is a number",
    "categorical": f"text of at most {MOST_CATEGORIES} kinds: each kind has a code",
    "ignore": "one value throughout, or text of too many kinds: nothing to learn from",
}


class ScaffoldError(BoostlineError):
    """No project can be made of what was given."""

    exit_code = 2


@dataclass(frozen=True)
class Guess:
    """What a table's columns seem to be."""

    label: str
    classes: list[str]
    roles: dict[str, list[str]]


def create(folder: Path, name: str, data: Path, label: str) -> Guess:
    """Make a project's folder: `boostline.toml`, the table, a sample request.

    Raises
    ------
    ScaffoldError
        If the folder is there already, or the table does not fit.
    """
    if folder.exists():
        raise ScaffoldError(f"{folder}: is there already; choose another name")
    if not data.is_file():
        raise ScaffoldError(f"{data}: there is no such file")
    table = read_table([data])
    guess = infer(table, label)
    sample = table.drop(label, *guess.roles["ignore"]).head(1).to_dicts()[0]
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "data").mkdir(parents=True)
    shutil.copyfile(data, part / "data" / data.name)
    (part / SAMPLE).write_text(json.dumps(sample, indent=2, default=str) + "\n")
    text = "\n".join(_toml(name, f"data/{data.name}", guess))
    (part / FILE).write_text(text + "\n", encoding="utf-8")
    part.rename(folder)
    return guess


def infer(table: pl.DataFrame, label: str) -> Guess:
    """Guess the role of each column of a table.

    Raises
    ------
    ScaffoldError
        If the label is not there, or does not have two classes.
    """
    if label not in table.columns:
        raise ScaffoldError(f"no column {label!r}; the table has {', '.join(table.columns)}")
    classes = sorted(read_categories(table[label], [""]).drop_nulls().unique())
    if len(classes) != 2:
        raise ScaffoldError(
            f"column {label!r} has {len(classes)} values: this version trains binary models, "
            "whose label has two"
        )
    roles: dict[str, list[str]] = {role: [] for role in COMMENTS}
    for column in table.drop(label).iter_columns():
        roles[_role(column)].append(column.name)
    if not roles["numeric"] and not roles["categorical"]:
        raise ScaffoldError("the table has no column to learn from beside the label")
    return Guess(label, classes, roles)


def _role(column: pl.Series) -> str:
    try:
        numbers = read_numbers(column, [""])
    except TableError:
        kinds = column.n_unique()
        return "categorical" if 1 < kinds <= min(MOST_CATEGORIES, len(column) // 2) else "ignore"
    return "numeric" if numbers.n_unique() > 1 else "ignore"


def _toml(name: str, path: str, guess: Guess) -> Iterator[str]:
    yield f"[project]\nname = {_text(name)}\n"
    yield f"[data]\npath = {_text(path)}\nlabel = {_text(guess.label)}"
    yield f"classes = {_list(guess.classes)}  # the last one is what is predicted\n"
    yield "[features]"
    for role, columns in guess.roles.items():
        yield f"# {COMMENTS[role]}"
        yield f"{role} = [" + "".join(f"\n    {_text(column)}," for column in columns) + "\n]"
    yield "\n[features.derived]\n# further columns, computed: the same for a table and for a record"
    yield from _example(guess.roles["numeric"])
    yield "\n[split]\ntrain = 0.7\nvalidation = 0.15\ntest = 0.15\nseed = 1\n"
    yield "[train.hyperparameters]\nmax_depth = 5\neta = 0.1\nnum_round = 500"
    yield "early_stopping_rounds = 30\n"
    yield "# no model is registered unless every gate holds on the test split"
    yield '[[gate]]\nmetric = "auc"\nmin = 0.6'


def _example(numeric: list[str]) -> Iterator[str]:
    if len(numeric) > 1:
        names = [name.replace("\\", "\\\\").replace('"', '\\"') for name in numeric[:2]]
        expression = f'col("{names[0]}") / col("{names[1]}")'
        yield f"# {quote('ratio')} = {_text(expression)}"


def _text(text: str) -> str:
    """Write a TOML string: JSON's form is one."""
    return json.dumps(text, ensure_ascii=False)


def _list(texts: list[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"
