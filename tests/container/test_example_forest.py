"""The example of one's own training code, through the programs to a served score."""

import json
import shutil
import tomllib
from pathlib import Path

import pytest

from benchmarks.programs import EXAMPLE, lay_evaluate, lay_process, lay_train, run
from boostline.artifact.folder import open_artifact
from boostline.container.loading import load_model
from boostline.container.programs.scoring import Request, Scorer

FOREST = EXAMPLE.parent / "random_forest"


@pytest.mark.slow
def test_the_forest_is_trained_evaluated_and_served(tmp_path: Path) -> None:
    project = tomllib.loads((FOREST / "boostline.toml").read_text())
    assert len((FOREST / "train.py").read_text().splitlines()) <= 30
    process, train, evaluate = (tmp_path / name for name in ("process", "train", "evaluate"))
    features = project["features"] | {name: project["data"][name] for name in ("label", "classes")}
    lay_process(process, [FOREST / project["data"]["path"]], features, project["split"])
    assert run("process", process).returncode == 0
    values = project["train"]["hyperparameters"]
    lay_train(train, process, {name: str(value) for name, value in values.items()})
    code = train / "input" / "data" / "code" / "train"
    code.mkdir(parents=True)
    shutil.copy(FOREST / project["train"]["code"], code)
    done = run("train", train)
    assert "100 trees, validation accuracy 0.9" in done.stdout, done.stderr
    lay_evaluate(evaluate, process, train)
    assert run("evaluate", evaluate).returncode == 0
    report = evaluate / "processing" / "output" / "evaluation" / "evaluation.json"
    metrics = json.loads(report.read_text())["binary_classification_metrics"]
    for gate in project["gate"]:
        assert metrics[gate["metric"]]["value"] >= gate["min"]
    scorer = Scorer(load_model(open_artifact(train / "model")))
    sample = (FOREST / "sample_request.json").read_bytes()
    answer = json.loads(scorer.score(Request(sample, "application/json")).body)["predictions"][0]
    assert answer["label"] == "False."
    assert 0 <= answer["score"] < 0.5
