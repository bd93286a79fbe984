"""Event patterns: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from typing import Any

Pattern = dict[str, Any]
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


class BadPattern(ValueError):
    """A pattern that EventBridge refuses, or the platform does not have."""


def read(text: str) -> Pattern:
    """Return a pattern.

    Raises
    ------
    BadPattern
        If it is none, or has an operator that is not here.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadPattern(f"it is not JSON: {error}") from None
    _check(found, "the pattern")
    return dict(found)


def matches(pattern: Pattern, event: Any) -> bool:
    """Whether an event has what a pattern asks for; what it does not name is of no interest."""
    inside = event if isinstance(event, dict) else {}
    for name, wanted in pattern.items():
        if name == "$or":
            if not any(matches(one, inside) for one in wanted):
                return False
        elif isinstance(wanted, dict):
            if not matches(wanted, inside.get(name)):
                return False
        elif not any(_holds(one, inside, name) for one in wanted):
            return False
    return True


def _holds(wanted: Any, inside: dict[str, Any], name: str) -> bool:
    if isinstance(wanted, dict):
        ((kind, argument),) = wanted.items()
        if kind == "exists":
            is_leaf = name in inside and not isinstance(inside[name], dict)
            return is_leaf is argument
    else:
        kind, argument = "", wanted
    values = inside.get(name, [])
    values = values if isinstance(values, list) else [values]
    return any(OPERATORS[kind][1](value, argument) for value in values)


def _check(pattern: Any, where: str) -> None:
    if not isinstance(pattern, dict) or not pattern:
        raise BadPattern(f"{where} must be an object that is not empty")
    for name, wanted in pattern.items():
        if isinstance(wanted, dict):
            _check(wanted, f'"{name}"')
        elif not isinstance(wanted, list) or not wanted:
            raise BadPattern(f'"{name}" must be an object or an array that is not empty')
        elif name == "$or":
            for one in wanted:
                _check(one, "$or")
        else:
            for one in wanted:
                _check_value(name, one)


def _check_value(name: str, wanted: Any) -> None:
    if isinstance(wanted, list):
        raise BadPattern(f'"{name}" has an array in its array')
    if not isinstance(wanted, dict):
        return
    if len(wanted) != 1:
        raise BadPattern(f'"{name}": an operator stands alone in its object')
    ((kind, argument),) = wanted.items()
    if kind not in OPERATORS or not kind:
        had = ", ".join(filter(None, OPERATORS))
        raise BadPattern(f'"{name}": unrecognized match type {kind}; the local platform has {had}')
    if not OPERATORS[kind][0](argument):
        raise BadPattern(f'"{name}": {json.dumps(argument)} does not go with {kind}')


def _is_text(argument: Any) -> bool:
    return isinstance(argument, str)


def _is_other(argument: Any) -> bool:
    """Whether an argument is what `anything-but` takes: values, or texts of one operator."""
    kinds: tuple[type, ...] = (str, int, float)
    if isinstance(argument, dict) and len(argument) == 1:
        ((kind, argument),) = argument.items()
        kinds = (str,) if kind in ("prefix", "suffix", "equals-ignore-case") else ()
    values = argument if isinstance(argument, list) else [argument]
    return bool(values) and all(isinstance(one, kinds) for one in values)


def _is_range(argument: Any) -> bool:
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(sign in COMPARISONS and _is_number(bound) for sign, bound in pairs)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equals(value: Any, wanted: Any) -> bool:
    return bool(value == wanted) and isinstance(value, bool) is isinstance(wanted, bool)


def _other(value: Any, wanted: Any) -> bool:
    kind, argument = next(iter(wanted.items())) if isinstance(wanted, dict) else ("", wanted)
    unwanted = argument if isinstance(argument, list) else [argument]
    return not any(OPERATORS[kind][1](value, one) for one in unwanted)


def _in_range(value: Any, wanted: list[Any]) -> bool:
    pairs = zip(wanted[::2], wanted[1::2], strict=True)
    return _is_number(value) and all(COMPARISONS[sign](value, bound) for sign, bound in pairs)


def _texts(compare: Callable[[str, str], bool]) -> Callable[[Any, str], bool]:
    return lambda value, wanted: isinstance(value, str) and compare(value, wanted)


# Operators: what their arguments may be, and when a value has what they ask for. The first is none.
OPERATORS: dict[str, tuple[Callable[[Any], bool], Callable[[Any, Any], bool]]] = {
    "": (lambda _: True, _equals),
    "prefix": (_is_text, _texts(str.startswith)),
    "suffix": (_is_text, _texts(str.endswith)),
    "equals-ignore-case": (_is_text, _texts(lambda a, b: a.casefold() == b.casefold())),
    "anything-but": (_is_other, _other),
    "numeric": (_is_range, _in_range),
    "exists": (lambda argument: isinstance(argument, bool), _equals),
}
