"""Engines that score feature rows; an accelerated one serves only after it was verified."""

import importlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from boostline.container.flavors.base import Model, Rows, Scores, Structure, Task
from boostline.container.probes import probe_rows
from boostline.container.server.settings import usable_cpus

# A conversion may add the leaves in another order: each sum may differ by a few float32 steps.
_ULPS = 4
_SHARE = 4_096  # rows that are worth handing to a thread: about a millisecond


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
    """A conversion of the trees to Intel oneDAL, made once.

    Few rows are scored in the thread that asks; many are shared among threads of the engine's own,
    which pays because oneDAL releases the interpreter's lock. oneDAL's threads are no alternative:
    their number is the process's, and they spin while others score single rows.

    Parameters
    ----------
    converted
        A ``GBTDAALModel``; each call of it makes a new prediction object.
    task
        What is answered.
    """

    name = "onedal"

    def __init__(self, converted: Any, task: Task) -> None:
        method = "predict" if task.objective == "regression" else "predict_proba"
        self._predict: Callable[[Rows], Any] = getattr(converted, method)
        self._binary = task.objective == "binary"
        self._task = task

    def score(self, rows: Rows) -> Scores:
        """Score rows."""
        if len(rows) == 0:  # oneDAL raises on zero rows
            return np.empty(self._task.shape(0))
        scores = self._predict(rows) if len(rows) < 2 * _SHARE else self._shared(rows)
        # A copy: oneDAL's are float32.
        return np.asarray(scores[:, 1] if self._binary else scores, dtype=np.float64)

    def _shared(self, rows: Rows) -> Any:
        parts = np.array_split(rows, min(len(rows) // _SHARE, 4 * usable_cpus()))
        return np.concatenate([*self._threads.map(self._predict, parts)])

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        # Made when it is needed: threads would not survive the fork of a server's workers.
        return ThreadPoolExecutor(usable_cpus(), thread_name_prefix="onedal")


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
    daal4py.daalinit(1)  # the engine has threads of its own
    try:
        return OneDalEngine(builders.convert_model(model.convertible()), model.task)
    except Exception as error:  # a foreign model can fail in any way
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
    categories: Sequence[int] = (),
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
    categories
        How many codes each column has; 0 where it is a number.

    Returns
    -------
    Choice
        The verified conversion; otherwise the native engine, with the reason. A model that is
        no trees has none.
    """
    native = NativeEngine(model)
    try:
        structure = model.structure()
        if structure is None:
            return Choice(native, native)
        candidate = convert(model)
        rows = probe_rows(golden, width, structure, categories, partial(_slopes, model))
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


def _slopes(model: Model, rows: Rows) -> NDArray[np.float64]:
    """Tell how much scores move with the sum of the leaves: hardly where they are near 0 or 1."""
    if model.task.objective == "regression":
        return np.ones(len(rows))
    scores = model.predict(rows).reshape(len(rows), -1)
    return np.asarray((scores * (1 - scores)).max(axis=1))


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
