"""S3's checksums of contents: what a client declares must be so, and is given back.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

from boostline.local.store.blobs import Blob
from boostline.local.wire.errors import AwsError

PREFIX = "Checksum"
KEPT = ("ChecksumCRC32", "ChecksumSHA256")
_NOT_CHECKSUMS = {"ChecksumAlgorithm", "ChecksumMode", "ChecksumType"}


def verify(request: dict[str, Any], blob: Blob) -> dict[str, str]:
    """Return the checksums that a request declares or asks for of its body, and their type.

    Raises
    ------
    AwsError
        `BadDigest` if one is not that of the body; `InvalidDigest` for a Content-MD5 that is none;
        `InvalidRequest` for an algorithm that the platform cannot verify.
    """
    actual = {"ChecksumCRC32": crc32(blob.crc32), "ChecksumSHA256": _of_hex(blob.digest)}
    declared = {
        name: value
        for name, value in request.items()
        if name.startswith(PREFIX) and name not in _NOT_CHECKSUMS
    }
    for name, value in declared.items():
        if name not in actual:
            raise AwsError(
                "InvalidRequest", f"{name} cannot be verified here: use {' or '.join(KEPT)}"
            )
        if value != actual[name]:
            algorithm = name.removeprefix(PREFIX)
            raise AwsError(
                "BadDigest", f"The {algorithm} you specified did not match the calculated checksum."
            )
    _verify_md5(request.get("ContentMD5"), blob)
    asked = f"{PREFIX}{request.get('ChecksumAlgorithm')}"
    if not declared and asked in actual:
        declared = {asked: actual[asked]}
    return {**declared, "ChecksumType": "FULL_OBJECT"} if declared else {}


def _verify_md5(declared: str | None, blob: Blob) -> None:
    if declared is None:
        return
    try:
        digest = base64.b64decode(declared, validate=True).hex()
    except (binascii.Error, ValueError):
        digest = ""
    if len(digest) != 32:
        raise AwsError("InvalidDigest", "The Content-MD5 you specified is not valid.")
    if digest != blob.md5:
        raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.")


def crc32(value: int) -> str:
    """Return a CRC-32 as S3 writes it: Base64 of four bytes, the highest first."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def composite_crc32(parts: list[int]) -> str:
    """Return the checksum of parts' checksums, with their number: a multipart upload's."""
    joined = b"".join(part.to_bytes(4, "big") for part in parts)
    return f"{crc32(zlib.crc32(joined))}-{len(parts)}"


def _of_hex(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()
