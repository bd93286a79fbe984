"""S3's refusals, in its words.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from boostline.local.service import Service
from boostline.local.store.objects import NoSuchBucket, Object
from boostline.local.wire.errors import AwsError

Members = dict[str, Any]
ServiceClass = TypeVar("ServiceClass", bound=type[Service])


def no_such_key(key: str) -> AwsError:
    """Return the error for an object that is not there."""
    return AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=key)


def precondition_failed(condition: str) -> AwsError:
    """Return the error for an If-Match or If-None-Match that does not hold."""
    message = "At least one of the pre-conditions you specified did not hold"
    return AwsError("PreconditionFailed", message, 412, Condition=condition)


def invalid_argument(message: str, **members: str) -> AwsError:
    """Return the error for a member that S3 does not take."""
    return AwsError("InvalidArgument", message, 400, **members)


# What S3 can do and this one cannot: refused, for to ignore it would be to lie.
UNSUPPORTED = frozenset(
    """
    AnnotationDirective BucketNamespace BypassGovernanceRetention IfMatchInitiatedTime
    IfMatchLastModifiedTime IfMatchSize MFA WebsiteRedirectLocation WriteOffsetBytes
    ChecksumXXHASH64 ChecksumXXHASH3 ChecksumXXHASH128
    GrantFullControl GrantRead GrantReadACP GrantWrite GrantWriteACP
    ObjectLockEnabledForBucket ObjectLockEventHold ObjectLockEventHoldDurationDays
    ObjectLockEventHoldDurationYears ObjectLockLegalHoldStatus ObjectLockMode
    ObjectLockRetainUntilDate
    SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5 CopySourceSSECustomerAlgorithm
    CopySourceSSECustomerKey CopySourceSSECustomerKeyMD5
    """.split()  # noqa: SIM905
)


def check_supported(request: Members) -> None:
    """Raise `NotImplemented` (501) for a member that asks for what the platform does not have."""
    for name in UNSUPPORTED & request.keys():
        message = f"A header you provided implies functionality that is not implemented: {name}"
        raise AwsError("NotImplemented", message, 501, Header=name)


def require(found: Object | None, request: Members) -> Object:
    """Return what was found for a key and a version; refuse what is not there or was deleted."""
    key, version = request["Key"], request.get("VersionId")
    if found is None and version is not None:
        message = "The specified version does not exist."
        raise AwsError("NoSuchVersion", message, 404, Key=key, VersionId=version)
    if found is None:
        raise no_such_key(key)
    if found.digest:
        return found
    marker = {"x-amz-delete-marker": "true", "x-amz-version-id": found.version}
    refused = no_such_key(key)
    if version is not None:
        message = "The specified method is not allowed against this resource."
        refused = AwsError("MethodNotAllowed", message, 405, Method="GET", ResourceType="Marker")
    refused.members |= marker
    raise refused


def s3_errors(service: ServiceClass) -> ServiceClass:
    """Let a service's handlers refuse in S3's way: missing buckets, and what there is not."""
    for name, handler in inspect.getmembers(service, inspect.isfunction):
        if not name.startswith("_") and not hasattr(Service, name):
            setattr(service, name, _refusing(handler))
    return service


def _refusing(handler: Callable[[Any, Members], Members]) -> Callable[[Any, Members], Members]:
    @functools.wraps(handler)
    def refusing(self: Any, request: Members) -> Members:
        check_supported(request)
        account = self.platform.settings.account
        for name in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
            if request.get(name, account) != account:
                raise AwsError("AccessDenied", f"The bucket is not {request[name]}'s", 403)
        try:
            return handler(self, request)
        except NoSuchBucket as error:
            message = "The specified bucket does not exist"
            raise AwsError("NoSuchBucket", message, 404, BucketName=str(error)) from None

    return refusing
