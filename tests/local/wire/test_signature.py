from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import pytest
from botocore.auth import (
    HmacV1QueryAuth,
    S3SigV4Auth,
    S3SigV4QueryAuth,
    SigV4Auth,
    SigV4QueryAuth,
)
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.datastructures import Headers

from boostline.local.wire.head import Head
from boostline.local.wire.refusals import Refused
from boostline.local.wire.signature import (
    UNSIGNED_PAYLOAD,
    BadSignature,
    OldSignature,
    Signature,
)

KEY, SECRET = "AKID", "a/secret+key"
EMPTY = hashlib.sha256(b"").hexdigest()
SIGNERS = {
    "s3": S3SigV4Auth,
    "s3 query": S3SigV4QueryAuth,
    "lambda": SigV4Auth,
    "lambda query": SigV4QueryAuth,
}


def present() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def signed(kind: str, path: str = "/", **more: Any) -> Head:
    """Return a request that botocore signed."""
    request = AWSRequest("GET", f"http://127.0.0.1:4599{path}", **more)
    request.context["payload_signing_enabled"] = True
    SIGNERS[kind](Credentials(KEY, SECRET), kind.split(maxsplit=1)[0], "us-east-1").add_auth(
        request
    )
    prepared = request.prepare()
    url, _, query = prepared.url.partition("?")
    headers = {name: _text(value) for name, value in prepared.headers.items()}
    headers = {"host": "127.0.0.1:4599", **headers}
    return Head("GET", url.removeprefix("http://127.0.0.1:4599"), query, Headers(headers))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def verify(head: Head, secret: str = SECRET, now: dt.datetime | None = None) -> Signature:
    signature = Signature.of(head)
    assert isinstance(signature, Signature)
    signature.check_scope(now or present(), "us-east-1")
    signature.check(head, secret, signature.payload or EMPTY)
    return signature


def reason(head: Head, **arguments: Any) -> Refused:
    with pytest.raises(BadSignature) as caught:
        verify(head, **arguments)
    return caught.value.reason


def changed(head: Head, **headers: str) -> Head:
    new = {name.replace("_", "-"): value for name, value in headers.items()}
    return head._replace(headers=Headers({**head.headers, **new}))


@pytest.mark.parametrize("kind", SIGNERS)
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/bucket/a%20b/%C3%BC%2Bc%2F%7E",
        "/a//b/./c/../d",
        "/x?b=2&a=1&a=0",
        "/x?acl&prefix=a%2Fb%20c&empty=",
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3A1/invocations",
    ],
)
def test_what_botocore_signs_is_right_and_with_another_key_is_not(kind: str, path: str) -> None:
    head = signed(kind, path)
    found = verify(head)  # its day is that of its time: by now it may be the next
    assert found[:4] == (KEY, found.stamp[:8], "us-east-1", kind.split(maxsplit=1)[0])
    assert reason(head, secret="another") is Refused.SIGNATURE


@pytest.mark.parametrize("kind", SIGNERS)
def test_whatever_is_changed_breaks_the_signature(kind: str) -> None:
    head = signed(kind, "/bucket/key?a=1", headers={"Content-Type": "text/csv"})
    for other in (
        head._replace(method="PUT"),
        head._replace(path="/bucket/other"),
        head._replace(query=head.query.replace("a=1", "a=2")),
        head._replace(query=f"{head.query}&b=1"),
        changed(head, host="127.0.0.1:1"),
        changed(head, content_type="text/plain"),
    ):
        assert reason(other) is Refused.SIGNATURE


def test_headers_of_aws_must_be_signed() -> None:
    assert reason(changed(signed("s3"), x_amz_acl="public-read")) is Refused.SIGNATURE


def test_the_time_may_be_15_minutes_off() -> None:
    head = signed("lambda")
    assert verify(head, now=present() + dt.timedelta(minutes=14))
    for minutes in (-16, 16):
        moment = present() + dt.timedelta(minutes=minutes)
        assert reason(head, now=moment) is Refused.SKEWED


def test_a_presigned_request_lasts_as_long_as_it_says() -> None:
    head = signed("s3 query")  # an hour, unless botocore is told otherwise
    assert verify(head, now=present() + dt.timedelta(minutes=59)).payload == UNSIGNED_PAYLOAD
    assert reason(head, now=present() + dt.timedelta(minutes=61)) is Refused.EXPIRED
    assert reason(head, now=present() - dt.timedelta(minutes=16)) is Refused.SKEWED
    longer = head._replace(query=head.query.replace("Expires=3600", "Expires=604801"))
    assert reason(longer) is Refused.EXPIRED


