"""The built-in training of each flavor, and what it makes: files, engines, explanations."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boostline.artifact.folder import Artifact
from boostline.container.errors import ContainerError
from boostline.container.explain import Explainer, ExplainError
from boostline.container.flavors.base import Rows, Scores
from boostline.container.loading import LoadedModel, load_model
from boostline.features.spec import Objective
from tests.container.jobs import lay_job, make_table, train

pytestmark = pytest.mark.slow

OBJECTIVES: tuple[Objective, ...] = ("binary", "multiclass", "regression")
# Flavor, what it is given, what serves.
KINDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "xgboost": ("xgboost", {"num_round": 60}, "onedal"),
    "lightgbm": ("lightgbm", {"num_iterations": 60}, "onedal"),
    "catboost": ("catboost", {"iterations": 60}, "onedal"),
    "boosting": ("sklearn", {"max_iter": 20}, "native"),
    "forest": ("sklearn", {"estimator": "random_forest", "n_estimators": 40}, "native"),
    "extra": ("sklearn", {"estimator": "extra_trees", "n_estimators": 40}, "native"),
    "linear": ("sklearn", {}, "native"),
}
GOOD = {"binary": ("log_loss", 0.45), "multiclass": ("log_loss", 0.8), "regression": ("rmse", 25.0)}


def given(kind: str, label: Objective, **more: object) -> dict[str, object]:
    flavor, values, *_ = KINDS[kind]
    linear = "ridge" if label == "regression" else "logistic_regression"
    extra = {"estimator": linear} if kind == "linear" else {}
    return {"flavor": flavor, **values, **extra, **more}


def make(base: Path, kind: str, label: Objective, **more: object) -> Artifact:
    return train(lay_job(base, label, given(kind, label, **more)))


def golden(loaded: LoadedModel) -> Rows:
    return np.array(loaded.artifact.golden.rows, dtype=np.float32)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_seals_serves_and_explains(
    tmp_path: Path, kind: str, objective: Objective
) -> None:
    artifact = make(tmp_path / "a", kind, objective)
    flavor, _, engine = KINDS[kind]
    assert artifact.manifest.flavor == flavor
    metric, bound = GOOD[objective]
    assert artifact.manifest.metrics[metric] < bound
    loaded = load_model(artifact)
    assert loaded.choice.engine.name == engine, loaded.choice.reason
    check_explanations(loaded)
    assert make(tmp_path / "b", kind, objective).manifest.artifact == artifact.manifest.artifact


def check_explanations(loaded: LoadedModel) -> None:
    """What is told adds up to the model's own scores, whatever number of columns is told."""
    rows, contract = golden(loaded), loaded.artifact.contract
    rows = np.concatenate([rows, np.full((1, 4), np.nan, dtype=np.float32)])
    scores = loaded.model.predict(rows)
    for k in (0, 2, 9):
        found = Explainer(loaded.model, contract).explain(rows, k)
        told = [[part.contribution for part in one.contributions] for one in found]
        sums = [one.base + sum(parts) + one.other for one, parts in zip(found, told, strict=True)]
        assert all(len(parts) == min(k, 4) for parts in told)
        assert all(parts == sorted(parts, key=abs, reverse=True) for parts in told)
        links = {one.link for one in found}
        check_sums(links.pop(), np.array(sums), scores, loaded, rows)
    last = found[-1].contributions
    assert {part.column for part in last} == set(contract.columns)
    assert all(part.value is None for part in last)
    raw = make_table(contract.objective)[400]  # the first of the golden records
    for part in found[0].contributions:
        value = raw[part.column][0]
        number = isinstance(value, float)
        assert part.value == (pytest.approx(value) if number else value)


