"""AWS signatures, verified by computing them again.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import re
from typing import Any, NamedTuple

from botocore.auth import HmacV1Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from boostline.local.wire.head import Head
from boostline.local.wire.refusals import Refused

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
CHUNKED_PAYLOAD = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SKEW = dt.timedelta(minutes=15)
_LONGEST = dt.timedelta(days=7)
_NAMES = ("Credential", "SignedHeaders", "Signature")
_FIELD = re.compile(rf"({'|'.join(_NAMES)})=([^,\s]+)")
_STAMP = "%Y%m%dT%H%M%SZ"
# Services that are also signed for one region, wherever the client is.
_GLOBAL = {"iam", "sts"}


class BadSignature(Exception):
    """A request that is not signed, or not as it should be: `reason` says why."""

    def __init__(self, reason: Refused, detail: str = "", **members: Any) -> None:
        super().__init__(f"{reason.value[0]} {detail}")
        self.reason = reason
        self.detail = detail
        self.members = members


class Signature(NamedTuple):
    """What a request says of its signature.

    `payload` is the declared digest of the body, the name of another way to say what the body is,
    or None where the body itself must be digested. `lifetime` is that of a presigned URL; None for
    a signed header.
    """

    access_key: str
    date: str
    region: str
    service: str
    stamp: str
    headers: tuple[str, ...]
    signature: str
    payload: str | None
    lifetime: dt.timedelta | None

    @classmethod
    def of(cls, head: Head) -> Signature | OldSignature:
        """Read a request's signature from its headers or its query.

        Raises
        ------
        BadSignature
            If there is none, or it cannot be read.
        """
        query = dict(head.parameters)
        authorization = head.headers.get("authorization", "")
        if authorization.startswith(f"{ALGORITHM} "):
            fields = dict(_FIELD.findall(authorization))
            stamp = head.headers.get("x-amz-date", "")
            payload = head.headers.get("x-amz-content-sha256") or None
            return cls._read(fields, stamp, payload, None)
        if query.get("X-Amz-Algorithm") == ALGORITHM:
            fields = {name: query.get(f"X-Amz-{name}", "") for name in _NAMES}
            service = fields["Credential"].split("/")[-2:-1]
            payload = UNSIGNED_PAYLOAD if service == ["s3"] else None
            lifetime = query.get("X-Amz-Expires", "")
            return cls._read(fields, query.get("X-Amz-Date", ""), payload, lifetime)
        if "AWSAccessKeyId" in query and head.method in {"GET", "HEAD", "PUT"}:
            parts = (query.get(name, "") for name in ("AWSAccessKeyId", "Expires", "Signature"))
            return OldSignature(*parts)
        old = authorization.startswith("AWS ") or "AWSAccessKeyId" in query
        raise BadSignature(Refused.MECHANISM if old else Refused.UNSIGNED)

    @classmethod
    def _read(
        cls, fields: dict[str, str], stamp: str, payload: str | None, lifetime: str | None
    ) -> Signature:
        missing = [name for name in _NAMES if not fields.get(name)]
        scope = fields.get("Credential", "").split("/")
        if missing or len(scope) != 5 or scope[4] != "aws4_request":
            found = f"lacks {missing}" if missing else "Credential is not key/date/region/service"
            raise BadSignature(Refused.INCOMPLETE, found)
        if lifetime is not None and not (lifetime.isdecimal() and len(lifetime) < 9):
            raise BadSignature(Refused.INCOMPLETE, "X-Amz-Expires is no number of seconds")
        if payload is not None and payload.startswith("STREAMING-") and payload != CHUNKED_PAYLOAD:
            raise BadSignature(Refused.MECHANISM, f"{payload} is not supported")
        signed = tuple(fields["SignedHeaders"].split(";"))
        lasts = None if lifetime is None else dt.timedelta(seconds=int(lifetime))
        key, date, region, service = scope[:4]
        return cls(key, date, region, service, stamp, signed, fields["Signature"], payload, lasts)

    def check_scope(self, now: dt.datetime, region: str) -> None:
        """Raise `BadSignature` if the signature is not of this time and region."""
        try:
            signed = dt.datetime.strptime(self.stamp, _STAMP).replace(tzinfo=dt.UTC)
        except ValueError:
            raise BadSignature(Refused.INCOMPLETE, "X-Amz-Date is no YYYYMMDDTHHMMSSZ") from None
        if not self.stamp.startswith(self.date):
            raise BadSignature(Refused.INCOMPLETE, "the scope's date is not that of X-Amz-Date")
        if self.lifetime is None:
            if abs(now - signed) > SKEW:
                raise BadSignature(Refused.SKEWED, f"{self.stamp} is not near {now:{_STAMP}}")
        elif signed - now > SKEW:
            raise BadSignature(Refused.SKEWED, f"{self.stamp} is not yet")
        elif self.lifetime > _LONGEST or now > signed + self.lifetime:
            raise BadSignature(Refused.EXPIRED, f"{self.stamp} + {self.lifetime}")
        if self.region not in {region, "us-east-1" if self.service in _GLOBAL else region}:
            detail = f"it is '{self.region}', and expected is '{region}'"
            hint = {"Region": region, "x-amz-bucket-region": region}  # S3's clients try again there
            raise BadSignature(Refused.REGION, detail, **hint if self.service == "s3" else {})

    def check(self, head: Head, secret_key: str, payload: str) -> None:
        """Raise `BadSignature` if the signature is not the one of the request with this key.

        Parameters
        ----------
        payload
            The hex digest of the body, or what is declared instead.
        """
        unsigned = {
            name for name in head.headers if name.startswith("x-amz-") and name not in self.headers
        }
        if "host" not in self.headers or unsigned:
            names = ", ".join(sorted(unsigned)) or "host"
            raise BadSignature(Refused.SIGNATURE, f"Headers must be signed: {names}")
        signed = HTTPHeaders()
        for name in self.headers:
            for value in head.headers.getlist(name):
                signed[name] = value  # adds one
        request = AWSRequest(head.method, f"http://{head.headers['host']}{head.path}", signed)
        request.params = [pair for pair in head.parameters if pair[0] != "X-Amz-Signature"]
        request.context |= {"timestamp": self.stamp, "payload": payload}
        signer = _S3Signer if self.service == "s3" else _Signer
        made = signer(Credentials(self.access_key, secret_key), self.service, self.region)
        text = made.string_to_sign(request, made.canonical_request(request))
        _compare(made.signature(text, request), self.signature)


class _Signer(SigV4Auth):  # type: ignore[misc]
    """Signs what a request says is signed, again."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers

    def payload(self, request: AWSRequest) -> str:
        return str(request.context["payload"])


