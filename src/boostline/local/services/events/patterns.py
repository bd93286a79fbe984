"""Event patterns of exact values, as the templates have them.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from __future__ import annotations

import json
from typing import Any

from boostline.local.wire.documents import read_json

Pattern = dict[str, Any]


class BadPattern(ValueError):
    """A pattern that EventBridge refuses, or the platform does not have."""


def read(text: str) -> Pattern:
    """Return a pattern.

    Raises
    ------
    BadPattern
        If it is none, or asks for something else than values.
    """
    try:
        found = read_json(text)
    except json.JSONDecodeError as error:
        raise BadPattern(f"it is not JSON: {error}") from None
    except ValueError as error:
        raise BadPattern(str(error)) from None
    _check(found, "the pattern")
    return dict(found)


def matches(pattern: Pattern, event: Any) -> bool:
    """Whether an event has what a pattern asks for; what it does not name is of no interest."""
    inside = event if isinstance(event, dict) else {}
    return all(_holds(wanted, inside.get(name, [])) for name, wanted in pattern.items())


def _holds(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        return matches(wanted, found)
    values = found if isinstance(found, list) else [found]
    return any(_equal(value, one) for value in values for one in wanted)


def _equal(value: Any, wanted: Any) -> bool:
    """Whether two are the same for JSON, where `true` is not 1."""
    return bool(value == wanted) and isinstance(value, bool) is isinstance(wanted, bool)


def _check(pattern: Any, where: str) -> None:
    if not isinstance(pattern, dict) or not pattern:
        raise BadPattern(f"{where} must be an object that is not empty")
    for name, wanted in pattern.items():
        if isinstance(wanted, dict):
            _check(wanted, f'"{name}"')
        elif not isinstance(wanted, list) or not wanted:
            raise BadPattern(f'"{name}" must be an object or an array that is not empty')
        elif strange := [one for one in wanted if isinstance(one, dict | list)]:
            shown = json.dumps(strange[0])
            raise BadPattern(f'"{name}": {shown} is no value; the local platform compares values')