def check_sums(link: str, sums: Scores, scores: Scores, loaded: LoadedModel, rows: Rows) -> None:
    if link == "softmax":
        found = loaded.model.contributions(rows)
        assert found is not None
        every = found.parts.sum(axis=2)
        powers = np.exp(every - every.max(axis=1, keepdims=True))
        np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), scores, atol=2e-6)
        np.testing.assert_allclose(sums, every[range(len(rows)), scores.argmax(axis=1)], rtol=1e-9)
    else:
        made = 1 / (1 + np.exp(-sums)) if link == "logit" else sums
        told = scores if scores.ndim == 1 else scores.max(axis=1)  # of the predicted class
        np.testing.assert_allclose(made, told, rtol=3e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("kind", "objective", "sealed"),
    [
        ("xgboost", "count:poisson", "log"),
        ("lightgbm", "poisson", "log"),
        ("lightgbm", "regression_l1", "identity"),
        ("catboost", "Poisson", "log"),
        ("catboost", "MAE", "identity"),
    ],
)
def test_other_objectives_explain_themselves(
    tmp_path: Path, kind: str, objective: str, sealed: str
) -> None:
    loaded = load_model(make(tmp_path, kind, "regression", objective=objective))
    assert loaded.artifact.manifest.hyperparameters["objective"] == objective
    rows = golden(loaded)
    (first, *_) = Explainer(loaded.model, loaded.artifact.contract).explain(rows, 1)
    total = first.base + first.contributions[0].contribution + first.other
    assert first.link == sealed
    score = np.exp(total) if sealed == "log" else total
    assert score == pytest.approx(loaded.model.predict(rows)[0], rel=1e-5)


FOREST = "boosting_type='rf', bagging_freq=1, bagging_fraction=0.5"


@pytest.mark.parametrize(
    ("objective", "module", "made"),
    [
        ("multiclass", "xgboost", "XGBClassifier(multi_strategy='multi_output_tree')"),
        ("binary", "lightgbm", f"LGBMClassifier({FOREST})"),
        ("binary", "lightgbm", "LGBMClassifier(sigmoid=2.0)"),
        ("regression", "lightgbm", "LGBMRegressor(reg_sqrt=True)"),
        ("regression", "lightgbm", "LGBMRegressor(linear_tree=True)"),
    ],
)
def test_what_does_not_add_up_to_scores_is_no_explanation(
    tmp_path: Path, objective: Objective, module: str, made: str
) -> None:
    code = (
        f"import {module} as of\ndef train(d, h, c):\n"
        f"    model = of.{made}.set_params(n_estimators=9)\n"
        "    return model.fit(d.train.features, d.train.labels)\n"
    )
    loaded = load_model(train(lay_job(tmp_path, objective, {}, {"train": code})))
    with pytest.raises(ExplainError, match="cannot explain its scores"):
        Explainer(loaded.model, loaded.artifact.contract).explain(golden(loaded), 1)


@pytest.mark.parametrize("policy", ["Depthwise", "Lossguide"])
def test_catboost_explains_only_trees_whose_parts_add_up(tmp_path: Path, policy: str) -> None:
    loaded = load_model(make(tmp_path, "catboost", "regression", grow_policy=policy))
    assert loaded.choice.engine.name == "onedal"
    with pytest.raises(ExplainError, match="of CatBoost symmetric trees"):
        Explainer(loaded.model, loaded.artifact.contract).explain(golden(loaded), 1)


@pytest.mark.parametrize(
    ("kind", "stop"),
    [("lightgbm", "early_stopping_round"), ("catboost", "early_stopping_rounds")],
)
def test_it_stops_early_and_keeps_the_best_rounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, stop: str
) -> None:
    rounds = "iterations" if kind == "catboost" else "num_iterations"
    artifact = make(tmp_path, kind, "binary", **{rounds: 400, stop: 5, "learning_rate": 0.3})
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert all(re.match(rf"\[{place}\] train-logloss:", line) for place, line in enumerate(lines))
    losses = [float(line.rpartition("validation-logloss:")[2]) for line in lines]
    assert artifact.manifest.best_iteration == int(np.argmin(losses))
    assert len(losses) == int(np.argmin(losses)) + 6 < 400


def test_scikit_learns_boosting_is_cut_too(tmp_path: Path) -> None:
    artifact = make(tmp_path, "boosting", "binary", max_iter=400, n_iter_no_change=5)
    native = load_model(artifact).model.native
    scores = native.validation_score_
    assert native.n_iter_ == int(np.argmax(scores)) == len(scores) - 6


@pytest.mark.parametrize("kind", ["lightgbm", "catboost", "forest", "linear", "boosting"])
def test_class_weights_move_the_scores(tmp_path: Path, kind: str) -> None:
    means = []
    for place, weights in enumerate(("none", json.dumps({"yes": 9}))):
        artifact = make(tmp_path / str(place), kind, "binary", class_weight=weights)
        means.append(np.mean([float(str(score)) for score in artifact.golden.scores]))
    assert means[1] > means[0]


