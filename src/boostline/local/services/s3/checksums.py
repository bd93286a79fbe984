"""S3's checksums of contents: what a client declares must be so, and is given back.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from boostline.local.store.blobs import CHUNK, Blob
from boostline.local.wire.errors import AwsError

FULL, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
TYPE = "ChecksumType"
_MD5 = re.compile("[A-Za-z0-9+/]{22}==")
Sum = Callable[[Iterable[bytes]], bytes]


def _hash(name: str) -> Sum:
    def digest(chunks: Iterable[bytes]) -> bytes:
        made = hashlib.new(name, usedforsecurity=False)
        for data in chunks:
            made.update(data)
        return made.digest()

    return digest


def _crc32(chunks: Iterable[bytes]) -> bytes:
    value = 0
    for data in chunks:
        value = zlib.crc32(data, value)
    return value.to_bytes(4, "big")


def _crc(polynomial: int, width: int) -> Sum:
    """Return a cyclic redundancy check that Python has no function for; about 20 MB/s.

    Eight bytes a step, by eight tables ("slicing-by-8"). `polynomial` is reflected.
    """

    @functools.cache
    def tables() -> list[list[int]]:
        made = [list(range(256))]
        for _ in range(8):
            made[0] = [value >> 1 ^ (polynomial if value & 1 else 0) for value in made[0]]
        for _ in range(7):
            made.append([made[0][value & 255] ^ value >> 8 for value in made[-1]])
        return made

    def digest(chunks: Iterable[bytes]) -> bytes:
        a, b, c, d, e, f, g, h = tables()
        value = ones = (1 << width) - 1
        for data in chunks:
            whole = len(data) & ~7
            for (x,) in struct.iter_unpack("<Q", data[:whole]):
                x ^= value  # noqa: PLW2901
                value = h[x & 255] ^ g[x >> 8 & 255] ^ f[x >> 16 & 255] ^ e[x >> 24 & 255]
                value ^= d[x >> 32 & 255] ^ c[x >> 40 & 255] ^ b[x >> 48 & 255] ^ a[x >> 56]
            for byte in data[whole:]:
                value = a[(value ^ byte) & 255] ^ value >> 8
        return (value ^ ones).to_bytes(width // 8, "big")

    return digest


ALGORITHMS: dict[str, Sum] = {
    "CRC32": _crc32,
    "CRC32C": _crc(0x82F63B78, 32),
    "CRC64NVME": _crc(0x9A6C9329AC4BC9B5, 64),
    **{name: _hash(name) for name in ("SHA1", "SHA256", "SHA512", "MD5")},
}


def checksum(algorithm: str, path: Path, blob: Blob | None = None) -> str:
    """Return a stored content's checksum as S3 writes it; read only if `blob` does not know it."""
    if blob is not None and algorithm in {"CRC32", "SHA256"}:
        known = {"CRC32": f"{blob.crc32:08x}", "SHA256": blob.digest}
        return _text(bytes.fromhex(known[algorithm]))
    return _text(ALGORITHMS[algorithm](_chunks(path)))


def composite(algorithm: str, parts: list[str]) -> str:
    """Return the checksum of parts' checksums, with their number: a multipart upload's."""
    return f"{_text(ALGORITHMS[algorithm](map(base64.b64decode, parts)))}-{len(parts)}"


def checksum_members(members: dict[str, Any]) -> dict[str, str]:
    """Return what members say of checksums: by botocore's names, the type included."""
    names = (*(f"Checksum{algorithm}" for algorithm in ALGORITHMS), TYPE)
    return {name: members[name] for name in names if members.get(name)}


def verify(request: dict[str, Any], blob: Blob, path: Path) -> dict[str, str]:
    """Return the checksums that a request declares or asks for of its body, and their type.

    Raises
    ------
    AwsError
        `BadDigest` if one is not that of the body; `InvalidDigest` for a Content-MD5 that is none;
        `NotImplemented` for an algorithm that the platform cannot compute.
    """
    _verify_md5(request.get("ContentMD5"), blob)
    declared = {name: value for name, value in checksum_members(request).items() if name != TYPE}
    asked = supported(request.get("ChecksumAlgorithm"))
    names = declared or ({f"Checksum{asked}": ""} if asked else {})
    found = {name: checksum(name.removeprefix("Checksum"), path, blob) for name in names}
    check_equal(declared, found)
    return {**found, TYPE: FULL} if found else {}


def supported(algorithm: str | None) -> str | None:
    """Return the name of an algorithm, if any; raise `NotImplemented` for one there is not."""
    if algorithm is not None and algorithm not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise AwsError("NotImplemented", f"{algorithm} is not computed here: use {known}", 501)
    return algorithm


def check_equal(declared: dict[str, str], found: dict[str, str]) -> None:
    """Raise `BadDigest` if a checksum that was declared is not the one that was found."""
    for name, value in declared.items():
        if value != found.get(name):
            algorithm = name.removeprefix("Checksum")
            message = f"The {algorithm} you specified did not match the calculated checksum."
            raise AwsError("BadDigest", message)


def _verify_md5(declared: str | None, blob: Blob) -> None:
    if declared is not None and not _MD5.fullmatch(declared):
        raise AwsError("InvalidDigest", "The Content-MD5 you specified is not valid.")
    if declared not in {None, _text(bytes.fromhex(blob.md5))}:
        raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            yield data


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
