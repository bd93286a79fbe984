"""Hyperparameters: declared in tables, read from the strings that SageMaker passes."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from boostline.container.errors import ContainerError

Value = float | int | str


@dataclass(frozen=True)
class Hyperparameter:
    """One known name.

    Attributes
    ----------
    name, aliases
        How it may be written; the first is what the program reads.
    kind
        What it holds; a ``real`` may also be one of ``words``.
    default
        Its value where the job gives none.
    low, high
        Inclusive bounds of a number.
    words
        The texts it may be.
    """

    name: str
    kind: Literal["integer", "real", "word"]
    default: Value
    low: float = -math.inf
    high: float = math.inf
    words: tuple[str, ...] = ()
    aliases: tuple[str, ...] = field(default=())

    def read(self, raw: object) -> Value:
        """Read a value as SageMaker passes it: a number, its text, or that as JSON text again.

        Raises
        ------
        ContainerError
            It is of another kind or out of bounds.
        """
        value = _decoded(raw)
        if isinstance(value, str) and value in self.words:
            return value
        if self.kind != "word" and isinstance(value, int | float) and not isinstance(value, bool):
            whole = self.kind == "real" or float(value).is_integer()
            if math.isfinite(value) and self.low <= value <= self.high and whole:
                return int(value) if self.kind == "integer" else float(value)
        raise ContainerError(f"hyperparameter {self.name!r}: {raw!r} is not {self._allowed()}")

    def _allowed(self) -> str:
        words = " or ".join(repr(word) for word in self.words)
        if self.kind == "word":
            return words
        noun = "an integer" if self.kind == "integer" else "a number"
        if math.isinf(self.high):
            bounds = "" if math.isinf(self.low) else f" of at least {self.low:g}"
        else:
            bounds = f" between {self.low:g} and {self.high:g}"
        return noun + bounds + (f", {words}" if words else "")


def read_hyperparameters(
    given: Mapping[str, object], known: Iterable[Hyperparameter]
) -> dict[str, Value]:
    """Read a job's hyperparameters.

    Parameters
    ----------
    given
        What ``hyperparameters.json`` holds. Names that SageMaker and its SDKs add by themselves
        (``sagemaker_…``, ``_tuning_objective_metric``) are skipped.
    known
        The table.

    Returns
    -------
    dict
        A value for each known name.

    Raises
    ------
    ContainerError
        A name is unknown or given twice, or a value cannot be read.
    """
    table = list(known)
    by_name = {name: item for item in table for name in (item.name, *item.aliases)}
    values: dict[str, Value] = {}
    for name, raw in given.items():
        if name.startswith("sagemaker_") or name == "_tuning_objective_metric":
            continue
        item = by_name.get(name)
        if item is None:
            raise ContainerError(_unknown(name, by_name))
        if item.name in values:
            names = " and ".join((item.name, *item.aliases))
            raise ContainerError(f"hyperparameters {names} are the same: give one of them")
        values[item.name] = item.read(raw)
    return {item.name: values.get(item.name, item.default) for item in table}


def parse_hyperparameters(text: bytes) -> dict[str, Any]:
    """Decode ``hyperparameters.json``.

    Raises
    ------
    ContainerError
        It is no JSON object.
    """
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ContainerError(f"hyperparameters.json: not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ContainerError("hyperparameters.json: not an object of names and values")
    return given


def _decoded(raw: object) -> object:
    """Undo up to two layers of JSON in text, as the SDKs write them."""
    value = raw
    for _ in range(2):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value)
        except ValueError:
            break
    return value


def _unknown(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.0)[0]
    return f"unknown hyperparameter {name!r}: the nearest known is {near!r} of {', '.join(names)}"
