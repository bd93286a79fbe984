"""The conditions of a Condition step."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from boostline.contracts.pipeline import ConditionUnion, Equals, In, Not, Or
from boostline.local.engine.values import ResolveError, Resolver, is_number

ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


def holds(condition: ConditionUnion, resolver: Resolver) -> bool:
    """Return whether a condition holds.

    Raises `ResolveError` if a value is missing, or no finite number where numbers are compared:
    nothing is taken for false, or a metric that is not there would pass by `Not` or `LessThan`.
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
    sides = condition.left_value, condition.right_value
    ordered = not isinstance(condition, Equals)
    left, right = (_value(side, resolver, number=ordered) for side in sides)
    return ORDERINGS[type(condition).__name__](left, right) if ordered else _equal(left, right)


def _equal(left: Any, right: Any) -> bool:
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _value(value: Any, resolver: Resolver, *, number: bool = False) -> Any:
    found = resolver.resolve(value)
    if (number or isinstance(found, float)) and not is_number(found):
        where = resolver.origin(value)
        raise ResolveError(f"{where} is {found!r}, not a finite number")
    return found
