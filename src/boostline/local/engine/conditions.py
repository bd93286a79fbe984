"""The conditions of a Condition step."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from boostline.contracts.pipeline import (
    ConditionUnion,
    Equals,
    GreaterThan,
    GreaterThanOrEqualTo,
    In,
    LessThan,
    LessThanOrEqualTo,
    Not,
    Or,
)
from boostline.local.engine.values import ResolveError, Resolver, is_number

ORDERINGS: dict[type, Callable[[Any, Any], bool]] = {
    GreaterThan: operator.gt,
    GreaterThanOrEqualTo: operator.ge,
    LessThan: operator.lt,
    LessThanOrEqualTo: operator.le,
}


def holds(condition: ConditionUnion, resolver: Resolver) -> bool:
    """Return whether a condition holds.

    Raises
    ------
    ResolveError
        If a value is missing, or is not a finite number where numbers are compared. Nothing is
        taken for false: a metric that is not there must not pass by `Not`, nor by `LessThan`.
    """
    match condition:
        case Not():
            return not holds(condition.condition, resolver)
        case Or():
            results = [holds(inner, resolver) for inner in condition.conditions]
            return any(results)
        case In():
            found = _value(condition.query_value, resolver)
            return any(_equal(found, _value(value, resolver)) for value in condition.values)
        case Equals():
            left, right = condition.left_value, condition.right_value
            return _equal(_value(left, resolver), _value(right, resolver))
    left, right = (
        _number(side, resolver) for side in (condition.left_value, condition.right_value)
    )
    return ORDERINGS[type(condition)](left, right)


def _equal(left: Any, right: Any) -> bool:
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _value(value: Any, resolver: Resolver) -> Any:
    found = resolver.resolve(value)
    if isinstance(found, float) and not is_number(found):
        raise ResolveError(f"{described(value, resolver)} is {found!r}, not a finite number")
    return found


def _number(value: Any, resolver: Resolver) -> Any:
    found = resolver.resolve(value)
    if not is_number(found):
        raise ResolveError(f"{described(value, resolver)} is {found!r}, not a finite number")
    return found


def described(value: Any, resolver: Resolver) -> str:
    """Return where a value comes from, for a message."""
    if not isinstance(value, dict):
        return "a value of the condition"
    if "Std:JsonGet" in value:
        return resolver.origin(value["Std:JsonGet"])
    return str(value.get("Get", "a value of the condition"))
