"""Bodies in chunks, which boto3 sends over TLS, and others always."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import RunningPlatform
from tests.local.raw import Reply, send, sign

CONTENT = hashlib.shake_256(b"seed").digest(200_000)
CRC32 = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()
WAY = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def s3(shared_platform: RunningPlatform) -> Any:
    made = shared_platform.client("s3")
    made.create_bucket(Bucket="abc")
    return made


def put(
    platform: RunningPlatform,
    change: Change = bytes,
    trailer: str = CRC32,
    way: str = WAY,
    **more: str,
) -> Reply:
    """Send an object in chunks; `change` may spoil the body once it is made."""
    headers = {
        "x-amz-content-sha256": way,
        "x-amz-decoded-content-length": str(len(CONTENT)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked, gzip",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    made = sign(platform, "s3", "PUT", "/abc/key", headers=headers, payload=way)
    return send(platform, "PUT", "/abc/key", change(chunked(trailer)), made)


def chunked(trailer: str) -> bytes:
    pieces = [CONTENT[start : start + 70_000] for start in range(0, len(CONTENT), 70_000)]
    chunks = [f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces]
    return b"".join(chunks) + f"0\r\nx-amz-checksum-crc32:{trailer}\r\n\r\n".encode()


def test_a_body_in_chunks_is_its_content(shared_platform: RunningPlatform, s3: Any) -> None:
    reply = put(shared_platform)
    assert reply.status == 200, reply.body
    assert reply.headers["x-amz-checksum-crc32"] == CRC32
    found = s3.get_object(Bucket="abc", Key="key")
    assert (found["Body"].read(), found["ContentEncoding"]) == (CONTENT, "gzip")


def test_the_empty_line_at_the_end_may_be_left_out(shared_platform: RunningPlatform) -> None:
    assert put(shared_platform, lambda body: body[:-2]).status == 200


def cut(body: bytes) -> bytes:
    return body[: len(body) // 2]


def spoil(body: bytes) -> bytes:
    return body.replace(CONTENT[100:110], bytes(10), 1)


def without_frames(_: bytes) -> bytes:
    return CONTENT


def longer(body: bytes) -> bytes:
    return body.replace(CONTENT[:10], CONTENT[:10] + b"x", 1)


def endless_line(_: bytes) -> bytes:
    return b"1" * 10_000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (cut, b"IncompleteBody"),
        (without_frames, b"IncompleteBody"),
        (longer, b"IncompleteBody"),
        (endless_line, b"IncompleteBody"),
        (spoil, b"BadDigest"),
    ],
)
def test_a_body_that_is_not_as_it_says_is_not_stored(
    shared_platform: RunningPlatform, s3: Any, change: Change, code: bytes
) -> None:
    s3.put_object(Bucket="abc", Key="key", Body=b"before")
    reply = put(shared_platform, change)
    assert b"<Code>%s</Code>" % code in reply.body
    assert s3.get_object(Bucket="abc", Key="key")["Body"].read() == b"before"


def test_trailers_are_checked(shared_platform: RunningPlatform) -> None:
    wrong = base64.b64encode(bytes(4)).decode()
    assert b"<Code>BadDigest</Code>" in put(shared_platform, trailer=wrong).body
    reply = put(shared_platform, x_amz_trailer="x-amz-checksum-sha1")
    assert b"<Code>MalformedTrailerError</Code>" in reply.body
    reply = put(shared_platform, x_amz_decoded_content_length="1")
    assert b"<Code>IncompleteBody</Code>" in reply.body


def test_chunks_that_are_signed_are_refused_by_name(shared_platform: RunningPlatform) -> None:
    reply = put(shared_platform, way="STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
    assert b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER is not supported" in reply.body