@pytest.mark.parametrize(
    ("objective", "values", "message"),
    [
        ("binary", {"flavor": "lightgbm", "num_leavs": 3}, "nearest known is 'num_leaves'"),
        ("binary", {"flavor": "lightgbm", "num_leaves": 1}, "between 2 and 131072"),
        ("binary", {"flavor": "lightgbm", "objective": "gamma"}, "does not fit the binary label"),
        ("binary", {"flavor": "catboost", "depth": 17}, "integer between 1 and 16"),
        ("binary", {"flavor": "catboost", "bootstrap_type": "No", "subsample": 0.5}, "^catboost: "),
        ("binary", {"flavor": "sklearn", "estimator": "svm"}, "'estimator': 'svm' is not"),
        ("binary", {"flavor": "sklearn", "num_round": 3}, "unknown hyperparameter 'num_round'"),
        ("binary", {"flavor": "sklearn", "estimator": "ridge"}, "use hist_gradient_boosting or "),
        ("regression", {"flavor": "sklearn", "class_weight": "balanced"}, "has no classes"),
    ],
)
def test_mistakes(
    tmp_path: Path, objective: Objective, values: dict[str, object], message: str
) -> None:
    with pytest.raises(ContainerError, match=message):
        train(lay_job(tmp_path, objective, values))


@pytest.mark.parametrize("file", ["model.txt", "model.cbm"])
def test_broken_files_are_refused(tmp_path: Path, file: str) -> None:
    kind = "lightgbm" if file == "model.txt" else "catboost"
    artifact = make(tmp_path, kind, "binary")
    (artifact.folder / file).write_bytes(b"broken")
    with pytest.raises(ContainerError, match=rf"{file}: not readable: ."):
        load_model(artifact)


BY_USER = """
import pandas
from {module} import {kind}

def train(data, hyperparameters, context):
    table = pandas.DataFrame(data.train.features, columns=data.columns)
    return {kind}({options}).fit(table[{order}], data.train.labels)
"""


def by_user(base: Path, module: str, kind: str, order: str, options: str = "") -> Artifact:
    code = BY_USER.format(module=module, kind=kind, order=order, options=options)
    return train(lay_job(base, "binary", {}, {"train": code}))


@pytest.mark.parametrize(
    ("module", "kind", "options", "flavor"),
    [
        ("lightgbm", "LGBMClassifier", "n_estimators=9, verbosity=-1", "lightgbm"),
        ("xgboost", "XGBClassifier", "n_estimators=9", "xgboost"),
        (
            "catboost",
            "CatBoostClassifier",
            "n_estimators=9, verbose=False, allow_writing_files=False",
            "catboost",
        ),
        ("sklearn.ensemble", "ExtraTreesClassifier", "9", "sklearn"),
        ("sklearnex.ensemble", "RandomForestClassifier", "9", "sklearn"),
    ],
)
def test_a_users_model_is_taken_unless_its_columns_are_permuted(
    tmp_path: Path, module: str, kind: str, options: str, flavor: str
) -> None:
    artifact = by_user(tmp_path / "a", module, kind, "data.columns", options)
    assert artifact.manifest.flavor == flavor
    assert artifact.manifest.metrics["auc"] > 0.85
    assert load_model(artifact).choice.engine.name == (
        "native" if flavor == "sklearn" else "onedal"
    )
    with pytest.raises(ContainerError, match="columns in the order kind, c, b, a, and they are"):
        by_user(tmp_path / "b", module, kind, "data.columns[::-1]", options)


def test_a_model_that_takes_no_missing_values_is_refused(tmp_path: Path) -> None:
    code = (
        BY_USER.format(
            module="sklearn.ensemble",
            kind="GradientBoostingClassifier",
            order="data.columns",
            options="",
        )
        .replace("data.train.features", "data.train.features, dtype=float")
        .replace("    return", "    table = table.fillna(0)\n    return")
    )
    with pytest.raises(ContainerError, match="GradientBoostingClassifier fails: Input X contains"):
        train(lay_job(tmp_path, "binary", {}, {"train": code}))
