import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import xgboost

from boostline.artifact.folder import Artifact
from boostline.container.checkpoints import Checkpoints, State
from boostline.container.dataset import Dataset
from boostline.container.errors import ContainerError
from boostline.container.flavors.trees import Job
from boostline.container.flavors.xgb import FLAVOR
from boostline.container.loading import load_model
from boostline.container.weights import Part
from boostline.features.spec import Objective
from tests.container.jobs import lay_hyperparameters, lay_job, train

FAST: Mapping[str, object] = {"num_round": 12, "eta": 0.3}


def job(base: Path, label: Objective = "binary", **given: object) -> Artifact:
    return train(lay_job(base, label, {**FAST, **given}))


def progress(text: str) -> list[dict[str, float]]:
    lines = [line for line in text.splitlines() if line.startswith("[")]
    assert [int(line[1 : line.index("]")]) for line in lines] == list(range(len(lines)))
    return [
        {name: float(value) for name, value in re.findall(r"([a-z-]+):([-0-9.eE+]+)", line)}
        for line in lines
    ]


@pytest.mark.parametrize(
    ("objective", "metric", "good"),
    [("binary", "logloss", 0.3), ("multiclass", "mlogloss", 0.6), ("regression", "rmse", 20.0)],
)
def test_objectives(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    objective: Objective,
    metric: str,
    good: float,
) -> None:
    artifact = job(tmp_path, objective)
    assert artifact.manifest.objective == objective
    assert (artifact.manifest.threshold is None) == (objective != "binary")
    values = [line[f"validation-{metric}"] for line in progress(capsys.readouterr().out)]
    assert values[-1] < good < values[0]
    loaded = load_model(artifact)
    assert loaded.choice.engine.name == "onedal", loaded.choice.reason


@pytest.mark.parametrize("name", ["reg:absoluteerror", "reg:gamma", "count:poisson"])
def test_other_objectives_of_regression(tmp_path: Path, name: str) -> None:
    artifact = job(tmp_path, "regression", objective=name)
    loaded = load_model(artifact)
    # oneDAL answers the sum of the leaves where the score is a function of it.
    assert loaded.choice.engine.name == ("onedal" if name.startswith("reg:abs") else "native")
    assert np.mean([float(str(score)) for score in artifact.golden.scores]) > 100


def test_it_stops_early_and_keeps_the_best_rounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = job(tmp_path, num_round=300, early_stopping_rounds=5, checkpoint_rounds=7)
    losses = [line["validation-logloss"] for line in progress(capsys.readouterr().out)]
    assert artifact.manifest.best_iteration == int(np.argmin(losses))
    assert len(losses) == int(np.argmin(losses)) + 6 < 300


def test_a_rising_metric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artifact = job(tmp_path, num_round=300, early_stopping_rounds=5, eval_metric="auc")
    values = [line["validation-auc"] for line in progress(capsys.readouterr().out)]
    assert artifact.manifest.best_iteration == int(np.argmax(values))


SAMPLED: Mapping[str, Any] = {"subsample": 0.7, "colsample_bytree": 0.5, "seed": 3}


def test_threads_and_disk_do_not_change_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dataset.batches, "__defaults__", (150,))
    models = set()
    for name, value in (("nthread", 1), ("nthread", 2), ("external_memory_mib", 0)):
        base = tmp_path / f"{name}{value}"
        job(base, **SAMPLED, **{name: value})  # type: ignore[arg-type]
        models.add((base / "model" / "model.ubj").read_bytes())
    assert len(models) == 1


def test_the_checkpoint_interval_is_part_of_the_model(tmp_path: Path) -> None:
    for block in (4, 100):
        job(tmp_path / str(block), **SAMPLED, checkpoint_rounds=block)
    bytes_of = [(tmp_path / str(b) / "model" / "model.ubj").read_bytes() for b in (4, 100)]
    assert bytes_of[0] != bytes_of[1]


@pytest.mark.parametrize("weights", ["balanced", '{"yes": 9}'])
def test_class_weights_move_the_scores(tmp_path: Path, weights: str) -> None:
    means = []
    for given in ("none", weights):
        artifact = job(tmp_path / str(len(given)), class_weight=given, num_round=40)
        means.append(np.mean([float(str(score)) for score in artifact.golden.scores]))
        assert artifact.manifest.best_iteration is not None
        assert artifact.manifest.best_iteration > 3
    assert means[1] > means[0]


@pytest.mark.parametrize(
    ("objective", "given", "message"),
    [
        ("binary", {"objective": "reg:gamma"}, "'reg:gamma' does not fit the binary label: use"),
        ("binary", {"objective": "rank:map"}, "is not 'binary:logistic' or "),
        ("binary", {"class_weight": '{"maybe": 2}'}, "'maybe': 2: give a positive number for"),
        ("binary", {"class_weight": '{"yes": 0}'}, "'yes': 0: give a positive number"),
        ("binary", {"class_weight": '{"yes": Infinity}'}, "'yes': inf: give .*, at most 1e[+]09"),
        ("binary", {"class_weight": '{"yes": 1%s}' % ("0" * 400)}, "'yes': 1000*: give"),
        ("binary", {"class_weight": "{yes: 2}"}, "'class_weight': not JSON"),
        ("binary", {"class_weight": "heavy"}, "'none' or 'balanced' or '{\"<class>\": <weight>"),
        ("regression", {"class_weight": "balanced"}, "regression has no classes"),
        ("binary", {"eval_metric": "rmsle", "num_class": -1}, "num_class"),
        ("binary", {"threshold": "cost:0"}, "'best_accuracy' or 'cost:<ratio>'"),
    ],
)
def test_mistakes(
    tmp_path: Path, objective: Objective, given: dict[str, object], message: str
) -> None:
    with pytest.raises(ContainerError, match=message):
        job(tmp_path, objective, **given)


