"""Lambda's errors."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from boostline.contracts.models import service_model
from boostline.local.wire.errors import AwsError


def refusal(code: str, message: str, **members: str) -> AwsError:
    """Return an error of Lambda's with its HTTP status."""
    error = service_model("lambda").shape_for_error_code(code).metadata["error"]
    return AwsError(code, message, error["httpStatusCode"], Type="User", **members)


def too_large(message: str) -> AwsError:
    """Return the error for a request that passes a limit, of which botocore does not know."""
    return AwsError("RequestEntityTooLargeException", message, 413, Type="User")


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
