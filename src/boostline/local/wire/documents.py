"""JSON that clients send, as a whole body or inside a member."""

from __future__ import annotations

import json
import math
from typing import Any

# Far more than any request nests, and few enough that what walks a document has the stack for it.
DEEPEST = 200


def read_json(text: str | bytes) -> Any:
    """Return what a JSON text means.

    Raises
    ------
    ValueError
        If it is no JSON (`NaN` and `Infinity` are none), nested more than `DEEPEST` deep, or has a
        number that no double can hold.
    """
    try:
        found = json.loads(text, parse_constant=_not_json, parse_float=_finite)
    except RecursionError:
        raise _too_deep() from None
    level = [found]
    for _ in range(DEEPEST):
        # A number or a text ends here: only what may hold more is looked into.
        level = [each for one in level for each in _inside(one) if isinstance(each, dict | list)]
        if not level:
            return found
    raise _too_deep()


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {DEEPEST} deep")


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text:.40} is beyond the numbers of 64 bits")
    return value
