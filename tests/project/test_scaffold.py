from __future__ import annotations

import json
from pathlib import Path

import pytest

from boostline.features.errors import FeatureError
from boostline.project import file, scaffold
from boostline.project.scaffold import ScaffoldError

EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"


def table(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_the_churn_table_makes_a_project(tmp_path: Path) -> None:
    guess = scaffold.create(tmp_path / "mine", "mine", EXAMPLE / "data/churn.csv", "Churn?")
    config = file.read(tmp_path / "mine")
    assert guess.roles["ignore"] == ["Phone"]
    assert "State" in config.features.categorical
    assert "Day Mins" in config.features.numeric
    assert config.spec.classes == ["False.", "True."]
    sample = json.loads((tmp_path / "mine" / scaffold.SAMPLE).read_text())
    assert set(sample) == {*config.features.numeric, *config.features.categorical}


def test_names_that_need_quoting_survive(tmp_path: Path) -> None:
    rows = "\n".join(f"{n},{n % 7},{'yes' if n % 2 else 'no'}" for n in range(20))
    source = table(tmp_path, f'"a ""b"" \\c","ü [x]",y\n{rows}\n')
    scaffold.create(tmp_path / "p", "p", source, "y")
    assert file.read(tmp_path / "p").features.numeric == ['a "b" \\c', "ü [x]"]


def test_a_column_of_one_value_is_ignored(tmp_path: Path) -> None:
    source = table(tmp_path, "a,b,y\n1,x,0\n2,x,1\n3,x,1\n4,x,0\n")
    assert scaffold.create(tmp_path / "p", "p", source, "y").roles["ignore"] == ["b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "no column 'y'; the table has a, b"),
        ("a,y\n1,2\n2,3\n3,4\n", "column 'y' has 3 values"),
        ("a,y\nx,0\nx,1\n", "no column to learn from"),
    ],
)
def test_what_cannot_be_a_project_is_refused_and_leaves_nothing(
    tmp_path: Path, text: str, message: str
) -> None:
    source = table(tmp_path, text)
    with pytest.raises(ScaffoldError, match=message):
        scaffold.create(tmp_path / "p", "p", source, "y")
    assert not (tmp_path / "p").exists()


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeatureError):
        scaffold.create(tmp_path / "p", "p", table(tmp_path, ""), "y")


def test_a_folder_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with pytest.raises(ScaffoldError, match="is there already"):
        scaffold.create(tmp_path / "p", "p", EXAMPLE / "data/churn.csv", "Churn?")
