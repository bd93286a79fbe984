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
from boostline.local.services.s3 import checksums
from boostline.local.services.s3.checksums import COMPOSITE, FULL, TYPE, checksum_members
from boostline.local.services.s3.conditions import check_write
from boostline.local.services.s3.errors import Members, invalid_argument
from boostline.local.services.s3.listing import Upload, limit_of
from boostline.local.store.blobs import CHUNK, Blob, FileRange
from boostline.local.store.objects import Object
from boostline.local.wire.errors import AwsError

UPLOAD, PART = "s3:upload", "s3:part"
SMALLEST_PART = 5 << 20
MOST_PARTS = 10_000
# Which checksums of an upload may be made of its parts', and which of the whole; the first is the
# default. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
_TYPES = {"CRC32": (COMPOSITE, FULL), "CRC32C": (COMPOSITE, FULL), "CRC64NVME": (FULL,)}


class Uploads:
    """The uploads under way."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._resources = platform.resources
        self._objects = platform.objects

    def create(self, request: Members, headers: Members) -> Members:
        """Begin an upload; `headers` are those of the object to be."""
        self._objects.require_bucket(request["Bucket"])
        algorithm = checksums.supported(request.get("ChecksumAlgorithm"))
        types = _TYPES.get(algorithm or "", (COMPOSITE,) if algorithm else (None,))
        kind = request.get(TYPE, types[0])
        if kind not in types:
            raise AwsError("InvalidRequest", f"The {kind} checksum type cannot be of {algorithm}")
        document = {
            "UploadId": secrets.token_urlsafe(32),
            "Bucket": request["Bucket"],
            "Key": request["Key"],
            "Headers": headers,
            "Initiated": time.time(),
            "ChecksumAlgorithm": algorithm,
            TYPE: kind,
        }
        self._resources.create(UPLOAD, document["UploadId"], document, request["Bucket"])
        return headers | document

    def add(self, request: Members, blob: Blob) -> Members:
        """Take a part, in place of an earlier one of its number; return its checksums."""
        number, upload = request["PartNumber"], request["UploadId"]
        if not 1 <= number <= MOST_PARTS:
            raise invalid_argument(
                f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive"
            )
        algorithm = self._require(request)["ChecksumAlgorithm"]
        asked = {"ChecksumAlgorithm": algorithm} if algorithm else {}
        sums = checksums.verify(request | asked, blob, self._platform.blobs.path(blob.digest))
        if algorithm and f"Checksum{algorithm}" not in sums:
            raise AwsError("InvalidRequest", f"The upload's checksums are {algorithm}")
        name = f"{upload}/{number}"
        part = {"PartNumber": number, "LastModified": time.time(), **blob._asdict(), **sums}
        with self._platform.database.transaction():
            self._require(request)
            if self._resources.find(PART, name) is not None:
                self._resources.delete(PART, name)
            self._resources.create(PART, name, part, upload)
        return {"ETag": f'"{blob.md5}"', "LastModified": part["LastModified"], **sums}

    def add_copy(self, request: Members, source: FileRange) -> Members:
        """Take a part of another object as a part."""
        return self.add(request, self._join([source]))

    def complete(self, request: Members) -> tuple[Object, Members]:
        """Join the named parts to the object, and forget the upload."""
        upload = self._require(request)
        parts = self._named_parts(request)
        ranges = [
            FileRange(self._platform.blobs.path(part["digest"]), 0, part["size"]) for part in parts
        ]
        # The parts are joined outside the transaction: others need not wait for a large copy.
        blob = self._join(ranges)
        if request.get("MpuObjectSize", blob.size) != blob.size:
            raise AwsError("InvalidRequest", f"The object has {blob.size} bytes")
        sums = self._checksums(upload, parts, blob)
        checksums.check_equal(checksum_members(request), sums)
        headers = {
            **upload["Headers"],
            **sums,
            "Parts": [part["size"] for part in parts],
            "MD5": blob.md5,
        }
        md5s = b"".join(bytes.fromhex(part["md5"]) for part in parts)
        etag = f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}"
        with self._platform.database.transaction():
            self._require(request)
            check_write(request, self._objects.find(upload["Bucket"], upload["Key"]))
            made = self._objects.put(upload["Bucket"], upload["Key"], blob, headers, etag)
            self._forget(request["UploadId"])
        return made, sums

    def abort(self, request: Members) -> None:
        """Forget an upload."""
        with self._platform.database.transaction():
            self._require(request)
            self._forget(request["UploadId"])

    def under_way(self, bucket: str) -> list[Upload]:
        """Return a bucket's uploads by key, and those of a key by their time."""
        self._objects.require_bucket(bucket)
        found = self._resources.list(UPLOAD, bucket)
        made = [Upload(each["Key"], -n, each["UploadId"], each) for n, each in enumerate(found, 1)]
        return sorted(made, key=lambda each: (each.key, -each.number))

    def list_parts(self, request: Members) -> Members:
        """Return a page of an upload's parts, by their numbers."""
        upload, after = self._require(request), request.get("PartNumberMarker", 0)
        limit = limit_of(request, "MaxParts")
        found = [part for part in self._parts(request["UploadId"]) if part["PartNumber"] > after]
        page = found[:limit]
        parts = [{"ETag": f'"{part["md5"]}"', "Size": part["size"], **part} for part in page]
        return {
            **upload["Headers"],
            **upload,
            "PartNumberMarker": after,
            "NextPartNumberMarker": page[-1]["PartNumber"] if page else 0,
            "MaxParts": limit,
            "IsTruncated": len(page) < len(found),
            "Parts": parts,
        }

    def _parts(self, upload: str) -> list[Members]:
        return sorted(self._resources.list(PART, upload), key=lambda part: part["PartNumber"])

    def _forget(self, upload: str) -> None:
        for part in self._parts(upload):
            self._resources.delete(PART, f"{upload}/{part['PartNumber']}")
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

    def _named_parts(self, request: Members) -> list[Members]:
        """Return the stored parts that CompleteMultipartUpload names, if they may be joined."""
        stored = {part["PartNumber"]: part for part in self._parts(request["UploadId"])}
        named = request.get("MultipartUpload", {}).get("Parts", [])
        numbers = [part.get("PartNumber", 0) for part in named]
        if not numbers:
            raise AwsError("MalformedXML", "You must specify at least one part")
        if any(later <= earlier for earlier, later in itertools.pairwise(numbers)):
            raise AwsError("InvalidPartOrder", "The list of parts was not in ascending order.")
        for number, part in zip(numbers, named, strict=True):
            _check_part(number, part, stored.get(number))
        parts = [stored[number] for number in numbers]
        for part in parts[:-1]:
            if part["size"] < SMALLEST_PART:
                raise AwsError(
                    "EntityTooSmall",
                    "Your proposed upload is smaller than the minimum allowed size",
                    400,
                    ProposedSize=part["size"],
                    MinSizeAllowed=SMALLEST_PART,
                    PartNumber=part["PartNumber"],
                )
        return parts

    def _join(self, ranges: list[FileRange]) -> Blob:
        with self._platform.blobs.writer() as writer:
            for path, start, left in ranges:
                with path.open("rb") as file:
                    file.seek(start)
                    while data := file.read(min(CHUNK, left)):
                        writer.write(data)
                        left -= len(data)  # noqa: PLW2901
            return writer.commit()

    def _checksums(self, upload: Members, parts: list[Members], blob: Blob) -> dict[str, str]:
        """Return the object's checksum in the way its upload asked for."""
        algorithm, kind = upload["ChecksumAlgorithm"], upload[TYPE]
        if algorithm is None:
            return {}
        name = f"Checksum{algorithm}"
        if kind == FULL:
            path = self._platform.blobs.path(blob.digest)
            return {name: checksums.checksum(algorithm, path, blob), TYPE: kind}
        return {name: checksums.composite(algorithm, [part[name] for part in parts]), TYPE: kind}


def _check_part(number: int, part: Members, stored: Members | None) -> None:
    declared = checksum_members(part)
    if (
        stored is None
        or part.get("ETag", "").strip('"') != stored["md5"]
        or any(stored.get(name, value) != value for name, value in declared.items())
    ):
        raise AwsError(
            "InvalidPart",
            "One or more of the specified parts could not be found. The part may not have been "
            "uploaded, or its entity tag or checksum may not match.",
            400,
            PartNumber=number,
        )
