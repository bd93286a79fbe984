"""The examples of the other flavors: the churn table, trained, evaluated and served."""

import json
import tomllib
from pathlib import Path

import pytest

from benchmarks.programs import EXAMPLE, lay_evaluate, lay_train
from boostline.artifact.folder import open_artifact
from boostline.container.loading import load_model
from boostline.container.paths import Paths
from boostline.container.programs import evaluate, train
from boostline.container.programs.scoring import Request, Scorer
from tests.container.conftest import Folders

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "engine"), [("lightgbm", "onedal"), ("catboost", "onedal"), ("scikit_learn", "native")]
)
def test_its_gates_hold_and_it_serves(
    churn: Folders, tmp_path: Path, name: str, engine: str
) -> None:
    folder = EXAMPLE.parent / name
    project, base = (
        tomllib.loads((where / "boostline.toml").read_text()) for where in (folder, EXAMPLE)
    )
    assert (folder / project["data"]["path"]).resolve() == EXAMPLE / base["data"]["path"]
    for section in ("features", "split"):  # so the rows are those of the churn example
        assert project[section] == base[section]
    values = project["train"]["hyperparameters"] | {"flavor": project["train"]["flavor"]}
    lay_train(tmp_path / "t", churn.process, {key: str(value) for key, value in values.items()})
    train.run(Paths(tmp_path / "t"))
    lay_evaluate(tmp_path / "e", churn.process, tmp_path / "t")
    evaluate.run(Paths(tmp_path / "e"))
    report = tmp_path / "e" / "processing" / "output" / "evaluation" / "evaluation.json"
    metrics = json.loads(report.read_text())["binary_classification_metrics"]
    for gate in project["gate"]:
        assert metrics[gate["metric"]]["value"] >= gate["min"]
    loaded = load_model(open_artifact(tmp_path / "t" / "model"))
    assert loaded.choice.engine.name == engine, loaded.choice.reason
    sample = (folder / "sample_request.json").read_bytes()
    answer = json.loads(Scorer(loaded).score(Request(sample, "application/json")).body)
    assert answer["predictions"][0]["label"] == "False."
