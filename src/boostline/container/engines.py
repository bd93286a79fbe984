"""Engines that score feature rows; an accelerated one serves only after it was verified."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from boostline.container.flavors.base import Model, Rows, Scores, Structure, Task

# A conversion may add the leaves in another order: each sum may differ by a few float32 steps.
_ULPS = 4
_BOUNDARY_ROWS = 2_000


class Engine(Protocol):
    """Scores feature rows."""

    @property
    def name(self) -> str:
        """``native`` or the name of the accelerator."""

    def score(self, rows: Rows) -> Scores:
        """Score rows of shape (rows, columns), NaN for missing; safe to call from threads."""


class NativeEngine:
    """The framework that trained the model."""

    name = "native"

    def __init__(self, model: Model) -> None:
        self._model = model

    def score(self, rows: Rows) -> Scores:
        """Score rows."""
        return self._model.predict(rows)


class OneDalEngine:
    """A conversion of the trees to Intel oneDAL, made once."""

    name = "onedal"

    def __init__(self, converted: Any, task: Task) -> None:
        self._score = _SCORES[task.objective](converted)
        self._task = task

    def score(self, rows: Rows) -> Scores:
        """Score rows."""
        if len(rows) == 0:  # oneDAL raises on zero rows
            return np.empty(self._task.shape(0))
        return np.asarray(self._score(rows), dtype=np.float64)


_SCORES: Mapping[str, Callable[[Any], Callable[[Rows], Any]]] = {
    "binary": lambda converted: lambda rows: converted.predict_proba(rows)[:, 1],
    "multiclass": lambda converted: converted.predict_proba,
    "regression": lambda converted: converted.predict,
}


class ConversionError(Exception):
    """A model has no accelerated form here; the text says why."""


def convert_onedal(model: Model) -> Engine:
    """Convert a model to oneDAL.

    Raises
    ------
    ConversionError
        ``daal4py`` is not installed, or refuses the model.
    """
    try:
        daal4py = importlib.import_module("daal4py")
        builders = importlib.import_module("daal4py.mb")
    except ImportError as error:
        raise ConversionError(f"daal4py is not available: {error}") from None
    daal4py.daalinit(1)  # more threads cost more than they bring for a request's few rows
    try:
        return OneDalEngine(builders.convert_model(model.native), model.task)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise ConversionError(f"oneDAL does not take this model: {error}") from None


@dataclass(frozen=True)
class Parity:
    """How far two engines are apart.

    Attributes
    ----------
    rows
        How many were compared.
    max_difference
        The absolute difference of the two scores that use up most of what they are allowed.
    tolerance
        What these two are allowed.
    """

    rows: int
    max_difference: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance; not so if it is not a number."""
        return self.max_difference <= self.tolerance


@dataclass(frozen=True)
class Choice:
    """The engine that serves, what it was compared with, and why no other was taken."""

    engine: Engine
    native: NativeEngine
    parity: Parity | None = None
    reason: str = ""


def choose_engine(
    model: Model,
    golden: Sequence[Sequence[float]],
    width: int,
    convert: Callable[[Model], Engine] = convert_onedal,
) -> Choice:
    """Take the accelerated engine where it agrees with the native one.

    Parameters
    ----------
    model
        The loaded model.
    golden
        Feature rows of real records.
    width
        How many columns a row has.
    convert
        Makes the accelerated engine, or raises ``ConversionError``.

    Returns
    -------
    Choice
        The verified conversion; otherwise the native engine, with the reason. A model that is
        no trees has none.
    """
    native = NativeEngine(model)
    structure = model.structure()
    if structure is None:
        return Choice(native, native)
    try:
        candidate = convert(model)
        rows = probe_rows(golden, width, structure)
        parity = compare(candidate, native, rows, structure)
    except ConversionError as error:
        return Choice(native, native, reason=str(error))
    except Exception as error:  # whatever a foreign conversion does, the native engine can serve
        reason = f"the conversion fails at scoring: {type(error).__name__}: {error}"
        return Choice(native, native, reason=reason)
    if parity.agrees:
        return Choice(candidate, native, parity)
    reason = (
        f"{candidate.name} differs from the native engine by {parity.max_difference:.3g} "
        f"over {parity.rows} rows, {parity.tolerance:.3g} is allowed"
    )
    return Choice(native, native, parity, reason)


def compare(candidate: Engine, native: Engine, rows: Rows, structure: Structure) -> Parity:
    """Score rows with both engines.

    The tolerance is 1e-6·max(1, |score|) plus float32 rounding of the sum of the leaves, passed on
    with the slope of what makes a score of it.
    """
    rounding = _ULPS * float(np.finfo(np.float32).eps) * structure.leaf_sum * structure.slope
    found, expected = candidate.score(rows), native.score(rows)
    if found.shape != expected.shape or not expected.size:
        return Parity(len(rows), float("inf") if expected.size else 0.0, 1e-6 + rounding)
    tolerance = (1e-6 * np.maximum(1.0, np.abs(expected)) + rounding).ravel()
    # A NaN never agrees.
    difference = np.nan_to_num(np.abs(found - expected), nan=np.inf).ravel()
    worst = int(np.argmax(difference / tolerance))
    return Parity(len(rows), float(difference[worst]), float(tolerance[worst]))


def probe_rows(golden: Sequence[Sequence[float]], width: int, structure: Structure) -> Rows:
    """Make the rows to verify an engine with.

    Real rows; constant rows of missing, zero and extreme values; each column missing in turn; and
    rows that lie exactly on, and just below, the splits of the trees.
    """
    largest, tiny = np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal
    constants = [np.nan, 0.0, 1.0, -1.0, largest, -largest, tiny, -tiny]
    rows = np.array([[value] * width for value in constants], dtype=np.float32)
    if not golden:
        golden = [[0.0] * width]
    real = np.array(golden, dtype=np.float32)
    holes = np.repeat(real[:1], width, axis=0)
    np.fill_diagonal(holes, np.nan)
    return np.concatenate([rows, real, holes, _on_boundaries(real, structure)])


def _on_boundaries(real: Rows, structure: Structure) -> Rows:
    step = -(-2 * len(structure.boundaries) // _BOUNDARY_ROWS) or 1
    chosen = structure.boundaries[::step]
    rows = np.repeat(real, -(-2 * len(chosen) // len(real)), axis=0)[: 2 * len(chosen)]
    for place, (column, value) in enumerate(chosen):
        on = np.float32(value)
        rows[2 * place, column] = on
        rows[2 * place + 1, column] = np.nextafter(on, np.float32(-np.inf))
    return rows
