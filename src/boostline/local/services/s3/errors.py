"""S3's refusals, in its words.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import re
from typing import Any

from boostline.local.store.objects import Object
from boostline.local.wire.errors import AwsError

Members = dict[str, Any]

# What S3 can do and this one cannot: refused, for to ignore it would be to lie.
UNSUPPORTED = re.compile(
    r".*\.(AnnotationDirective|BucketNamespace|BypassGovernanceRetention|ChecksumXXHASH|Grant"
    r"|IfMatch(InitiatedTime|LastModifiedTime|Size)|MFA|ObjectLock|ObjectOwnership"
    r"|(CopySource)?SSECustomer|WebsiteRedirectLocation|WriteOffsetBytes)"
    r"|(Get|Head)Object\.PartNumber|ListMultipartUploads\.Delimiter"
)


def check_supported(operation: str, request: Members) -> None:
    """Raise `NotImplemented` (501) for a member that asks for what the platform does not have."""
    for name in (*request, f"Checksum{request.get('ChecksumAlgorithm')}"):
        if UNSUPPORTED.match(f"{operation}.{name}"):
            message = f"A header you provided implies functionality that is not implemented: {name}"
            raise AwsError("NotImplemented", message, 501, Header=name)


def no_such_key(key: str) -> AwsError:
    """Return the error for an object that is not there."""
    return AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=key)


def precondition_failed(condition: str) -> AwsError:
    """Return the error for an If-Match or If-None-Match that does not hold."""
    message = "At least one of the pre-conditions you specified did not hold"
    return AwsError("PreconditionFailed", message, 412, Condition=condition)


def invalid_argument(message: str) -> AwsError:
    """Return the error for a member that S3 does not take."""
    return AwsError("InvalidArgument", message)


def require(found: Object | None, request: Members) -> Object:
    """Return what was found for a key and a version; refuse what is not there or was deleted."""
    key, version = request["Key"], request.get("VersionId")
    if found is not None and found.digest:
        return found
    if found is None and version is not None:
        message = "The specified version does not exist."
        raise AwsError("NoSuchVersion", message, 404, Key=key, VersionId=version)
    refused = no_such_key(key)
    if version is not None:
        message = "The specified method is not allowed against this resource."
        refused = AwsError("MethodNotAllowed", message, 405, Method="GET", ResourceType="Marker")
    if found is not None:
        marker = {"x-amz-delete-marker": "true", "x-amz-version-id": found.version}
        refused.members |= marker
    raise refused
