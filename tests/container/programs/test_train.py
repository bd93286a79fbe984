import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.programs import lay_train, read_example
from boostline.artifact.folder import Artifact, open_artifact
from boostline.container.errors import ContainerError
from boostline.container.paths import Paths
from boostline.container.programs.train import run as train
from tests.container.conftest import Folders

pytestmark = pytest.mark.slow

FAST = {"num_round": "5", "early_stopping_rounds": "0"}


def test_the_artifact_is_whole(artifact: Artifact, churn: Folders) -> None:
    manifest = artifact.manifest
    assert (manifest.flavor, manifest.objective) == ("xgboost", "binary")
    assert manifest.classes == ["False.", "True."]
    assert manifest.threshold is not None
    assert 0 < manifest.threshold < 1
    assert manifest.metrics["accuracy"] > 0.96
    assert len(artifact.golden.records) == 20
    members = {"features.json", "golden.json", "model.json", "model.ubj"}
    assert {path.name for path in churn.model.iterdir()} == members


def test_the_same_input_gives_the_same_bytes(churn: Folders, tmp_path: Path) -> None:
    # Numbers that are written as JSON numbers, not as text, mean the same.
    given = read_example().hyperparameters
    numbers: dict[str, Any] = {
        name: value if value.isalpha() or "_" in value else json.loads(value)
        for name, value in given.items()
    }
    lay_train(tmp_path, churn.process, numbers)
    train(Paths(tmp_path))
    for path in churn.model.iterdir():
        assert (tmp_path / "model" / path.name).read_bytes() == path.read_bytes()


def test_a_given_threshold_is_kept(churn: Folders, tmp_path: Path) -> None:
    lay_train(tmp_path, churn.process, FAST | {"threshold": "0.25"})
    train(Paths(tmp_path))
    manifest = open_artifact(tmp_path / "model").manifest
    assert manifest.threshold == 0.25
    assert manifest.best_iteration == 4


def test_progress_is_readable_by_metric_expressions(
    churn: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_train(tmp_path, churn.process, FAST)
    train(Paths(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:6]] == [f"[{i}]" for i in range(5)]
    assert " validation-auc:0." in lines[6]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_dept": "3"}, "nearest known is 'max_depth'"),
        ({"max_depth": "deep"}, "'deep' is not an integer"),
        ({"flavor": "prophet"}, "unknown flavor 'prophet': known are xgboost, lightgbm, "),
        ({"flavor": "code"}, r"models that \[train\] code trains"),
    ],
)
def test_mistakes_are_told(
    churn: Folders, tmp_path: Path, given: dict[str, str], message: str
) -> None:
    lay_train(tmp_path, churn.process, given)
    with pytest.raises(ContainerError, match=message):
        train(Paths(tmp_path))
    assert not (tmp_path / "model").exists()


def test_a_missing_channel_is_named(churn: Folders, tmp_path: Path) -> None:
    lay_train(tmp_path, churn.process, FAST)
    (tmp_path / "input/data/validation/validation.parquet").unlink()
    with pytest.raises(ContainerError, match="input 'validation': no files"):
        train(Paths(tmp_path))


def test_broken_golden_records_are_named(churn: Folders, tmp_path: Path) -> None:
    lay_train(tmp_path, churn.process, FAST)
    (tmp_path / "input/data/contract/golden_records.json").write_text("{}")
    with pytest.raises(ContainerError, match=r"golden_records\.json"):
        train(Paths(tmp_path))
