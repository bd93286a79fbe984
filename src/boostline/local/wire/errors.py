"""Errors as AWS sends them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# What a service calls a request that is not well formed, where it is not `ValidationException`.
ILL_FORMED = {
    "s3": "InvalidRequest",
    "sts": "ValidationError",
    "iam": "ValidationError",
    "cloudformation": "ValidationError",
    "logs": "InvalidParameterException",
    "cloudwatch": "ValidationError",
    "sagemaker-runtime": "ValidationError",
    "apigateway": "BadRequestException",
}


class AwsError(Exception):
    """A refusal that the caller sees, in the words and with the status of the real service.

    Parameters
    ----------
    code
        The error's name in the service's botocore model, for example `ResourceNotFound`.
    message
        What was wrong, where, and what to do.
    status
        HTTP status of the answer.
    members
        Further members of the error's shape, for example `OriginalStatusCode` of `ModelError`; what
        begins with `x-` is a header.
    """

    def __init__(self, code: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members


def invalid(message: str, service: str = "sagemaker") -> AwsError:
    """Return the error that a service answers to most bad requests."""
    return AwsError(ILL_FORMED.get(service, "ValidationException"), message)


def refuse_members(
    request: Mapping[str, Any], members: Iterable[str], service: str = "sagemaker"
) -> None:
    """Refuse a request that has a member which the local platform does not have, by its name.

    Raises
    ------
    AwsError
        As `invalid` of the service.
    """
    for member in members:
        if member in request:
            raise invalid(f"{member}: the local platform does not have this", service)
