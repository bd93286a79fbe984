import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray

from boostline.container.engines import (
    ConversionError,
    Engine,
    NativeEngine,
    choose_engine,
    compare,
    convert_onedal,
)
from boostline.container.flavors.base import FunctionModel, Model, Rows, Scores, Structure, Ways
from boostline.container.loading import LoadedModel
from boostline.container.probes import probe_rows

needs_onedal = pytest.mark.skipif(
    importlib.util.find_spec("daal4py") is None, reason="oneDAL has no wheel here"
)


class Corrupted:
    """A conversion of the trees that is wrong for some rows only."""

    name = "corrupted"

    def __init__(self, inner: Engine, column: int, offset: float) -> None:
        self._inner = inner
        self._column = column
        self._offset = offset

    def score(self, rows: Rows) -> Scores:
        wrong = np.isnan(rows[:, self._column])
        return self._inner.score(rows) + np.where(wrong, self._offset, 0.0)


def golden(loaded: LoadedModel) -> list[list[float]]:
    return loaded.artifact.golden.rows


def width(loaded: LoadedModel) -> int:
    return len(loaded.artifact.contract.columns)


@needs_onedal
def test_a_right_conversion_serves(loaded: LoadedModel) -> None:
    choice = choose_engine(loaded.model, golden(loaded), width(loaded))
    assert choice.engine.name == "onedal"
    assert choice.reason == ""
    assert choice.parity is not None
    assert choice.parity.rows > 300
    assert choice.parity.max_difference < 1e-6


@pytest.mark.parametrize("offset", [1e-4, -0.5, float("nan")])
def test_a_corrupted_conversion_does_not_serve(loaded: LoadedModel, offset: float) -> None:
    def convert(model: Model) -> Engine:
        return Corrupted(NativeEngine(model), column=5, offset=offset)

    choice = choose_engine(loaded.model, golden(loaded), width(loaded), convert)
    assert choice.engine.name == "native"
    assert "corrupted differs from the native engine" in choice.reason


def test_a_wrong_number_of_scores_does_not_serve(loaded: LoadedModel) -> None:
    class Short(NativeEngine):
        def score(self, rows: Rows) -> Scores:
            return super().score(rows)[1:]

    choice = choose_engine(loaded.model, golden(loaded), width(loaded), Short)
    assert choice.engine is choice.native


def test_a_conversion_that_raises_does_not_serve(loaded: LoadedModel) -> None:
    class Raising(NativeEngine):
        def score(self, rows: Rows) -> Scores:
            raise RuntimeError("no device")

    choice = choose_engine(loaded.model, golden(loaded), width(loaded), Raising)
    assert choice.engine is choice.native
    assert "RuntimeError: no device" in choice.reason


def test_without_the_library_the_native_engine_serves(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "daal4py", None)
    with pytest.raises(ConversionError, match="not available"):
        convert_onedal(loaded.model)
    choice = choose_engine(loaded.model, golden(loaded), width(loaded))
    assert choice.engine is choice.native
    assert "daal4py is not available" in choice.reason


@needs_onedal
def test_a_refused_model_is_no_failure(loaded: LoadedModel) -> None:
    class Foreign:
        native = object()
        best_iteration = most_explained = None
        task = loaded.model.task
        predict = staticmethod(loaded.model.predict)
        structure = staticmethod(loaded.model.structure)
        contributions = staticmethod(loaded.model.contributions)
        convertible = staticmethod(object)

    choice = choose_engine(Foreign(), golden(loaded), width(loaded))
    assert choice.engine is choice.native
    assert "does not take this model" in choice.reason


def test_no_rows_no_scores(loaded: LoadedModel) -> None:
    rows = np.empty((0, width(loaded)), dtype=np.float32)
    assert loaded.choice.engine.score(rows).shape == (0,)
    assert loaded.choice.native.score(rows).shape == (0,)


def test_a_model_without_trees_is_not_converted(loaded: LoadedModel) -> None:
    model = FunctionModel(None, loaded.model.task, lambda _, rows: rows[:, 0] * 0, pytest.fail)
    choice = choose_engine(model, golden(loaded), width(loaded))
    assert choice.engine is choice.native
    assert choice.reason == ""


class Fixed:
    """Answers given scores."""

    name = "fixed"

    def __init__(self, *scores: float) -> None:
        self._scores = np.array(scores)

    def score(self, rows: Rows) -> Scores:
        return self._scores


@pytest.mark.parametrize(
    ("found", "expected", "agrees"),
    [
        (2_000.0005, 2_000.0, True),  # relative to large scores
        (2_000.01, 2_000.0, False),
        (0.000_000_5, 0.0, True),  # absolute for small ones
        (0.000_01, 0.0, False),
        (float("nan"), 0.0, False),
    ],
)
def test_the_tolerance_grows_with_the_score(found: float, expected: float, agrees: bool) -> None:
    rows = np.zeros((2, 1), dtype=np.float32)
    structure = Structure(1.0, Ways.of([]), slope=1.0)
    parity = compare(Fixed(found, 9000.0), Fixed(expected, 9000.001), rows, structure)
    assert parity.agrees is agrees


def test_probes_lie_on_the_boundaries() -> None:
    rows = probe_rows([[1.0, 2.0]], 2, Structure(1.0, Ways.of([[(1, 0.25, True)]])))
    near = [0.25, *(float(np.nextafter(np.float32(0.25), np.float32(to))) for to in (-1, 1))]
    assert rows[-3:].tolist() == [[1.0, value] for value in near]
    assert np.isnan(rows).any(axis=0).all()


@pytest.mark.parametrize(("trees", "width"), [(1, 3), (5_000, 3), (1, 3_000)])
def test_what_verification_costs_is_bounded(trees: int, width: int) -> None:
    ways = Ways.of([(0, float(value), False)] for value in range(300_000))
    rows = probe_rows([], width, Structure(1.0, ways, trees=trees))
    assert len(rows) <= 600_000 + 50 * width
    assert len(rows) * trees <= 60_250_000
    assert rows.size <= 12_000_000 + 50 * width**2
    assert len(np.unique(rows[:, 0])) > 1_000  # those that are left are spread


def test_the_row_to_a_leaf_is_one_that_moves_the_score() -> None:
    def slopes(rows: Rows) -> NDArray[np.float64]:
        return np.where((rows[:, 1] > 3) & (rows[:, 2] < 0), 0.2, 0.0)

    golden = [[0.0, 5.0, 1.0], [0.0, 0.0, -1.0], [0.0, 1.0, 1.0]]  # none of them, but a mixture
    ways = Ways.of([[(0, 0.5, True), (0, 0.75, False)]])
    rows = probe_rows(golden, 3, Structure(1.0, ways), slopes=slopes)
    there = rows[(rows[:, 0] > 0.5) & (rows[:, 0] < 0.75)]
    assert [5.0, -1.0] in there[:, 1:].tolist()
