import importlib.util
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.programs import lay_evaluate
from boostline.artifact.errors import ArtifactError
from boostline.artifact.folder import Artifact
from boostline.container.errors import ContainerError
from boostline.container.paths import Paths
from boostline.container.programs.evaluate import run as evaluate
from tests.container.conftest import Folders


def metrics(base: Path) -> dict[str, Any]:
    path = base / "processing" / "output" / "evaluation" / "evaluation.json"
    found: dict[str, Any] = json.loads(path.read_text())["binary_classification_metrics"]
    return found


def test_metrics_in_sagemakers_schema(churn: Folders) -> None:
    found = metrics(churn.evaluate)
    for name in ("accuracy", "auc", "precision", "recall", "f1", "log_loss"):
        assert 0 < found[name]["value"] <= 1
    assert found["accuracy"]["value"] > 0.96
    matrix = found["confusion_matrix"]
    test = pl.read_parquet(churn.processed / "test" / "test.parquet")
    right = matrix["0"]["0"] + matrix["1"]["1"]
    assert right / len(test) == pytest.approx(found["accuracy"]["value"])
    assert matrix["1"]["0"] + matrix["1"]["1"] == test["Churn?"].sum()


def test_parity_with_the_native_engine(churn: Folders) -> None:
    report = json.loads((churn.evaluated / "report" / "parity.json").read_text())
    if importlib.util.find_spec("daal4py") is None:
        assert report["engine"] == "native"
        assert "daal4py" in report["reason"]
        return
    assert report["engine"] == "onedal"
    assert report["agrees"] is True
    assert report["max_difference"] <= report["tolerance"] < 1e-5
    assert report["rows"] == len(pl.read_parquet(churn.processed / "test" / "test.parquet"))


def test_an_undefined_metric_is_left_out_and_named(
    churn: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_evaluate(tmp_path, churn.process, churn.train)
    path = tmp_path / "processing/input/test/test.parquet"
    pl.read_parquet(path).filter(pl.col("Churn?") == 0).write_parquet(path)
    evaluate(Paths(tmp_path))
    assert "auc is not defined" in capsys.readouterr().err
    assert "auc" not in metrics(tmp_path)


def test_a_corrupt_artifact_is_refused(churn: Folders, tmp_path: Path) -> None:
    lay_evaluate(tmp_path, churn.process, churn.train)
    archive = tmp_path / "processing/input/model/model.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(ArtifactError, match=r"model\.tar\.gz"):
        evaluate(Paths(tmp_path))


def test_features_of_another_contract_are_refused(
    churn: Folders, tmp_path: Path, artifact: Artifact
) -> None:
    lay_evaluate(tmp_path, churn.process, churn.train)
    path = tmp_path / "processing/input/test/test.parquet"
    pl.read_parquet(path).drop(artifact.contract.columns[0]).write_parquet(path)
    with pytest.raises(ContainerError, match="not those of the feature contract"):
        evaluate(Paths(tmp_path))
