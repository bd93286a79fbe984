"""Lambda's errors."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from boostline.local.wire.errors import AwsError

STATUSES = {
    "ResourceNotFoundException": 404,
    "ResourceConflictException": 409,
    "RequestEntityTooLargeException": 413,
    "TooManyRequestsException": 429,
}


class AccessDenied(Exception):
    """The function's policy does not let this caller invoke it."""


def refusal(code: str, message: str, **members: str) -> AwsError:
    """Return an error of Lambda's with its HTTP status."""
    return AwsError(code, message, STATUSES.get(code, 400), Type="User", **members)


def invalid(message: str) -> AwsError:
    """Return the error that Lambda answers to most bad requests."""
    return refusal("InvalidParameterValueException", message)


def refuse_others(request: Mapping[str, Any], names: Set[str]) -> None:
    """Refuse members that the local platform does not have, if they ask for something."""
    others = sorted(name for name in request.keys() - names if request[name])
    if others:
        raise invalid(
            f"the local platform does not have {', '.join(others)} for functions; "
            f"it has {', '.join(sorted(names))}"
        )
