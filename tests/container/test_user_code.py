"""The user's own training and serving, through the train program to a served score."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from benchmarks.programs import run
from boostline.artifact.folder import Artifact, open_artifact
from boostline.container.code import UserCodeError
from boostline.container.errors import ContainerError
from boostline.container.loading import load_model
from boostline.container.programs.scoring import Request, Scorer, ScoringError
from boostline.features.spec import Objective
from tests.container.jobs import lay_job, make_table, train

pytestmark = pytest.mark.slow

FOREST = """
from sklearn.ensemble import {kind} as Model

def train(data, hyperparameters, context):
    assert data.columns == context.contract.columns and len(data.validation.labels)
    (context.folder / "note.txt").write_text(str(hyperparameters))
    return Model(n_estimators=hyperparameters["trees"], random_state=0).fit(
        data.train.features, data.train.labels
    )
"""
OWN = """
import json
class Mean:
    def __init__(self, value): self.value = value
def train(data, hyperparameters, context):
    return Mean(float(data.train.labels.mean()))
def save(model, folder):
    (folder / "mean.json").write_text(json.dumps(model.value))
def load(folder):
    return Mean(json.loads((folder / "mean.json").read_text()))
"""
CONSTANT = """
import numpy as np
def predict(model, features):
    return np.full(len(features), model.value if hasattr(model, "value") else 0.25)
"""
BOOSTER = """
import xgboost
def train(data, hyperparameters, context):
    return xgboost.{made}