def test_what_xgboost_refuses_is_one_sentence(tmp_path: Path) -> None:
    paths = lay_job(tmp_path, "regression", {"objective": "count:poisson"})
    file = paths.channel("train") / "part.parquet"
    pl.read_parquet(file).with_columns(y=-pl.col("y")).write_parquet(file)
    with pytest.raises(ContainerError, match=r"^xgboost: label must be non-negative for P.*\.$"):
        train(paths)


def classic(base: Path, lines: list[str], **given: object) -> Artifact:
    paths = lay_job(base, "binary", {})
    for channel in ("train", "validation", "contract"):
        for file in paths.channel(channel).iterdir():
            file.unlink()
        paths.channel(channel).rmdir()
    paths.channel("train").mkdir()
    (paths.channel("train") / "part-00000").write_text("\n".join(lines) + "\n")
    lay_hyperparameters(paths, {"num_round": 5, **given})
    return train(paths)


LINES = [f"{i % 3},{i % 7},{i % 3 + i % 2 / 10},{'' if i % 5 else i}" for i in range(200)]


def test_the_classic_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artifact = classic(tmp_path, LINES, objective="multi:softmax", num_class=3)
    assert artifact.contract.columns == ["f0", "f1", "f2"]
    assert artifact.contract.classes == ["0", "1", "2"]
    assert artifact.manifest.best_iteration == 4
    assert artifact.golden.records[1].record == {
        "f0": 1.0,
        "f1": float(np.float32(1.1)),
        "f2": None,
    }
    assert "no validation rows" in capsys.readouterr().out
    assert load_model(artifact).choice.parity is not None


def test_the_classic_layout_is_regression_by_default(tmp_path: Path) -> None:
    assert classic(tmp_path, LINES).contract.objective == "regression"


@pytest.mark.parametrize(
    ("lines", "given", "message"),
    [
        (["y,a,b", *LINES], {}, "not CSV of numbers without a header"),
        (["1", "2"], {}, "1 columns, .* expected the label and at least one feature"),
        (LINES, {"objective": "binary:logistic"}, "label 2 is not the code of a class"),
        ([",1,2,3", *LINES], {}, "a label is missing"),
        (["0,1", "10000,2"], {"objective": "multi:softprob"}, "label 10000 is no code of a class"),
    ],
)
def test_mistakes_in_the_classic_layout(
    tmp_path: Path, lines: list[str], given: dict[str, object], message: str
) -> None:
    with pytest.raises(ContainerError, match=message):
        classic(tmp_path, lines, **given)


SIGNS = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
POSITIVE = (SIGNS[:, 0] > 0).astype(np.float32)


def by_hand(checkpoints: Checkpoints, **given: object) -> xgboost.Booster:
    """Train on a label that one column tells."""
    table = pl.DataFrame(SIGNS, schema=["a", "b"]).with_columns(y=pl.Series(POSITIVE))
    rows = Dataset("the test", table.lazy(), ["a", "b"], "y")
    defaults = {item.name: item.default for item in FLAVOR.known if item.name != "eval_metric"}
    parameters = defaults | {"objective": "binary:logistic"} | given
    return FLAVOR.fit(Job(parameters, [Part("train", rows, None)], checkpoints, 0))


@pytest.mark.parametrize("most", [4, 3, 1])
def test_a_checkpoint_of_as_many_rounds_as_there_may_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], most: int
) -> None:
    whole = by_hand(Checkpoints(tmp_path / "none", ""), num_round=4)
    checkpoints = Checkpoints(tmp_path, "key")
    checkpoints.save(State(4, 3, 0.1), bytes(whole.save_raw()))
    capsys.readouterr()
    resumed = by_hand(checkpoints, num_round=most)
    assert resumed.get_dump() == whole.get_dump()
    assert capsys.readouterr().out == "resumed after round 4 from the checkpoint\n"


def test_progress_is_what_xgboost_says_cut_to_six_decimals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    booster = by_hand(Checkpoints(tmp_path, ""), eta=1, min_child_weight=0, num_round=8)
    told = capsys.readouterr().out.splitlines()
    data = xgboost.DMatrix(SIGNS, POSITIVE)
    losses = [booster[: place + 1].eval(data).partition("logloss:")[2] for place in range(8)]
    cut = [loss[: loss.index(".") + 7] for loss in losses]
    assert told == [f"[{place}] train-logloss:{loss}" for place, loss in enumerate(cut)]
    assert cut != [f"{float(loss):.6f}" for loss in losses]  # which is not the same as rounded
