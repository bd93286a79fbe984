"""S3's refusals, in its words.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from boostline.local.service import Service
from boostline.local.store.objects import NoSuchBucket, NoSuchKey
from boostline.local.wire.errors import AwsError

Self = TypeVar("Self", bound=Service)
Members = dict[str, Any]
Handler = Callable[[Self, Members], Members]


def no_such_key(key: str) -> AwsError:
    """Return the error for an object that is not there."""
    return AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=key)


def precondition_failed(condition: str) -> AwsError:
    """Return the error for an If-Match or If-None-Match that does not hold."""
    return AwsError(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        412,
        Condition=condition,
    )


def invalid_argument(message: str, **members: str) -> AwsError:
    """Return the error for a member that S3 does not take."""
    return AwsError("InvalidArgument", message, 400, **members)


# What S3 can do with an object and this one cannot: refused, for to ignore it would be to lie.
UNSUPPORTED = frozenset(
    {
        "CopySourceSSECustomerKey",
        "MFA",
        "ObjectLockLegalHoldStatus",
        "ObjectLockMode",
        "ObjectLockRetainUntilDate",
        "SSECustomerKey",
        "Tagging",
        "VersionId",
        "WebsiteRedirectLocation",
        "WriteOffsetBytes",
    }
)


def check_supported(request: Members) -> None:
    """Raise `NotImplemented` (501) for a member that asks for what the platform does not have."""
    for name in UNSUPPORTED & request.keys():
        message = f"A header you provided implies functionality that is not implemented: {name}"
        raise AwsError("NotImplemented", message, 501, Header=name)


def s3_errors(handler: Handler[Self]) -> Handler[Self]:
    """Let a handler refuse in S3's way: missing buckets and keys, and what there is not."""

    @functools.wraps(handler)
    def refusing(self: Self, request: Members) -> Members:
        check_supported(request)
        owner = request.get("ExpectedBucketOwner", self.platform.settings.account)
        if owner != self.platform.settings.account:
            raise AwsError("AccessDenied", f"The bucket is not {owner}'s", 403)
        try:
            return handler(self, request)
        except NoSuchBucket as error:
            name = str(error)
            message = "The specified bucket does not exist"
            raise AwsError("NoSuchBucket", message, 404, BucketName=name) from None
        except NoSuchKey:
            raise no_such_key(request["Key"]) from None

    return refusing
