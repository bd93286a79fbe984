"""Tables that have nothing to do with churn, from `boostline new` to an answer of the API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sklearn import datasets

from tests.e2e.line import ROOT, Api, Line

pytestmark = pytest.mark.slow
KINDS = {
    "breast-cancer": (datasets.load_breast_cancer, {"prediction", "label", "score", "threshold"}),
    "wine": (datasets.load_wine, {"prediction", "label", "score", "scores"}),
    "diabetes": (datasets.load_diabetes, {"prediction", "score"}),
}


def deployed(line: Line, project: Path) -> Api:
    line.run("models", "approve", project=project)
    made = line.json("deploy", project=project)
    return Api(made["url"], made["apiKey"])


def write(folder: Path, name: str) -> Path:
    found = KINDS[name][0]()
    table = pl.DataFrame(found.data, schema=list(found.feature_names))
    path = folder / f"{name}.csv"
    table.with_columns(target=pl.Series(found.target)).write_csv(path)
    return path


@pytest.mark.parametrize("name", KINDS)
def test_a_table_becomes_an_api(line: Line, tmp_path: Path, name: str) -> None:
    table = write(tmp_path, name)
    line.run("new", name, "--data", table, "--target", "target", project=tmp_path)
    project = tmp_path / name
    execution = line.json("run", project=project)
    assert execution["status"] == "Succeeded"
    api = deployed(line, project)
    status, answer = api.post((project / "sample_request.json").read_bytes())
    assert status == 200
    assert set(answer) == {*KINDS[name][1], "model", "requestId"}
    status, answer = api.post(b"{}")
    assert (status, answer["error"]["code"]) == (400, "invalid_record")


def test_a_random_forest_of_the_users_own(line: Line, tmp_path: Path) -> None:
    """The user's own scikit-learn code, through to the API, with no image built."""
    project = ROOT / "examples/random_forest"
    assert len((project / "train.py").read_text().splitlines()) <= 30
    execution = line.json("run", project=project)
    assert execution["status"] == "Succeeded"
    api = deployed(line, project)
    status, answer = api.post((project / "sample_request.json").read_bytes())
    assert status == 200
    assert 0 <= answer["score"] <= 1


def test_a_worse_model_than_the_approved_one_is_not_registered(
    line: Line, tmp_path: Path, api: Api
) -> None:
    """The gate reads the difference to the approved version on the same rows."""
    gate = '[[gate]]\nmetric = "auc"\nmax_drop = 0.005\n\n[deploy]'
    same = line.copy(tmp_path / "same", ("[deploy]", gate))
    first = line.json("run", project=same)
    assert first["status"] == "Succeeded"
    drops = [gate for gate in first["gates"] if "drop" in gate["gate"]]
    assert [gate["value"] for gate in drops] == [0.0]
    worse = line.copy(
        tmp_path / "worse",
        ("[deploy]", gate),
        ("max_depth = 6", "max_depth = 1"),
        ("num_round = 500", "num_round = 2"),
        ("min = 0.95", "min = 0.1"),
        ("min = 0.9", "min = 0.1"),
        ("min = 0.8", "min = 0.0"),
    )
    done = line.run("run", code=1, project=worse)
    assert "auc below the approved version is 0." in done.stderr
    assert "the largest drop 0.005 does not hold" in done.stderr
    assert line.json("run", "--no-champion", project=worse)["status"] == "Succeeded"


def user_error(project: Path, role: str, text: str) -> None:
    (project / "mine.py").write_text(text)
    file = project / "boostline.toml"
    file.write_text(file.read_text() + f'\n[{role}]\ncode = "mine.py"\n')


@pytest.mark.parametrize("role", ["process", "evaluate"])
def test_an_error_in_the_users_code_names_file_and_line(
    line: Line, tmp_path: Path, role: str
) -> None:
    project = line.copy(tmp_path)
    arguments = {"process": "table, context", "evaluate": "model, table, context"}[role]
    user_error(project, role, f"def {role}({arguments}):\n    x = 1\n    return x / 0\n")
    done = line.run("run", code=1, project=project)
    assert "mine.py" in done.stderr
    assert "line 3" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_process_and_evaluate_code_of_the_users_own(line: Line, tmp_path: Path) -> None:
    project = line.copy(tmp_path, ('name = "customer-churn"', 'name = "own-churn"'))
    user_error(
        project,
        "process",
        "import polars as pl\n\n\ndef process(table, context):\n"
        "    return table.filter(pl.col('State') != 'CA')\n",
    )
    (project / "score.py").write_text(
        "def evaluate(model, table, context):\n    return {'rows': float(len(table))}\n"
    )
    file = project / "boostline.toml"
    text = file.read_text() + '\n[evaluate]\ncode = "score.py"\nslices = ["Area Code"]\n'
    file.write_text(text + '\n[[gate]]\nmetric = "rows"\nmin = 100\n')
    execution: Any = line.json("run", project=project)
    assert execution["status"] == "Succeeded"
    assert execution["metrics"]["rows"] >= 100
    assert "CA" not in json.dumps(execution["gates"])
