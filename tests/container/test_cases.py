"""Models that oneDAL converts rightly, wrongly or not at all: which engine serves each."""

import importlib.util
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from boostline.container.engines import (
    Choice,
    Engine,
    NativeEngine,
    choose_engine,
    convert_onedal,
)
from boostline.container.errors import ContainerError
from boostline.container.flavors import find_flavor
from boostline.container.flavors.base import Model, Rows, Scores, Task

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("daal4py") is None, reason="oneDAL has no wheel"),
]

BINARY, CLASSES, NUMBER = Task("binary", 2), Task("multiclass", 3), Task("regression", 0)
WIDTH, CATEGORIES = 5, [0, 0, 0, 0, 4]
Labels = NDArray[np.float64]


def make_rows(count: int, seed: int) -> Rows:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(count, WIDTH)).astype(np.float32)
    rows[:, 4] = generator.integers(0, CATEGORIES[4], count)
    rows[::9, 2] = np.nan
    return rows


ROWS = make_rows(600, 1)
SIGNAL = (ROWS[:, 0] * ROWS[:, 1] + ROWS[:, 3] + (ROWS[:, 4] == 2)).astype(np.float64)
YES, LEVEL = (SIGNAL > 0.2).astype(float), np.digitize(SIGNAL, [-0.5, 0.5]).astype(float)
COUNT, NEAR_1E5 = np.round(np.exp(SIGNAL / 2)), 1e5 + 30 * SIGNAL
GROUPS = [100] * 6


class Case(NamedTuple):
    flavor: str
    task: Task
    native: Callable[[], Any]
    # What serves; or why the native engine does, or nothing at all, as it is told.
    expected: str


def boosted(labels: Labels, rounds: int = 30, **parameters: object) -> Callable[[], Any]:
    return lambda: xgboost.train(
        {"max_depth": 4, "nthread": 1, **parameters}, xgboost.DMatrix(ROWS, labels), rounds
    )


def with_matrix(labels: Labels, matrix: dict[str, Any], **parameters: object) -> Callable[[], Any]:
    def train() -> xgboost.Booster:
        return xgboost.train(parameters, xgboost.DMatrix(ROWS, labels, **matrix), 20)

    return train


def sentinel() -> xgboost.Booster:
    rows = np.nan_to_num(ROWS, nan=-999.0)
    matrix = xgboost.DMatrix(rows, YES, missing=-999.0)
    return xgboost.train({"objective": "binary:logistic"}, matrix, 20)


def uncut() -> xgboost.Booster:
    held = xgboost.DMatrix(make_rows(600, 2), YES)  # labels of other rows: it stops at once
    matrix = xgboost.DMatrix(ROWS, YES)
    settings = {"objective": "binary:logistic"}
    return xgboost.train(settings, matrix, 60, evals=[(held, "e")], early_stopping_rounds=40)


def light(labels: Labels, rounds: int = 30, **parameters: Any) -> Callable[[], Any]:
    data = {
        name: parameters.pop(name)
        for name in ("group", "categorical_feature")
        if name in parameters
    }
    settings = {"verbosity": -1, "num_threads": 1, **parameters}
    return lambda: lightgbm.train(settings, lightgbm.Dataset(ROWS, labels, **data), rounds)


def full_light() -> lightgbm.Booster:
    """Nothing was missing in training: a missing value is then 0."""
    data = lightgbm.Dataset(np.nan_to_num(ROWS), YES)
    return lightgbm.train({"objective": "binary", "verbosity": -1}, data, 30)


def cat(labels: Labels, rounds: int = 30, **parameters: Any) -> Callable[[], Any]:
    data = {name: parameters.pop(name) for name in ("group_id",) if name in parameters}
    settings = {"iterations": rounds, "verbose": False, "allow_writing_files": False, **parameters}
    return lambda: catboost.CatBoost(settings).fit(catboost.Pool(ROWS, labels, **data))