class _S3Signer(_Signer):
    def _normalize_url_path(self, path: str) -> str:
        return path  # only S3 leaves it as it was sent


class OldSignature(NamedTuple):
    """Signature Version 2 of a URL, which boto3 and the AWS CLI still make in us-east-1.

    https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
    """

    access_key: str
    expires: str
    signature: str
    service: str = "s3"
    payload: str = UNSIGNED_PAYLOAD

    def check_scope(self, now: dt.datetime, region: str) -> None:  # noqa: ARG002
        """Raise `BadSignature` if the URL has expired; it is of no region."""
        if not (self.expires.isdecimal() and now.timestamp() <= int(self.expires[:12])):
            raise BadSignature(Refused.EXPIRED, self.expires)

    def check(self, head: Head, secret_key: str, payload: str) -> None:  # noqa: ARG002
        """Raise `BadSignature` if the signature is not the one of the request with this key."""
        values = dict(head.parameters) | dict(head.headers)
        amz = sorted(f"{name}:{values[name]}" for name in values if name.startswith("x-amz-"))
        asked = sorted(pair for pair in head.parameters if pair[0] in HmacV1Auth.QSAOfInterest)
        resource = "&".join(f"{name}={value}" if value else name for name, value in asked)
        lines = [head.method, values.get("content-md5", ""), values.get("content-type", "")]
        lines += [self.expires, *amz, f"{head.path}?{resource}" if asked else head.path]
        digest = hmac.digest(secret_key.encode(), "\n".join(lines).encode(), "sha1")
        _compare(base64.b64encode(digest).decode(), self.signature)


def is_signed(head: Head) -> bool:
    """Tell whether a request claims to be signed, rightly or not, in its headers or its query."""
    signed = head.headers.get("authorization", "").startswith(f"{ALGORITHM} ")
    return signed or f"X-Amz-Algorithm={ALGORITHM}" in head.query


def _compare(computed: str, given: str) -> None:
    if not hmac.compare_digest(computed.encode(), given.encode()):
        raise BadSignature(Refused.SIGNATURE)
