"""A new project from a table: the columns' roles guessed, each guess explained in the file."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boostline.features.columns import read_categories, read_numbers
from boostline.features.files import is_table, read_header, read_table
from boostline.project import delivery as deliveries
from boostline.project.config import NAME, NAME_LENGTH, SAMPLE
from boostline.project.delivery import Delivery
from boostline.project.file import FILE, read
from boostline.project.guess import COMMENTS, Guess, ScaffoldError, check_header, infer

if TYPE_CHECKING:
    import polars as pl

GATES = {
    "auc": "0.5 is chance",
    "accuracy": "what always answering the most frequent class reaches",
    "r2": "0 is what always answering the mean reaches",
}


def create(
    folder: Path, name: str, data: Path, label: str, delivery: Delivery = Delivery.NONE
) -> Guess:
    """Make a project's folder: `boostline.toml`, the table (a file or a folder), a sample request.

    With `delivery`, also the files that bring it to production.

    Raises
    ------
    ScaffoldError
        If the folder is there already, or the table does not fit.
    ProjectError
        If the guesses make no valid project. After either, nothing is left behind.
    """
    if folder.exists():
        raise ScaffoldError(f"{folder}: is there already; choose another name")
    if not re.fullmatch(NAME, name) or len(name) > NAME_LENGTH:
        raise ScaffoldError(f"{name!r}: a project's name must match {NAME}, at most {NAME_LENGTH}")
    if not data.exists():
        raise ScaffoldError(f"{data}: there is no such file")
    files = _files(data)
    check_header(read_header(list(files.values())), label)
    table = read_table(list(files.values()))
    guess = infer(table, label)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        (part / "data").mkdir(parents=True)
        for copy, file in files.items():
            shutil.copyfile(file, part / "data" / copy)
        path = "data" if data.is_dir() else f"data/{next(iter(files))}"
        (part / SAMPLE).write_text(json.dumps(_sample(table, guess), indent=2, default=str) + "\n")
        (part / FILE).write_text("\n".join(_toml(name, path, guess)) + "\n", encoding="utf-8")
        deliveries.write(part, delivery)
        read(part)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return guess


def _files(data: Path) -> dict[str, Path]:
    """List the files of a table by the names of their copies; other files of a folder are none."""
    found = sorted(data.iterdir()) if data.is_dir() else [data]
    if data.is_dir():
        visible = (path for path in found if not path.name.startswith((".", "_")))
        found = [path for path in visible if is_table(path) and path.is_file()]
    files = {path.stem + path.suffix.lower(): path for path in found}
    if len(files) < len(found):
        raise ScaffoldError(f"{data}: two files differ only in the case of their ending: .csv")
    return files


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