def test_a_date_that_is_not_the_scopes_is_refused() -> None:
    head = signed("lambda")
    assert reason(changed(head, x_amz_date="20200101T000000Z")) is Refused.INCOMPLETE
    assert reason(changed(head, x_amz_date="yesterday")) is Refused.INCOMPLETE


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("", Refused.UNSIGNED),
        ("Bearer token", Refused.UNSIGNED),
        ("AWS AKID:signature", Refused.MECHANISM),
        ("AWS4-HMAC-SHA256 ", Refused.INCOMPLETE),
        ("AWS4-HMAC-SHA256 Credential=AKID/x, SignedHeaders=host, Signature=0", Refused.INCOMPLETE),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, Signature=0", Refused.INCOMPLETE),
    ],
)
def test_what_is_not_signed_is_refused(authorization: str, expected: Refused) -> None:
    assert reason(changed(signed("lambda"), authorization=authorization)) is expected


def test_other_streamed_signatures_are_refused_by_name() -> None:
    streamed = changed(signed("s3"), x_amz_content_sha256="STREAMING-AWS4-ECDSA-P256-SHA256")
    with pytest.raises(BadSignature, match="STREAMING-AWS4-ECDSA-P256-SHA256 is not supported"):
        verify(streamed)


@pytest.mark.parametrize("kind", ["s3", "lambda"])
def test_the_scope_is_of_the_platforms_region(kind: str) -> None:
    signature = Signature.of(signed(kind))
    with pytest.raises(
        BadSignature, match="it is 'us-east-1', and expected is 'eu-west-1'"
    ) as not_:
        signature.check_scope(present(), "eu-west-1")
    assert not_.value.reason is Refused.REGION
    assert ("Region" in not_.value.members) == (kind == "s3")


def test_some_services_are_signed_for_one_region() -> None:
    request = AWSRequest("GET", "http://127.0.0.1:4599/")
    SigV4Auth(Credentials(KEY, SECRET), "iam", "us-east-1").add_auth(request)
    headers = {name: _text(value) for name, value in request.headers.items()}
    Signature.of(Head("GET", "/", "", Headers(headers))).check_scope(present(), "eu-west-1")


def old(url: str, method: str = "GET", **headers: str) -> Head:
    """Return a request of a URL that botocore presigned with Signature Version 2."""
    request = AWSRequest(method, f"http://127.0.0.1:4599{url}", headers)
    HmacV1QueryAuth(Credentials(KEY, SECRET), expires=60).add_auth(request)
    path, _, query = request.url.removeprefix("http://127.0.0.1:4599").partition("?")
    return Head(method, path, query, Headers({"host": "127.0.0.1:4599", **headers}))


@pytest.mark.parametrize(
    "url", ["/b/k", "/b/a%20b/%C3%BC?versionId=a%2Bb&x-id=GetObject", "/b/?acl"]
)
def test_urls_signed_the_older_way_are_verified(url: str) -> None:
    for head in (old(url), old(url, "PUT", **{"content-type": "text/csv", "x-amz-acl": "private"})):
        signature = Signature.of(head)
        assert isinstance(signature, OldSignature)
        signature.check(head, SECRET, signature.payload)
        signature.check_scope(present(), "eu-west-1")
        wrong = [head._replace(path="/b/other"), head._replace(method="HEAD")]
        wrong += [head._replace(query=head.query.replace("Expires=1", "Expires=2"))]
        for other in wrong:
            changed_signature = Signature.of(other)
            with pytest.raises(BadSignature) as caught:
                changed_signature.check(other, SECRET, "")
            assert caught.value.reason is Refused.SIGNATURE
        with pytest.raises(BadSignature) as caught:
            signature.check_scope(present() + dt.timedelta(hours=1), "us-east-1")
        assert caught.value.reason is Refused.EXPIRED


def test_the_older_way_is_for_urls_of_three_methods() -> None:
    with pytest.raises(BadSignature) as caught:
        Signature.of(old("/b/k")._replace(method="DELETE"))
    assert caught.value.reason is Refused.MECHANISM
