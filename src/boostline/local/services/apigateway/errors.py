"""API Gateway's errors."""

from __future__ import annotations

from boostline.local.wire.errors import AwsError


def bad_request(message: str) -> AwsError:
    """Return the error for a request that cannot be done."""
    return AwsError("BadRequestException", message, 400)


def not_found(what: str) -> AwsError:
    """Return the error for a thing that is not there."""
    return AwsError("NotFoundException", f"Invalid {what} specified", 404)


def conflict(message: str) -> AwsError:
    """Return the error for a thing that is there already."""
    return AwsError("ConflictException", message, 409)
