"""Hyperparameters: declared in tables, read from the strings that SageMaker passes."""

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from boostline.container.errors import ContainerError

Value = float | int | str

_LARGEST = sys.float_info.max


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
    words, forms
        The texts it may be, and forms of texts: how one is shown, and its regular expression.
    """

    name: str
    kind: Literal["integer", "real", "word"]
    default: Value
    low: float = -math.inf
    high: float = math.inf
    words: tuple[str, ...] = ()
    forms: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = field(default=())

    def read(self, raw: object) -> Value:
        """Read a value as SageMaker passes it: a number, its text, or that as JSON text again.

        Raises
        ------
        ContainerError
            It is of another kind or out of bounds.
        """
        value = decode(raw)
        text = json.dumps(value, sort_keys=True) if isinstance(value, dict) else value
        if isinstance(text, str) and self._is_text(text):
            return text
        if self.kind != "word" and isinstance(value, int | float) and not isinstance(value, bool):
            whole = self.kind == "real" or value % 1 == 0
            # Integers may be longer than any float: they compare with one, and nothing else.
            if -_LARGEST <= value <= _LARGEST and self.low <= value <= self.high and whole:
                return int(value) if self.kind == "integer" else float(value)
        raise ContainerError(f"hyperparameter {self.name!r}: {raw!r} is not {self._allowed()}")

    def _is_text(self, text: str) -> bool:
        forms = self.forms.values()
        return text in self.words or any(re.fullmatch(form, text, re.DOTALL) for form in forms)

    def _allowed(self) -> str:
        words = " or ".join(repr(word) for word in (*filter(None, self.words), *self.forms))
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
        if _is_foreign(name):
            continue
        item = by_name.get(name)
        if item is None:
            raise ContainerError(_unknown(name, by_name))
        if item.name in values:
            names = " and ".join((item.name, *item.aliases))
            raise ContainerError(f"hyperparameters {names} are the same: give one of them")
        values[item.name] = item.read(raw)
    return {item.name: values.get(item.name, item.default) for item in table}


def decode_hyperparameters(given: Mapping[str, object], but: str) -> dict[str, Any]:
    """Give values the types that their texts say, for the user's own training.

    Parameters
    ----------
    given
        What ``hyperparameters.json`` holds.
    but
        A name that is left out, beside those that SageMaker adds.

    Returns
    -------
    dict
        Numbers, true and false, lists, objects, and texts.
    """
    kept = [name for name in given if name != but and not _is_foreign(name)]
    return {name: decode(given[name]) for name in kept}


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


def _is_foreign(name: str) -> bool:
    """Whether SageMaker or its SDKs add it by themselves."""
    return name.startswith("sagemaker_") or name == "_tuning_objective_metric"


def decode(raw: object) -> object:
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
