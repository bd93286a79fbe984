"""Why a request does not come in, in the words of the protocol it is written in."""

from __future__ import annotations

from enum import Enum
from typing import Any

from boostline.local.wire.errors import AwsError


class Refused(Enum):
    """The reasons: the message, then code and status in S3, the query and the JSON services.

    The codes are S3's error responses, the common errors of the query services, and what the JSON
    services answer: there it is the query services' code followed by `Exception` if it says `+`.
    """

    UNSIGNED = (
        "Missing Authentication Token",
        "AccessDenied 403 MissingAuthenticationToken 403 + 403",
    )
    MECHANISM = (
        "The authorization mechanism you have provided is not supported. "
        "Please use AWS4-HMAC-SHA256.",
        "InvalidRequest 400 IncompleteSignature 400 + 400",
    )
    INCOMPLETE = (
        "The authorization information is incomplete or malformed",
        "AuthorizationHeaderMalformed 400 IncompleteSignature 400 + 400",
    )
    KEY = (
        "The security token included in the request is invalid.",
        "InvalidAccessKeyId 403 InvalidClientTokenId 403 UnrecognizedClientException 403",
    )
    SIGNATURE = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method.",
        "SignatureDoesNotMatch 403 SignatureDoesNotMatch 403 InvalidSignatureException 403",
    )
    REGION = (
        "The authorization header is malformed: the region is wrong;",
        "AuthorizationHeaderMalformed 400 SignatureDoesNotMatch 403 InvalidSignatureException 403",
    )
    SKEWED = (
        "The difference between the request time and the server's time is too large.",
        "RequestTimeTooSkewed 403 SignatureDoesNotMatch 403 InvalidSignatureException 403",
    )
    EXPIRED = (
        "Request has expired",
        "AccessDenied 403 RequestExpired 400 RequestExpired 400",
    )
    PAYLOAD = (
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        "XAmzContentSHA256Mismatch 400 SignatureDoesNotMatch 403 InvalidSignatureException 403",
    )


_COLUMN = {"rest-xml": 0, "query": 2, "json": 4, "rest-json": 4}


def refusal(reason: Refused, protocol: str, detail: str = "", **members: Any) -> AwsError:
    """Return the error for a reason in a protocol (botocore's name of it)."""
    message, table = reason.value
    codes = table.split()
    code, status = codes[_COLUMN[protocol] :][:2]
    code = f"{codes[2]}Exception" if code == "+" else code
    return AwsError(code, f"{message} {detail}".strip(), int(status), **members)