LOGISTIC = "binary:logistic"
CASES = {
    "xgboost binary": Case("xgboost", BINARY, boosted(YES, objective=LOGISTIC), "onedal"),
    "xgboost multiclass": Case(
        "xgboost", CLASSES, boosted(LEVEL, objective="multi:softprob", num_class=3), "onedal"
    ),
    "xgboost near 1e5": Case("xgboost", NUMBER, boosted(NEAR_1E5), "onedal"),
    "xgboost one tree": Case("xgboost", BINARY, boosted(YES, 1, objective=LOGISTIC), "onedal"),
    "xgboost 2,000 trees": Case(
        "xgboost", BINARY, boosted(YES, 2_000, objective=LOGISTIC, eta=0.01), "onedal"
    ),
    "xgboost base_score 0.999": Case(
        "xgboost", BINARY, boosted(YES, objective=LOGISTIC, base_score=0.999), "onedal"
    ),
    "xgboost base_score -1e6": Case("xgboost", NUMBER, boosted(SIGNAL, base_score=-1e6), "onedal"),
    "xgboost sentinel missing": Case("xgboost", BINARY, sentinel, "onedal"),
    "xgboost uncut": Case("xgboost", BINARY, uncut, "onedal"),
    "xgboost stumps of depth 0": Case(
        "xgboost", BINARY, boosted(YES, objective=LOGISTIC, min_child_weight=1e9), "onedal"
    ),
    "xgboost logitraw": Case(
        "xgboost", BINARY, boosted(YES, objective="binary:logitraw"), "refused: no probabilities"
    ),
    "xgboost hinge": Case("xgboost", BINARY, boosted(YES, objective="binary:hinge"), "takes not"),
    "xgboost poisson": Case(
        "xgboost", NUMBER, boosted(COUNT, objective="count:poisson"), "differs"
    ),
    "xgboost gamma": Case("xgboost", NUMBER, boosted(COUNT + 1, objective="reg:gamma"), "differs"),
    "xgboost tweedie": Case("xgboost", NUMBER, boosted(COUNT, objective="reg:tweedie"), "differs"),
    "xgboost cox": Case("xgboost", NUMBER, boosted(COUNT + 1, objective="survival:cox"), "differs"),
    "xgboost logistic": Case("xgboost", NUMBER, boosted(YES, objective="reg:logistic"), "differs"),
    "xgboost dart": Case(
        "xgboost",
        BINARY,
        boosted(YES, objective=LOGISTIC, booster="dart", rate_drop=0.3),
        "takes not",
    ),
    "xgboost linear": Case(
        "xgboost",
        NUMBER,
        boosted(SIGNAL, booster="gblinear", verbosity=0),
        "refused: not supported",
    ),
    "xgboost categorical": Case(
        "xgboost",
        BINARY,
        with_matrix(
            YES,
            {"enable_categorical": True, "feature_types": [*"qqqq", "c"]},
            objective=LOGISTIC,
        ),
        "takes not",
    ),
    "xgboost ranking": Case(
        "xgboost", NUMBER, with_matrix(LEVEL, {"group": GROUPS}, objective="rank:ndcg"), "takes not"
    ),
    "lightgbm binary": Case("lightgbm", BINARY, light(YES, objective="binary"), "onedal"),
    "lightgbm nothing missing": Case("lightgbm", BINARY, full_light, "onedal"),
    "lightgbm multiclass": Case(
        "lightgbm", CLASSES, light(LEVEL, objective="multiclass", num_class=3), "onedal"
    ),
    "lightgbm near 1e5": Case(
        "lightgbm", NUMBER, light(NEAR_1E5, objective="regression"), "onedal"
    ),
    "lightgbm one tree": Case("lightgbm", BINARY, light(YES, 1, objective="binary"), "onedal"),
    "lightgbm 2,000 trees": Case(
        "lightgbm",
        BINARY,
        light(YES, 2_000, objective="binary", learning_rate=0.01, num_leaves=8),
        "onedal",
    ),
    "lightgbm poisson": Case("lightgbm", NUMBER, light(COUNT, objective="poisson"), "differs"),
    "lightgbm gamma": Case("lightgbm", NUMBER, light(COUNT + 1, objective="gamma"), "differs"),
    "lightgbm tweedie": Case("lightgbm", NUMBER, light(COUNT, objective="tweedie"), "differs"),
    "lightgbm one against all": Case(
        "lightgbm", CLASSES, light(LEVEL, objective="multiclassova", num_class=3), "takes not"
    ),
    "lightgbm cross entropy": Case(
        "lightgbm", BINARY, light(YES, objective="cross_entropy"), "takes not"
    ),
    "lightgbm dart": Case(
        "lightgbm", BINARY, light(YES, objective="binary", boosting="dart"), "takes not"
    ),
    "lightgbm categorical": Case(
        "lightgbm", BINARY, light(YES, objective="binary", categorical_feature=[4]), "takes not"
    ),
    "lightgbm zero is missing": Case(
        "lightgbm", BINARY, light(YES, objective="binary", zero_as_missing=True), "differs"
    ),
    "lightgbm ranking": Case(
        "lightgbm", NUMBER, light(LEVEL, objective="lambdarank", group=GROUPS), "takes not"
    ),
    "catboost binary": Case("catboost", BINARY, cat(YES, loss_function="Logloss"), "onedal"),
    "catboost multiclass": Case(
        "catboost", CLASSES, cat(LEVEL, loss_function="MultiClass"), "onedal"
    ),
    "catboost lossguide": Case(
        "catboost", BINARY, cat(YES, loss_function="Logloss", grow_policy="Lossguide"), "onedal"
    ),
    "catboost near 1e5": Case("catboost", NUMBER, cat(NEAR_1E5, loss_function="RMSE"), "onedal"),
    "catboost one tree": Case("catboost", BINARY, cat(YES, 1, loss_function="Logloss"), "onedal"),
    "catboost 2,000 trees": Case(
        "catboost", BINARY, cat(YES, 2_000, loss_function="Logloss", depth=3), "onedal"
    ),
    "catboost poisson": Case("catboost", NUMBER, cat(COUNT, loss_function="Poisson"), "differs"),
    "catboost tweedie": Case(
        "catboost", NUMBER, cat(COUNT, loss_function="Tweedie:variance_power=1.5"), "differs"
    ),
    "catboost one against all": Case(
        "catboost", CLASSES, cat(LEVEL, loss_function="MultiClassOneVsAll"), "differs"
    ),
    "catboost ranking": Case(
        "catboost",
        NUMBER,
        cat(LEVEL, loss_function="YetiRank", group_id=np.repeat(range(6), 100)),
        "onedal",
    ),
}
REASONS = {"differs": "differs from the native", "takes not": "does not take"}


