from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest
from sklearn import datasets

from boostline.container.paths import Paths
from boostline.container.programs.process import run as process
from boostline.features.errors import FeatureError
from boostline.pipeline.data import job_config
from boostline.project import file, scaffold
from boostline.project.guess import Guess, ScaffoldError

EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"
ROWS = 120
Y = ["no", "yes"] * (ROWS // 2)


def write(folder: Path, columns: Mapping[str, Sequence[object]] | pl.DataFrame) -> Path:
    path = folder / "table.csv"
    pl.DataFrame(columns).write_csv(path)
    return path


def guess_of(folder: Path, columns: Mapping[str, Sequence[object]] | pl.DataFrame) -> Guess:
    """Make a project, read it back, and process its table as its pipeline would."""
    guess = scaffold.create(folder / "p", "p", write(folder, columns), "y")
    run_process(folder)
    return guess


def run_process(folder: Path) -> None:
    config = file.read(folder / "p")
    inputs = folder / "job" / "processing" / "input"
    (inputs / "config").mkdir(parents=True)
    (inputs / "config" / "config.json").write_bytes(job_config(config))
    (inputs / "data").symlink_to(folder / "p" / "data")
    process(Paths(folder / "job"))


def learned(name: str) -> pl.DataFrame:
    data = getattr(datasets, f"load_{name}")()
    table = pl.DataFrame(data.data, schema=[str(text) for text in data.feature_names])
    return table.with_columns(pl.Series("y", data.target))


def test_the_churn_table_makes_a_project(tmp_path: Path) -> None:
    guess = scaffold.create(tmp_path / "p", "mine", EXAMPLE / "data/churn.csv", "Churn?")
    config = file.read(tmp_path / "p")
    assert guess.roles["ignore"] == ["Phone"]
    assert "State" in config.features.categorical
    assert "Day Mins" in config.features.numeric
    assert config.spec.classes == ["False.", "True."]
    sample = json.loads(config.sample.read_text())
    assert set(sample) == {*config.features.numeric, *config.features.categorical}
    assert sample["Day Mins"] == 265.1
    run_process(tmp_path)


@pytest.mark.parametrize(
    ("name", "objective", "classes", "gate"),
    [
        ("breast_cancer", "binary", ["0", "1"], "auc >= 0.6"),
        ("wine", "multiclass", ["0", "1", "2"], "accuracy >= 0.4"),
        ("diabetes", "regression", None, "r2 >= 0"),
    ],
)
def test_the_objective_is_guessed(
    tmp_path: Path, name: str, objective: str, classes: list[str] | None, gate: str
) -> None:
    guess_of(tmp_path, learned(name))
    config = file.read(tmp_path / "p")
    assert (config.data.objective, config.spec.classes) == (objective, classes)
    assert [str(found) for found in config.gate] == [gate]
    assert config.features.ignore == []


# Columns, the role that they should have, and what the reason should say.
EVERY_KIND: list[tuple[str, Sequence[object], str, str]] = [
    ("amount", [i / 2 for i in range(ROWS)], "numeric", "0 to 59.5"),
    ("text amount", ["NA", *range(1, ROWS)], "numeric", "1 to 119"),
    ("holes", [None, *range(1, ROWS)], "numeric", "1 missing"),
    ("kind", ["a", "b", "c", "d"] * (ROWS // 4), "categorical", "4 kinds"),
    ("flag", [True, False] * (ROWS // 2), "categorical", "2 kinds"),
    ("empty", [None] * ROWS, "ignore", "no values"),
    ("constant", [7] * ROWS, "ignore", "one value"),
    ("name", [f"name {i}" for i in range(ROWS)], "ignore", "text of 120 kinds"),
    ("customer_id", list(range(1000, 1000 + ROWS)), "ignore", "an identifier"),
    ("userID", list(range(5, 5 + ROWS)), "ignore", "an identifier"),
    ("paid", list(range(5, 5 + ROWS)), "numeric", "5 to 124"),
    ("day", [f"2026-01-{1 + i % 28:02}" for i in range(ROWS)], "ignore", "dates"),
    ("moment", [f"2026-01-{1 + i % 28:02} 12:00" for i in range(ROWS)], "ignore", "dates"),
    ("european", [f"{1 + i % 28}.1.2026" for i in range(ROWS)], "ignore", "ISO 8601 ones only"),
]


@pytest.mark.parametrize(
    ("name", "values", "role", "reason"), EVERY_KIND, ids=lambda value: str(value)[:9]
)
def test_roles_are_guessed_and_explained(
    tmp_path: Path, name: str, values: Sequence[object], role: str, reason: str
) -> None:
    column = (
        pl.Series(name, values, strict=False)
        if None in values
        else pl.Series(name, map(str, values))
    )
    guess = guess_of(
        tmp_path, pl.DataFrame([column, pl.Series("n", range(ROWS)), pl.Series("y", Y)])
    )
    assert name in guess.roles[role]
    assert reason in guess.reasons[name]
    assert f'"{name}",  # {guess.reasons[name]}' in (tmp_path / "p" / file.FILE).read_text()


def test_types_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    days = pl.date_range(pl.date(2026, 1, 1), pl.date(2026, 4, 30), eager=True)
    flags = [True, False, None, True] * (ROWS // 4)
    table = {"day": days, "list": [[1]] * ROWS, "flag": flags, "n": range(ROWS), "y": Y}
    pl.DataFrame(table).write_parquet(path)
    guess = scaffold.create(tmp_path / "p", "p", path, "y")
    assert guess.roles == {"numeric": ["n"], "categorical": ["flag"], "ignore": ["day", "list"]}
    run_process(tmp_path)


def test_markers_of_missing_values_are_found(tmp_path: Path) -> None:
    guess = guess_of(tmp_path, {"a": ["?", *map(str, range(1, ROWS))], "y": Y})
    assert guess.missing == ["", "?"]
    assert file.read(tmp_path / "p").data.missing == ["", "?"]


def test_three_hundred_columns(tmp_path: Path) -> None:
    columns = {f"c{place}": [i * place % 17 for i in range(ROWS)] for place in range(1, 301)}
    guess = guess_of(tmp_path, columns | {"y": Y})
    assert guess.roles["ignore"] == [f"c{place}" for place in range(17, 301, 17)]  # all zeros
    assert len(guess.roles["numeric"]) == 283


def test_names_that_need_quoting_survive(tmp_path: Path) -> None:
    names = ['a "b" \\c', "ü [x]", "tab\there"]
    guess_of(tmp_path, {name: list(range(ROWS)) for name in names} | {"y": Y})
    assert file.read(tmp_path / "p").features.numeric == names


def test_a_folder_of_files(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    for place in range(2):
        write(folder, {"a": list(range(ROWS)), "y": Y}).rename(folder / f"{place}.csv")
    for other in ("README.md", ".DS_Store", "_notes.csv"):
        (folder / other).write_text("no table")
    scaffold.create(tmp_path / "p", "p", folder, "y")
    run_process(tmp_path)
    summary = json.loads((tmp_path / "job/processing/output/summary/summary.json").read_text())
    assert summary["rows"]["total"] == 2 * ROWS


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1], "b": [2]}, "no column 'y'; the table has a, b"),
        ({"a": [1, 2], "y": [0, 1]}, "the table has 2 rows"),
        ({"a": range(ROWS), "y": ["no"] * ROWS}, "is 'no' in every row"),
        ({"a": range(ROWS), "y": [*["no"] * 117, *["yes"] * 3]}, "is 'yes' in 3 rows"),
        ({"a": range(ROWS), "y": [*Y[1:], None]}, "empty in 1 of 120 rows"),
        ({"a": range(ROWS), "y": [*Y[3:], None, "NA", "?"]}, r"empty or 'NA' or '\?' in 3 of 120"),
        ({"a": range(ROWS), "y": ["-", *map(str, range(1, ROWS))]}, "is '-' in 1 of 120 rows"),
        ({"a": range(ROWS), "y": [2e9 + i for i in range(ROWS)]}, "only 2 in float32"),
        ({"a": [0, 0, 1, 1] * (ROWS // 4), "y": Y}, "120 rows, only 4 different ones"),
        ({"a": range(ROWS), "y": [f"k{i}" for i in range(ROWS)]}, "120 kinds of text"),
        ({"a": ["x"] * ROWS, "b": [None] * ROWS, "y": Y}, "no column to learn from .*a: one value"),
    ],
)
def test_what_cannot_be_a_project_is_refused_and_leaves_nothing(
    tmp_path: Path, columns: Mapping[str, Sequence[object]], message: str
) -> None:
    source = write(tmp_path, columns)
    with pytest.raises(ScaffoldError, match=message):
        scaffold.create(tmp_path / "p", "p", source, "y")
    assert not (tmp_path / "p").exists()


def test_an_index_without_a_name_is_ignored(tmp_path: Path) -> None:
    lines = [",a,y", *(f"{row},{row * 2},{label}" for row, label in enumerate(Y))]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    guess = scaffold.create(tmp_path / "p", "p", path, "y")
    assert guess.roles == {"numeric": ["a"], "categorical": [], "ignore": [""]}
    run_process(tmp_path)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_another_separator_is_named(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "table.csv"
    pl.DataFrame({"a": ["1,5"] * ROWS, "y": Y}).write_csv(path, separator=separator)
    with pytest.raises(ScaffoldError, match="no column 'y'; the table seems to be separated by"):
        scaffold.create(tmp_path / "p", "p", path, "y")


def test_a_kind_of_label_may_be_called_as_a_marker(tmp_path: Path) -> None:
    guess = guess_of(tmp_path, {"a": range(ROWS), "y": ["-", "+"] * (ROWS // 2)})
    assert guess.classes == ["+", "-"]


def test_guesses_that_make_no_project_leave_nothing(tmp_path: Path) -> None:
    source = write(tmp_path, {"a": ["-", *map(str, range(1, ROWS))], "y": ["-", "+"] * 60})
    with pytest.raises(file.ProjectError, match="class that means a missing value"):
        scaffold.create(tmp_path / "p", "p", source, "y")
    assert list(tmp_path.iterdir()) == [source]


def test_a_table_in_capitals(tmp_path: Path) -> None:
    source = write(tmp_path, {"a": range(ROWS), "y": Y}).rename(tmp_path / "TABLE.CSV")
    scaffold.create(tmp_path / "p", "p", source, "y")
    assert file.read(tmp_path / "p").data.path == "data/TABLE.csv"
    run_process(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("")
    with pytest.raises(FeatureError):
        scaffold.create(tmp_path / "p", "p", tmp_path / "table.csv", "y")


def test_a_folder_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with pytest.raises(ScaffoldError, match="is there already"):
        scaffold.create(tmp_path / "p", "p", EXAMPLE / "data/churn.csv", "Churn?")
