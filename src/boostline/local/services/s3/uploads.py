"""Uploads in parts, each part a stored content until the upload is complete.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import time
from typing import Any

from boostline.local.platform import Platform
from boostline.local.services.s3.checksums import KEPT, composite_crc32, crc32
from boostline.local.services.s3.conditions import check_write
from boostline.local.services.s3.errors import Members, invalid_argument
from boostline.local.store.blobs import CHUNK, Blob
from boostline.local.wire.errors import AwsError

UPLOAD, PART = "s3:upload", "s3:part"
SMALLEST_PART = 5 << 20
MOST_PARTS = 10_000


class Uploads:
    """The uploads under way."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._resources = platform.resources
        self._objects = platform.objects

    def create(self, request: Members, headers: Members) -> Members:
        """Begin an upload; `headers` are those of the object to be."""
        self._objects.require_bucket(request["Bucket"])
        upload = secrets.token_urlsafe(32)
        algorithm = request.get("ChecksumAlgorithm")
        kind = request.get("ChecksumType", "COMPOSITE" if algorithm else None)
        document = {
            "Bucket": request["Bucket"],
            "Key": request["Key"],
            "Headers": headers,
            "Initiated": time.time(),
            "ChecksumAlgorithm": algorithm,
            "ChecksumType": kind,
        }
        self._resources.create(UPLOAD, upload, document)
        return {**document, "UploadId": upload}

    def add(self, request: Members, blob: Blob, sums: dict[str, str]) -> Members:
        """Take a part, in place of an earlier one of its number."""
        number = request["PartNumber"]
        if not 1 <= number <= MOST_PARTS:
            raise invalid_argument(
                f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive"
            )
        upload = request["UploadId"]
        with self._platform.database.transaction():
            self._require(request)
            name = f"{upload}/{number}"
            if self._resources.find(PART, name) is not None:
                self._resources.delete(PART, name)
            self._resources.create(PART, name, {"Number": number, **blob._asdict()}, upload)
        return {"ETag": f'"{blob.md5}"', **sums}

    def complete(self, request: Members) -> Members:
        """Join the named parts to the object, and forget the upload."""
        upload = self._require(request)
        parts = self._named_parts(request)
        # The parts are joined outside the transaction: others need not wait for a large copy.
        blob = self._join(parts)
        etag = f"{_md5_of_md5s(parts)}-{len(parts)}"
        sums = _checksums(upload, parts, blob)
        with self._platform.database.transaction():
            self._require(request)
            check_write(request, self._objects.find(upload["Bucket"], upload["Key"]))
            self._objects.put(
                upload["Bucket"], upload["Key"], blob, {**upload["Headers"], **sums}, etag
            )
            self._forget(request["UploadId"])
        return {
            "Location": f"{self._platform.endpoint}/{upload['Bucket']}/{upload['Key']}",
            "Bucket": upload["Bucket"],
            "Key": upload["Key"],
            "ETag": f'"{etag}"',
            **sums,
        }

    def abort(self, request: Members) -> None:
        """Forget an upload."""
        with self._platform.database.transaction():
            self._require(request)
            self._forget(request["UploadId"])

    def _forget(self, upload: str) -> None:
        for part in self._resources.list(PART, upload):
            self._resources.delete(PART, f"{upload}/{part['Number']}")
        self._resources.delete(UPLOAD, upload)

    def _require(self, request: Members) -> dict[str, Any]:
        self._objects.require_bucket(request["Bucket"])
        found = self._resources.find(UPLOAD, request["UploadId"])
        place = (request["Bucket"], request["Key"])
        if found is None or (found["Bucket"], found["Key"]) != place:
            raise AwsError(
                "NoSuchUpload",
                "The specified upload does not exist. The upload ID may be invalid, or the upload "
                "may have been aborted or completed.",
                404,
                UploadId=request["UploadId"],
            )
        return found

    def _named_parts(self, request: Members) -> list[Blob]:
        """Return the stored parts that CompleteMultipartUpload names, if they may be joined."""
        stored = {
            part.pop("Number"): Blob(**part)
            for part in self._resources.list(PART, request["UploadId"])
        }
        named = request.get("MultipartUpload", {}).get("Parts", [])
        numbers = [part["PartNumber"] for part in named]
        if not numbers:
            raise AwsError("MalformedXML", "You must specify at least one part")
        if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
            raise AwsError("InvalidPartOrder", "The list of parts was not in ascending order.")
        for part in named:
            _check_part(part, stored.get(part["PartNumber"]))
        parts = [stored[number] for number in numbers]
        for number, part in zip(numbers[:-1], parts[:-1], strict=True):
            if part.size < SMALLEST_PART:
                raise AwsError(
                    "EntityTooSmall",
                    "Your proposed upload is smaller than the minimum allowed size",
                    400,
                    ProposedSize=part.size,
                    MinSizeAllowed=SMALLEST_PART,
                    PartNumber=number,
                )
        return parts

    def _join(self, parts: list[Blob]) -> Blob:
        with self._platform.blobs.writer() as writer:
            for part in parts:
                with self._platform.blobs.path(part.digest).open("rb") as file:
                    while data := file.read(CHUNK):
                        writer.write(data)
            return writer.commit()


def _check_part(part: Members, stored: Blob | None) -> None:
    wrong = (
        stored is None
        or part.get("ETag", "").strip('"') != stored.md5
        or part.get("ChecksumCRC32", crc32(stored.crc32)) != crc32(stored.crc32)
    )
    if wrong:
        raise AwsError(
            "InvalidPart",
            "One or more of the specified parts could not be found. The part may not have been "
            "uploaded, or its entity tag or checksum may not match.",
            400,
            PartNumber=part["PartNumber"],
        )


def _md5_of_md5s(parts: list[Blob]) -> str:
    joined = b"".join(bytes.fromhex(part.md5) for part in parts)
    return hashlib.md5(joined, usedforsecurity=False).hexdigest()


def _checksums(upload: Members, parts: list[Blob], blob: Blob) -> dict[str, str]:
    """Return the object's checksum in the way its upload asked for; CRC-32 is the one kept."""
    if f"Checksum{upload['ChecksumAlgorithm']}" != KEPT[0]:
        return {}
    if upload["ChecksumType"] == "FULL_OBJECT":
        return {KEPT[0]: crc32(blob.crc32), "ChecksumType": "FULL_OBJECT"}
    return {KEPT[0]: composite_crc32([part.crc32 for part in parts]), "ChecksumType": "COMPOSITE"}