def wrapped(case: Case) -> Model:
    model = find_flavor(case.flavor).wrap(case.native(), case.task)
    assert model is not None
    return model


def chosen(model: Model) -> Choice:
    return choose_engine(model, ROWS[:20].tolist(), WIDTH, categories=CATEGORIES)


@pytest.mark.parametrize("name", CASES)
def test_what_serves_scores_as_the_native_engine(name: str) -> None:
    case = CASES[name]
    model = wrapped(case)
    if case.expected.startswith("refused: "):
        with pytest.raises(ContainerError, match=case.expected.removeprefix("refused: ")):
            model.predict(ROWS)
        return
    choice = chosen(model)
    told = f"{choice.engine.name}: {choice.reason}"
    assert (choice.engine.name == "onedal") == (case.expected == "onedal"), told
    if case.expected != "onedal":
        assert re.search(REASONS[case.expected], choice.reason), told
    rows = np.concatenate([make_rows(3_000, 3), np.full((1, WIDTH), np.inf, np.float32)])
    rows[:50, 3] = np.inf
    rows[50:100, 3] = -np.inf
    native = model.predict(rows)
    scores = choice.engine.score(rows)
    assert scores.dtype == np.float64
    assert scores.shape == case.task.shape(len(rows))
    # Where the base is far from the scores, the native engine itself rounds.
    allowed = max(2e-6, choice.parity.tolerance) if choice.parity and choice.parity.agrees else 0
    np.testing.assert_allclose(scores, native, rtol=2e-6, atol=allowed)


def test_what_came_after_the_best_iteration_is_cut() -> None:
    booster = uncut()
    model = find_flavor("xgboost").wrap(booster, BINARY)
    assert model is not None
    assert model.best_iteration == booster.best_iteration < booster.num_boosted_rounds() - 1


def swapped(model: Model) -> Engine:
    """Convert, and take two columns for each other."""
    right = convert_onedal(model)

    class Swapped(NativeEngine):
        name = "swapped"

        def score(self, rows: Rows) -> Scores:
            return right.score(np.ascontiguousarray(rows[:, [1, 0, *range(2, WIDTH)]]))

    return Swapped(model)


@pytest.mark.parametrize("flavor", ["xgboost", "lightgbm", "catboost"])
def test_swapped_columns_are_caught(flavor: str) -> None:
    model = wrapped(CASES[f"{flavor} binary"])
    choice = choose_engine(model, ROWS[:20].tolist(), WIDTH, swapped, CATEGORIES)
    assert choice.engine is choice.native
    assert "swapped differs from the native engine" in choice.reason
    np.testing.assert_array_equal(choice.engine.score(ROWS), model.predict(ROWS))


