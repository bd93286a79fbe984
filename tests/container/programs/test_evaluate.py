import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from sklearn.datasets import load_diabetes, load_wine

from benchmarks.programs import lay_evaluate, lay_process, lay_train, read_example
from boostline.artifact.errors import ArtifactError
from boostline.artifact.folder import Artifact, open_artifact, seal
from boostline.container.errors import ContainerError
from boostline.container.paths import Paths
from boostline.container.programs.evaluate import run as evaluate
from boostline.container.programs.process import run as process
from boostline.container.programs.train import run as train
from boostline.container.report.plots import PLOTS
from boostline.contracts.archives import pack
from boostline.contracts.metrics import METRICS, drop_path, path
from tests.container.conftest import Folders

pytestmark = pytest.mark.slow


def document(base: Path) -> dict[str, Any]:
    file = base / "processing" / "output" / "evaluation" / "evaluation.json"
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def metrics(base: Path) -> dict[str, Any]:
    found: dict[str, Any] = document(base)["binary_classification_metrics"]
    return found


def at(document: Any, place: str) -> Any:
    for name in place.split("."):
        document = document[name]
    return document


Lay = Callable[..., Path]


@pytest.fixture
def lay(churn: Folders, tmp_path: Path) -> Lay:
    """Lay out an evaluation with the inputs that are asked for."""

    def laid(
        *, slices: list[str] | None = None, code: str = "", champion: Path | None = None
    ) -> Path:
        lay_evaluate(tmp_path, churn.process, churn.train)
        inputs = tmp_path / "processing" / "input"
        for name in ("config", "code", "champion"):
            (inputs / name).mkdir()
        shutil.copytree(churn.processed / "rows", inputs / "rows")
        config = {"version": 1, "slices": slices or []}
        (inputs / "config" / "config.json").write_text(json.dumps(config))
        if code:
            (inputs / "code" / "mine.py").write_text(code)
        if champion:
            pack(champion, inputs / "champion" / "model.tar.gz")
        else:
            (inputs / "champion" / "none").write_text("")
        return tmp_path

    return laid