"""
BOOSTERS = {
    "Booster": 'train({"objective": "binary:logistic"}, '
    "xgboost.DMatrix(data.train.features, data.train.labels), 5)",
    "XGBClassifier": "XGBClassifier(n_estimators=5).fit(data.train.features, data.train.labels)",
}


def make(
    base: Path, code: Mapping[str, str], objective: Objective = "binary", **given: object
) -> Artifact:
    return train(lay_job(base, objective, given, code, rows=300))


def ask(artifact: Artifact, objective: Objective = "binary") -> dict[str, object]:
    record = make_table(objective).drop("y").head(1).fill_nan(None).to_dicts()[0]
    reply = Scorer(load_model(artifact)).score(Request(json.dumps(record).encode(), JSON))
    answer: dict[str, object] = json.loads(reply.body)["predictions"][0]
    return answer


JSON = "application/json"


@pytest.mark.parametrize(
    ("objective", "kind"),
    [
        ("binary", "RandomForestClassifier"),
        ("multiclass", "RandomForestClassifier"),
        ("regression", "ExtraTreesRegressor"),
    ],
)
def test_a_forest_is_stored_by_skops_and_served(
    tmp_path: Path, objective: Objective, kind: str
) -> None:
    code = {"train": FOREST.format(kind=kind)}
    artifact = make(tmp_path / "a", code, objective, trees=20, flag="true", threshold=0.4)
    manifest = artifact.manifest
    assert (manifest.flavor, manifest.best_iteration) == ("sklearn", None)
    assert manifest.hyperparameters == {"trees": 20, "flag": True, "threshold": 0.4}
    assert manifest.threshold == (0.4 if objective == "binary" else None)
    note = (tmp_path / "a" / "output" / "data" / "note.txt").read_text()
    assert "'trees': 20" in note
    members = {"features.json", "golden.json", "model.skops"}
    assert set(manifest.members) == members
    answer = ask(artifact, objective)
    expected = {"binary": {"score", "label"}, "multiclass": {"score", "label", "scores"}}
    assert set(answer) == expected.get(objective, {"score"})
    again = make(tmp_path / "b", code, objective, trees=20, flag="true", threshold=0.4)
    assert again.manifest.artifact == manifest.artifact


@pytest.mark.parametrize("kind", BOOSTERS)
def test_xgboost_models_are_stored_as_such(tmp_path: Path, kind: str) -> None:
    artifact = make(tmp_path, {"train": BOOSTER.format(made=BOOSTERS[kind])})
    assert (artifact.manifest.flavor, artifact.manifest.best_iteration) == ("xgboost", 4)
    assert load_model(artifact).choice.engine.name == "onedal"


def test_a_model_of_its_own_is_saved_and_loaded_by_its_file(tmp_path: Path) -> None:
    artifact = make(tmp_path, {"train": OWN, "serve": CONSTANT})
    assert artifact.manifest.flavor == "code"
    assert {"code/train/train.py", "code/serve/serve.py", "own/mean.json"} < set(
        artifact.manifest.members
    )
    score = ask(artifact)["score"]
    assert score == artifact.golden.scores[0]
    assert isinstance(score, float)
    assert 0.2 < score < 0.8


def test_another_serve_file_alone_is_another_artifact(tmp_path: Path) -> None:
    plain = make(tmp_path / "plain", {}, num_round=3)
    served = make(tmp_path / "served", {"serve": CONSTANT}, num_round=3)
    changed = make(tmp_path / "changed", {"serve": CONSTANT + "# x"}, num_round=3)
    artifacts = {made.manifest.artifact for made in (plain, served, changed)}
    assert len(artifacts) == 3
    assert set(served.golden.scores) == {0.25}
    loaded = load_model(served)
    assert (loaded.choice.engine.name, loaded.choice.reason) == ("native", "")
    assert ask(served)["score"] == 0.25
    changed_file = served.folder / "code" / "serve" / "serve.py"
    changed_file.write_text(CONSTANT + "# y")
    with pytest.raises(Exception, match=r"code/serve/serve\.py: corrupt"):
        open_artifact(served.folder)


def bad_predict(answer: str) -> dict[str, str]:
    return {"serve": f"import numpy as np\ndef predict(model, features):\n    return {answer}\n"}


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ({"train": "def train(d, h, c): return 3"}, UserCodeError, "train.py: train returned a bu"),
        ({"train": "def train(d, h, c): return h['x']"}, UserCodeError, "line 1, in train: KeyErr"),
        ({"train": OWN.replace("def load", "def lode")}, UserCodeError, "one of save.*define both"),
        ({"train": OWN}, ContainerError, "has no predict_proba: put predict"),
        (
            {"train": "import sklearn.svm as s\ndef train(d, h, c): return s.SVC()"},
            ContainerError,
            "has no predict_proba",
        ),
        (
            {
                "train": "from sklearn.base import *\n"
                "class Mine(BaseEstimator): pass\ndef train(d, h, c): return Mine()"
            },
            ContainerError,
            r"holds boostline_user_train\.Mine, which skops does not trust",
        ),
        (bad_predict("[1, 2]"), UserCodeError, r"serve.py: predict answered shape \(2,\)"),
        (bad_predict("features[:, 0] * np.nan"), UserCodeError, "not finite"),
        (bad_predict("features[:, 0] * 0 + 7"), UserCodeError, "no probabilities"),
        (bad_predict("'text'"), UserCodeError, "predict could not convert"),
        (bad_predict("model.nothing"), UserCodeError, "line 3, in predict: AttributeError"),
    ],
)
def test_mistakes(
    tmp_path: Path, code: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(lay_job(tmp_path, "binary", {"num_round": 3}, code, rows=300))
    assert not (tmp_path / "model" / "model.json").exists()


def test_the_failure_file_names_the_users_line(tmp_path: Path) -> None:
    text = "import numpy as np\n\ndef train(d, h, c):\n    return np.eye(2) @ np.eye(3)\n"
    lay_job(tmp_path, "binary", {}, {"train": text})
    done = run("train", tmp_path)
    assert done.returncode == 1
    reason = (tmp_path / "output" / "failure").read_text()
    assert reason.startswith("train.py, line 4, in train: ValueError: matmul")
    assert done.stderr.startswith("Traceback (most recent call last):\n  File ")
    assert done.stderr.endswith(f"error: {reason}\n")
    files = re.findall(r'File "([^"]+)"', done.stderr)
    assert files == [str(tmp_path / "input/data/code/train/train.py")]


def test_a_request_on_which_predict_fails(tmp_path: Path) -> None:
    text = "def predict(model, rows):\n    assert len(rows) != 1\n    return 0 * rows[:, 0]\n"
    scorer = Scorer(load_model(make(tmp_path, {"serve": text}, num_round=3)))
    assert scorer.takes_long(Request(b"1,2,3,0", "text/csv"))
    with pytest.raises(
        ScoringError, match=r"serve\.py, line 2, in predict: AssertionError"
    ) as told:
        scorer.score(Request(b"1,2,3,0", "text/csv"))
    assert told.value.status == 500
    assert scorer.score(Request(b"1,2,3,0\n1,2,,1", "text/csv", "text/csv")).body == b"0.0\n0.0\n"
    with pytest.raises(ScoringError, match="cannot explain") as told:
        scorer.score(Request(b"1,2,3,0\n1,2,,1", "text/csv", attributes="explain=1"))
    assert (told.value.status, told.value.code) == (400, "no_explanation")


def test_a_hyperparameter_may_be_no_number_of_json(tmp_path: Path) -> None:
    text = OWN + "first = train\ndef train(data, given, context):\n"
    text += "    assert str(given['missing']) == 'nan'\n    return first(data, given, context)\n"
    given = {"missing": "NaN", "most": "[1e400]", "ids": f"[{2**70}]"}
    made = train(lay_job(tmp_path, "regression", given, {"train": text, "serve": CONSTANT}))
    kept = made.manifest.hyperparameters
    assert (kept["missing"], kept["most"], kept["ids"]) == ("NaN", ["Infinity"], [2**70])


def test_predict_may_change_its_features(tmp_path: Path) -> None:
    text = "def predict(model, rows):\n    rows += 1\n    return rows[:, 0]\n"
    paths = lay_job(tmp_path, "regression", {"num_round": 2}, {"serve": text})
    loaded = load_model(train(paths))
    scorer = Scorer(loaded)
    small, large = b"1.5,2,3,0", b"1.5,2,3,0\n" * 10_000
    assert scorer.score(Request(small, "text/csv")).body == b"2.5\n"  # its bytes are the request's
    assert scorer.score(Request(large, "text/csv")).body == b"2.5\n" * 10_000
    rows = np.zeros((2, 4), dtype=np.float32)
    assert loaded.choice.engine.score(rows).tolist() == [1, 1]
    assert not rows.any()


def test_classes_that_training_did_not_see_are_improbable(tmp_path: Path) -> None:
    text = (
        "from sklearn.ensemble import RandomForestClassifier\n"
        "def train(data, hyperparameters, context):\n"
        "    seen = data.train.labels != 1\n"
        "    rows, labels = data.train.features[seen], data.train.labels[seen]\n"
        "    return RandomForestClassifier(5).fit(rows, labels)\n"
    )
    scores = np.array(make(tmp_path, {"train": text}, "multiclass").golden.scores)
    assert scores.shape == (20, 3)
    assert (scores[:, 1] == 0).all()
