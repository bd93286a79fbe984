"""AWS Signature Version 4, verified by computing it again.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import hmac
import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from botocore.utils import normalize_url_path

from boostline.local.wire.head import Head
from boostline.local.wire.refusals import Refused

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SKEW = dt.timedelta(minutes=15)
_LONGEST = dt.timedelta(days=7)
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_STAMP = "%Y%m%dT%H%M%SZ"


class BadSignature(Exception):
    """A request that is not signed, or not as it should be: `reason` says why."""

    def __init__(self, reason: Refused, detail: str = "") -> None:
        super().__init__(f"{reason.value} {detail}")
        self.reason = reason
        self.detail = detail


class Signature(NamedTuple):
    """What a request says of its signature.

    `payload` is the declared digest of the body, `UNSIGNED-PAYLOAD`, or None where the body itself
    must be digested. `lifetime` is that of a presigned URL; None for a signed header.
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
    def of(cls, head: Head) -> Signature:
        """Read a request's signature from its headers or its query.

        Raises
        ------
        BadSignature
            If there is none, or it cannot be read.
        """
        query = dict(head.parameters)
        if _in_headers(head):
            fields = dict(_FIELD.findall(head.headers["authorization"]))
            stamp = head.headers.get("x-amz-date", "")
            payload = head.headers.get("x-amz-content-sha256")
            return cls._read(fields, stamp, payload, None)
        if query.get("X-Amz-Algorithm") == ALGORITHM:
            fields = {name: query.get(f"X-Amz-{name}", "") for name in _NAMES}
            service = fields["Credential"].split("/")[-2:-1]
            payload = UNSIGNED_PAYLOAD if service == ["s3"] else None
            lifetime = query.get("X-Amz-Expires", "")
            return cls._read(fields, query.get("X-Amz-Date", ""), payload, lifetime)
        if "AWSAccessKeyId" in query or head.headers.get("authorization", "").startswith("AWS "):
            # Signature Version 2, which S3 refuses for buckets made since June 2020.
            raise BadSignature(Refused.MECHANISM, "(boto3: Config(signature_version='s3v4'))")
        raise BadSignature(Refused.UNSIGNED)

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
        if payload is not None and payload.startswith("STREAMING-"):
            raise BadSignature(Refused.MECHANISM, f"{payload} is not supported: send a digest")
        return cls(
            scope[0],
            scope[1],
            scope[2],
            scope[3],
            stamp,
            tuple(fields["SignedHeaders"].split(";")),
            fields["Signature"],
            payload,
            None if lifetime is None else dt.timedelta(seconds=int(lifetime)),
        )

    def check_time(self, now: dt.datetime) -> None:
        """Raise `BadSignature` if the signature is not of this time."""
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

    def check(self, head: Head, secret_key: str, payload: str) -> None:
        """Raise `BadSignature` if the signature is not the one of the request with this key.

        Parameters
        ----------
        payload
            The hex digest of the body, or `UNSIGNED-PAYLOAD`.
        """
        unsigned = {
            name for name in head.headers if name.startswith("x-amz-") and name not in self.headers
        }
        if "host" not in self.headers or unsigned:
            names = ", ".join(sorted(unsigned)) or "host"
            raise BadSignature(Refused.SIGNATURE, f"Headers must be signed: {names}")
        digest = hashlib.sha256(self._canonical(head, payload).encode()).hexdigest()
        scope = f"{self.date}/{self.region}/{self.service}/aws4_request"
        text = f"{ALGORITHM}\n{self.stamp}\n{scope}\n{digest}"
        key = _signing_key(secret_key, self.date, self.region, self.service)
        computed = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(computed.encode(), self.signature.encode()):
            raise BadSignature(Refused.SIGNATURE)

    def _canonical(self, head: Head, payload: str) -> str:
        path = head.path
        if self.service != "s3":  # only S3 leaves the path as it was sent
            path = quote(normalize_url_path(path), safe="/~")
        values = (
            ",".join(" ".join(value.split()) for value in head.headers.getlist(name))
            for name in self.headers
        )
        headers = [f"{name}:{value}" for name, value in zip(self.headers, values, strict=True)]
        signed = ";".join(self.headers)
        return "\n".join(
            [head.method, path, _canonical_query(head.query), *headers, "", signed, payload]
        )


def is_signed(head: Head) -> bool:
    """Tell whether a request claims to be signed, rightly or not, in its headers or its query."""
    return _in_headers(head) or f"X-Amz-Algorithm={ALGORITHM}" in head.query


def _in_headers(head: Head) -> bool:
    return head.headers.get("authorization", "").startswith(f"{ALGORITHM} ")


_NAMES = ("Credential", "SignedHeaders", "Signature")


def _canonical_query(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&") if part)
    encoded = sorted(
        (quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~"))
        for name, _, value in pairs
    )
    return "&".join(f"{name}={value}" for name, value in encoded if name != "X-Amz-Signature")


@functools.lru_cache(maxsize=64)
def _signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