class Spoilt:
    """A model whose conversion has one thing changed in its trees."""

    def __init__(self, model: Model, place: int, change: Callable[[dict[str, Any]], None]) -> None:
        self.task, self.best_iteration = model.task, model.best_iteration
        self.native, self.predict, self.structure = model.native, model.predict, model.structure
        self.contributions, self.most_explained = model.contributions, model.most_explained
        copy = model.convertible()
        dump = copy.dump_model()
        nodes: list[dict[str, Any]] = [tree["tree_structure"] for tree in dump["tree_info"]]
        for node in nodes:
            nodes += [node[side] for side in ("left_child", "right_child") if side in node]
        key = "leaf_value" if change is spoil_leaf else "threshold"
        found = [node for node in nodes if key in node]
        change(found[place % len(found)])
        copy.dump_model = lambda: dump
        self.convertible = lambda: copy


def spoil_leaf(node: dict[str, Any]) -> None:
    node["leaf_value"] += 0.01


def spoil_threshold(node: dict[str, Any]) -> None:
    node["threshold"] = float(np.nextafter(np.float32(node["threshold"]), np.float32(9)))


def spoil_default(node: dict[str, Any]) -> None:
    node["default_left"] = not node["default_left"]


@pytest.mark.parametrize("place", range(0, 400, 23))
@pytest.mark.parametrize("change", [spoil_leaf, spoil_threshold, spoil_default])
def test_one_wrong_leaf_or_split_is_caught(
    change: Callable[[dict[str, Any]], None], place: int
) -> None:
    model = wrapped(CASES["lightgbm binary"])
    assert chosen(model).engine.name == "onedal"
    choice = chosen(Spoilt(model, place, change))
    assert choice.engine is choice.native
    assert "differs from the native engine" in choice.reason
    np.testing.assert_array_equal(choice.engine.score(ROWS), model.predict(ROWS))


@pytest.mark.parametrize(
    "name",
    [f"{f} {t}" for f in ("xgboost", "lightgbm", "catboost") for t in ("binary", "multiclass")],
)
def test_threads_do_not_disturb_each_other(name: str) -> None:
    model = wrapped(CASES[name])
    choice = chosen(model)
    assert choice.engine.name == "onedal", choice.reason
    rows = make_rows(20_000, 5)
    expected = model.predict(rows)
    sizes = [1, 7, 1, 300, 1, 20_000, 1, 50]

    def ask(seed: int) -> float:
        worst, generator = 0.0, np.random.default_rng(seed)
        for size in sizes * 6:
            start = int(generator.integers(0, len(rows) - size + 1))
            part = slice(start, start + size)
            for engine in (choice.engine, choice.native) if size < 20_000 else (choice.engine,):
                difference = np.abs(engine.score(rows[part]) - expected[part])
                worst = max(worst, float(difference.max()))
        return worst

    with ThreadPoolExecutor(12) as pool:
        assert max(pool.map(ask, range(12))) < 2e-6


@pytest.mark.parametrize("kind", [RandomForestClassifier, HistGradientBoostingClassifier])
def test_threads_do_not_disturb_scikit_learn(kind: type[Any]) -> None:
    settings = {"n_estimators": 5} if kind is RandomForestClassifier else {"max_iter": 5}
    model = find_flavor("sklearn").wrap(kind(**settings).fit(ROWS, YES), BINARY)
    assert model is not None
    engine, expected = chosen(model).engine, model.predict(ROWS)
    with ThreadPoolExecutor(8) as pool:
        parts = [slice(start, start + size) for size in (1, 50) for start in range(0, 500, 20)]
        for part, scores in zip(
            parts, pool.map(engine.score, [ROWS[p] for p in parts]), strict=True
        ):
            np.testing.assert_array_equal(scores, expected[part])


def test_the_documentation_lists_each_case() -> None:
    page = Path(__file__).parents[2] / "docs" / "flavors.md"
    served = {"onedal": "oneDAL", "differs": "native: differs"}
    served["takes not"] = "native: oneDAL does not take it"
    rows = [
        f"| {case.flavor} | {name.partition(' ')[2]} | {served.get(case.expected, 'refused')} |"
        for name, case in CASES.items()
    ]
    table = page.read_text(encoding="utf-8").partition("| served by |\n")[2].partition("\n\n")[0]
    assert table.splitlines()[1:] == rows
