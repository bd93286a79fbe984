"""Bodies in chunks: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from boostline.local.wire.signature import ALGORITHM, _signing_key
from tests.conftest import RunningPlatform
from tests.local.raw import Reply, send, sign

CONTENT = hashlib.shake_256(b"seed").digest(200_000)
CRC32 = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()
EMPTY = hashlib.sha256(b"").hexdigest()
UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
TRAILED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def s3(shared_platform: RunningPlatform) -> Any:
    made = shared_platform.client("s3")
    made.create_bucket(Bucket="abc")
    return made


def put(
    platform: RunningPlatform, way: str, change: Change = bytes, trailer: str = CRC32, **more: str
) -> Reply:
    """Send an object in chunks; `change` may spoil the body once it is made."""
    headers = {
        "x-amz-content-sha256": way,
        "x-amz-decoded-content-length": str(len(CONTENT)),
        "content-encoding": "aws-chunked, gzip",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    if way != SIGNED:
        headers.setdefault("x-amz-trailer", "x-amz-checksum-crc32")
    made = sign(platform, "s3", "PUT", "/abc/key", headers=headers, payload=way)
    body = change(chunked(platform, made, way, trailer))
    return send(platform, "PUT", "/abc/key", body, made)


def chunked(platform: RunningPlatform, made: dict[str, str], way: str, trailer: str) -> bytes:
    last, stamp = made["Authorization"].rpartition("=")[2], made["X-Amz-Date"]
    region = platform.settings.region
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    key = _signing_key(platform.platform.credentials.secret_key, stamp[:8], region, "s3")

    def signature(kind: str, *lines: str) -> str:
        nonlocal last
        text = "\n".join([f"{ALGORITHM}-{kind}", stamp, scope, last, *lines])
        last = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return last

    body = b""
    for start in [*range(0, len(CONTENT), 70_000), len(CONTENT)]:
        data = CONTENT[start : start + 70_000]
        made_of = signature("PAYLOAD", EMPTY, hashlib.sha256(data).hexdigest())
        extension = f";chunk-signature={made_of}" if way != UNSIGNED else ""
        body += f"{len(data):x}{extension}\r\n".encode() + data + b"\r\n" * bool(data)
    if way != SIGNED:
        line = f"x-amz-checksum-crc32:{trailer}"
        body += f"{line}\r\n".encode()
        made_of = signature("TRAILER", hashlib.sha256(f"{line}\n".encode()).hexdigest())
        body += f"x-amz-trailer-signature:{made_of}\r\n".encode() if way == TRAILED else b""
    return body + b"\r\n"


@pytest.mark.parametrize("way", [UNSIGNED, SIGNED, TRAILED])
def test_a_body_in_chunks_is_its_content(
    shared_platform: RunningPlatform, s3: Any, way: str
) -> None:
    reply = put(shared_platform, way)
    assert reply.status == 200, reply.body
    assert reply.headers.get("x-amz-checksum-crc32") == (None if way == SIGNED else CRC32)
    found = s3.get_object(Bucket="abc", Key="key")
    assert (found["Body"].read(), found["ContentEncoding"]) == (CONTENT, "gzip")


def cut(body: bytes) -> bytes:
    return body[: len(body) // 2]


def spoil(body: bytes) -> bytes:
    return body.replace(CONTENT[100:110], bytes(10), 1)


def without_frames(_: bytes) -> bytes:
    return CONTENT


def longer(body: bytes) -> bytes:
    return body.replace(CONTENT[:10], CONTENT[:10] + b"x", 1)


def unsigned(body: bytes) -> bytes:
    return re.sub(b";chunk-signature=[0-9a-f]+", b"", body)


def endless_line(_: bytes) -> bytes:
    return b"1" * 10_000


@pytest.mark.parametrize(
    ("way", "change", "code"),
    [
        (UNSIGNED, cut, b"IncompleteBody"),
        (UNSIGNED, without_frames, b"IncompleteBody"),
        (UNSIGNED, longer, b"IncompleteBody"),
        (UNSIGNED, endless_line, b"IncompleteBody"),
        (UNSIGNED, spoil, b"BadDigest"),
        (SIGNED, spoil, b"SignatureDoesNotMatch"),
        (SIGNED, unsigned, b"SignatureDoesNotMatch"),
        (TRAILED, unsigned, b"SignatureDoesNotMatch"),
    ],
)
def test_a_body_that_is_not_as_it_says_is_not_stored(
    shared_platform: RunningPlatform, s3: Any, way: str, change: Change, code: bytes
) -> None:
    s3.put_object(Bucket="abc", Key="key", Body=b"before")
    reply = put(shared_platform, way, change)
    assert b"<Code>%s</Code>" % code in reply.body
    assert s3.get_object(Bucket="abc", Key="key")["Body"].read() == b"before"


def test_trailers_are_checked(shared_platform: RunningPlatform) -> None:
    wrong = base64.b64encode(bytes(4)).decode()
    assert b"<Code>BadDigest</Code>" in put(shared_platform, UNSIGNED, trailer=wrong).body

    def other(body: bytes) -> bytes:
        return body.replace(CRC32.encode(), wrong.encode())

    reply = put(shared_platform, TRAILED, other)
    assert b"<Code>SignatureDoesNotMatch</Code>" in reply.body
    reply = put(shared_platform, UNSIGNED, x_amz_trailer="x-amz-checksum-sha1")
    assert b"<Code>MalformedTrailerError</Code>" in reply.body
    reply = put(shared_platform, UNSIGNED, x_amz_decoded_content_length="1")
    assert b"<Code>IncompleteBody</Code>" in reply.body