@pytest.fixture(scope="module")
def older(churn: Folders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained before, on the same features and not as well."""
    base = tmp_path_factory.mktemp("older")
    chosen = {"num_round": "15", "max_depth": "3", "threshold": "0.3"}
    lay_train(base, churn.process, read_example().hyperparameters | chosen)
    train(Paths(base))
    return base / "model"


def of_classes(model: Path, folder: Path, classes: list[str]) -> Path:
    """Copy a model, its classes named otherwise."""
    shutil.copytree(model, folder)
    old = open_artifact(model)
    contract = msgspec.structs.replace(old.contract, classes=classes)
    seal(folder, contract, msgspec.structs.replace(old.manifest, classes=classes), old.golden)
    return folder


def test_metrics_in_sagemakers_schema(churn: Folders) -> None:
    found = metrics(churn.evaluate)
    for name in METRICS["binary"]:
        assert 0 <= at(document(churn.evaluate), path("binary", name)) <= 1
        assert found[name]["standard_deviation"] >= 0
    assert found["accuracy"]["value"] > 0.96
    matrix = found["confusion_matrix"]
    test = pl.read_parquet(churn.processed / "test" / "test.parquet")
    right = matrix["0"]["0"] + matrix["1"]["1"]
    assert right / len(test) == pytest.approx(found["accuracy"]["value"])
    assert matrix["1"]["0"] + matrix["1"]["1"] == test["Churn?"].sum()


def test_the_report_is_there(churn: Folders) -> None:
    folder = churn.evaluated / "report"
    page = (folder / "report.html").read_text()
    for name in ("roc", "precision_recall", "calibration", "confusion", "scores", "importance"):
        assert (folder / f"{name}.svg").read_text() in page
    assert json.loads((folder / "slices.json").read_text()) == {"version": 1, "slices": []}
    assert "Total Charge" in page


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


def test_without_a_champion_nothing_is_worse(lay: Lay) -> None:
    base = lay()
    evaluate(Paths(base))
    found = document(base)
    assert found["champion_comparison"]["present"] is False
    for name in METRICS["binary"]:
        assert at(found, drop_path(name)) == 0.0


def test_a_champion_is_measured_on_the_same_rows(lay: Lay, older: Path) -> None:
    base = lay(champion=older)
    evaluate(Paths(base))
    compared = document(base)["champion_comparison"]
    champion = open_artifact(older).manifest
    assert compared["present"] is True
    assert (compared["artifact"], compared["threshold"]) == (champion.artifact, 0.3)
    for name in METRICS["binary"]:
        assert compared[name]["challenger"]["value"] == metrics(base)[name]["value"]
    assert compared["auc"]["drop"]["value"] == pytest.approx(
        compared["auc"]["champion"]["value"] - compared["auc"]["challenger"]["value"]
    )
    assert compared["log_loss"]["champion"]["value"] > compared["log_loss"]["challenger"]["value"]
    assert compared["log_loss"]["drop"]["value"] < 0
    assert "<th>champion</th>" in (base / "processing/output/report/report.html").read_text()


def test_a_model_is_no_worse_than_itself(lay: Lay, churn: Folders) -> None:
    base = lay(champion=churn.model)
    evaluate(Paths(base))
    found = document(base)
    assert {at(found, drop_path(name)) for name in METRICS["binary"]} == {0.0}


def test_a_champion_of_other_classes_is_refused(lay: Lay, churn: Folders, tmp_path: Path) -> None:
    changed = of_classes(churn.model, tmp_path / "other", ["True.", "False."])
    message = r"the champion cannot be scored .*: its classes is \['True\.', 'False\.'\]"
    with pytest.raises(ContainerError, match=message):
        evaluate(Paths(lay(champion=changed)))


def test_a_champion_that_needs_a_column_that_is_gone_is_refused(lay: Lay, older: Path) -> None:
    base = lay(champion=older)
    path = base / "processing/input/rows/rows.parquet"
    rows = pl.read_parquet(path).drop("Day Mins")
    rows.write_parquet(path)
    with pytest.raises(Exception, match="Day Mins"):
        evaluate(Paths(base))


def test_a_corrupt_champion_is_refused(lay: Lay, older: Path) -> None:
    base = lay(champion=older)
    archive = base / "processing/input/champion/model.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(ContainerError, match="the champion cannot be scored"):
        evaluate(Paths(base))
    assert not (base / "processing/output/evaluation").exists()


def test_slices_add_up_to_the_whole(lay: Lay) -> None:
    base = lay(slices=["Int'l Plan", "State"])
    evaluate(Paths(base))
    found = json.loads((base / "processing/output/report/slices.json").read_text())
    test = pl.read_parquet(base / "processing/input/test/test.parquet")
    assert [item["column"] for item in found["slices"]] == ["Int'l Plan", "State"]
    for item in found["slices"]:
        counts = [group["rows"] for group in item["groups"]]
        assert sum(counts) == len(test)
        assert counts == sorted(counts, reverse=True)
        right = sum(group["rows"] * group["metrics"]["accuracy"] for group in item["groups"])
        assert right / len(test) == pytest.approx(metrics(base)["accuracy"]["value"])
        assert all(group["few"] == (group["rows"] < 20) for group in item["groups"])
    assert "auc" not in found["slices"][1]["groups"][-1]["metrics"]
    assert "State: 51 groups" in (base / "processing/output/report/report.html").read_text()


@pytest.mark.parametrize("column", ["Day Mins", "Churn?", "nowhere"])
def test_a_slice_by_what_is_no_category_is_refused(lay: Lay, column: str) -> None:
    with pytest.raises(ContainerError, match=r"slices: .*is no categorical feature: there are"):
        evaluate(Paths(lay(slices=[column])))


def test_slices_need_the_raw_rows(lay: Lay) -> None:
    base = lay(slices=["State"])
    shutil.rmtree(base / "processing/input/rows")
    with pytest.raises(ContainerError, match="a slice by 'State' needs the raw test rows"):
        evaluate(Paths(base))


def test_raw_rows_in_another_order_are_refused(lay: Lay) -> None:
    base = lay()
    path = base / "processing/input/rows/rows.parquet"
    pl.read_parquet(path).reverse().write_parquet(path)
    with pytest.raises(ContainerError, match="not those of the test split, in order"):
        evaluate(Paths(base))


PAGE = Path(__file__).parents[3] / "docs" / "evaluation.md"
DOCUMENTED = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
OWN = f"""
import numpy as np
{DOCUMENTED}
documented = evaluate

def evaluate(model, table, context):
    (context.folder / "notes.txt").write_text(type(model).__name__)
    missed = (context.scores < context.threshold) & (context.labels == 1)
    more = {{"missed": np.int64(missed.sum()), "undefined": float("nan")}}
    more |= documented(model, table, context)
    for rows in (context.features, context.labels, context.scores):
        rows.fill(0)  # its own: the report is of what was scored
    return more
"""


def test_the_users_own_metrics(lay: Lay, capsys: pytest.CaptureFixture[str]) -> None:
    base = lay(code=OWN, slices=["Int'l Plan"])
    evaluate(Paths(base))
    found = document(base)
    slices = json.loads((base / "processing/output/report/slices.json").read_text())["slices"]
    assert {group["metrics"]["accuracy"] for group in slices[0]["groups"]} != {1.0}
    missed = found["binary_classification_metrics"]["confusion_matrix"]["1"]["0"]
    assert at(found, path("binary", "missed")) == missed
    assert at(found, path("binary", "missed_minutes")) > 100
    assert set(found["custom_metrics"]) == {"missed_minutes", "missed"}
    output = capsys.readouterr()
    assert f"test-missed:{missed:.6f}" in output.out
    assert "undefined is nan: left out" in output.err
    report = base / "processing/output/report"
    assert (report / "files" / "notes.txt").read_text() == "Booster"
    assert "missed_minutes" in (report / "report.html").read_text()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("[1.0]", "returns list: return a dict of numbers by name"),
        ("{'a.b': 1.0}", r"returns 'a\.b': name a metric with letters"),
        ("{'auc': 1.0}", "returns 'auc', which is built in"),
        ("{'cost': '1'}", "returns str for 'cost', not a number"),
        ("{'cost': table['nothing']}", r"mine\.py, line 2, in evaluate: ColumnNotFoundError"),
    ],
)
def test_what_the_users_code_may_not_answer(lay: Lay, answer: str, message: str) -> None:
    code = f"def evaluate(model, table, context):\n    return {answer}\n"
    with pytest.raises(ContainerError, match=message):
        evaluate(Paths(lay(code=code)))


TABLES: dict[str, Callable[[], Any]] = {"multiclass": load_wine, "regression": load_diabetes}


@pytest.mark.parametrize("objective", list(TABLES))
def test_other_objectives(objective: str, tmp_path: Path) -> None:
    data = TABLES[objective]()
    names = [str(name) for name in data.feature_names]
    table = pl.DataFrame(data.data, schema=names).with_columns(pl.Series("y", data.target))
    folders = {name: tmp_path / name for name in ("process", "train", "older", "evaluate")}
    table.write_csv(tmp_path / "table.csv")
    features = {"label": "y", "numeric": names, "objective": objective}
    split = read_example().split
    lay_process(folders["process"], [tmp_path / "table.csv"], features, split)
    process(Paths(folders["process"]))
    for name, rounds in (("train", "60"), ("older", "2")):
        lay_train(folders[name], folders["process"], {"num_round": rounds, "eta": "0.2"})
        train(Paths(folders[name]))
    lay_evaluate(folders["evaluate"], folders["process"], folders["train"])
    inputs = folders["evaluate"] / "processing/input"
    shutil.copytree(folders["process"] / "processing/output/rows", inputs / "rows")
    (inputs / "champion").mkdir()
    pack(folders["older"] / "model", inputs / "champion/model.tar.gz")
    evaluate(Paths(folders["evaluate"]))
    found = document(folders["evaluate"])
    quality = {name: at(found, path(objective, name)) for name in METRICS[objective]}
    assert quality.get("accuracy", 1) > 0.85
    assert quality.get("r2", 1) > 0.2
    worse = {name: at(found, drop_path(name)) for name in METRICS[objective]}
    assert worse["log_loss" if objective == "multiclass" else "rmse"] < 0
    report = folders["evaluate"] / "processing/output/report"
    assert {plot.stem for plot in report.glob("*.svg")} == set(PLOTS[objective])


def test_an_undefined_metric_is_left_out_and_named(
    churn: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_evaluate(tmp_path, churn.process, churn.train)
    path = tmp_path / "processing/input/test/test.parquet"
    pl.read_parquet(path).filter(pl.col("Churn?") == 0).write_parquet(path)
    evaluate(Paths(tmp_path))
    assert "auc is not defined" in capsys.readouterr().err
    assert "auc" not in metrics(tmp_path)
    assert "auc" not in document(tmp_path)["champion_comparison"]


@pytest.mark.parametrize("text", ["{", '{"version": 2}', '{"slices": "State"}', '{"other": 1}'])
def test_a_config_that_is_not_understood_is_refused(lay: Lay, text: str) -> None:
    base = lay()
    (base / "processing/input/config/config.json").write_text(text)
    with pytest.raises(ContainerError, match=r"config\.json: "):
        evaluate(Paths(base))


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
