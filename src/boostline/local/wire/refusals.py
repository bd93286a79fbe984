"""Why a request does not come in, in the words of the protocol it is written in.

The codes are those that AWS's services send: S3's error responses for `rest-xml`, the common errors
of the query services for `query`, and what the JSON services answer.
"""

from __future__ import annotations

from enum import Enum

from boostline.local.wire.errors import AwsError


class Refused(Enum):
    """The reasons."""

    UNSIGNED = "Missing Authentication Token"
    MECHANISM = (
        "The authorization mechanism you have provided is not supported. "
        "Please use AWS4-HMAC-SHA256."
    )
    INCOMPLETE = "The authorization information is incomplete or malformed"
    KEY = "The security token included in the request is invalid."
    SIGNATURE = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method."
    )
    SKEWED = "The difference between the request time and the server's time is too large."
    EXPIRED = "Request has expired"
    PAYLOAD = "The provided 'x-amz-content-sha256' header does not match what was computed."


# Reason → code and status of S3, of the query services, of the JSON services.
_CODES: dict[Refused, tuple[tuple[str, int], tuple[str, int], tuple[str, int]]] = {
    Refused.UNSIGNED: (
        ("AccessDenied", 403),
        ("MissingAuthenticationToken", 403),
        ("MissingAuthenticationTokenException", 403),
    ),
    Refused.MECHANISM: (
        ("InvalidRequest", 400),
        ("IncompleteSignature", 400),
        ("IncompleteSignatureException", 400),
    ),
    Refused.INCOMPLETE: (
        ("AuthorizationHeaderMalformed", 400),
        ("IncompleteSignature", 400),
        ("IncompleteSignatureException", 400),
    ),
    Refused.KEY: (
        ("InvalidAccessKeyId", 403),
        ("InvalidClientTokenId", 403),
        ("UnrecognizedClientException", 403),
    ),
    Refused.SIGNATURE: (
        ("SignatureDoesNotMatch", 403),
        ("SignatureDoesNotMatch", 403),
        ("InvalidSignatureException", 403),
    ),
    Refused.SKEWED: (
        ("RequestTimeTooSkewed", 403),
        ("SignatureDoesNotMatch", 403),
        ("InvalidSignatureException", 403),
    ),
    Refused.EXPIRED: (
        ("AccessDenied", 403),
        ("RequestExpired", 400),
        ("RequestExpired", 400),
    ),
    Refused.PAYLOAD: (
        ("XAmzContentSHA256Mismatch", 400),
        ("SignatureDoesNotMatch", 403),
        ("InvalidSignatureException", 403),
    ),
}
_COLUMN = {"rest-xml": 0, "query": 1, "json": 2, "rest-json": 2}


def refusal(reason: Refused, protocol: str, detail: str = "") -> AwsError:
    """Return the error for a reason in a protocol (botocore's name of it)."""
    code, status = _CODES[reason][_COLUMN[protocol]]
    return AwsError(code, f"{reason.value} {detail}".strip(), status)
