"""Uploads in parts, each part a stored content until the upload is complete.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import time
from typing import Any
from urllib.parse import quote

from boostline.local.services.s3 import checksums
from boostline.local.services.s3.checksums import COMPOSITE, FULL, TYPE, checksum_members
from boostline.local.services.s3.conditions import byte_range, check_write
from boostline.local.services.s3.errors import Members, invalid_argument
from boostline.local.services.s3.listing import ListService, Upload, limit_of, list_uploads
from boostline.local.services.s3.settings import kept
from boostline.local.store.blobs import CHUNK, Blob, FileRange
from boostline.local.wire.errors import AwsError

UPLOAD, PART = "s3:upload", "s3:part"
SMALLEST_PART = 5 << 20
MOST_PARTS = 10_000
# Which checksums of an upload may be made of its parts', and which of the whole; the first is the
# default. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
_TYPES = {"CRC32": (COMPOSITE, FULL), "CRC32C": (COMPOSITE, FULL), "CRC64NVME": (FULL,)}


class UploadService(ListService):
    """The operations on uploads."""

    def create_multipart_upload(self, request: Members) -> Members:
        """Begin an upload in parts."""
        self._objects.require_bucket(request["Bucket"])
        headers = kept(request)
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
        self.platform.resources.create(UPLOAD, document["UploadId"], document, request["Bucket"])
        return headers | document

    def upload_part(self, request: Members) -> Members:
        """Store a part of an upload, in place of an earlier one of its number."""
        return self._add(request, request["Body"])

    def upload_part_copy(self, request: Members) -> Members:
        """Store a part of another object as a part of an upload."""
        source, asked = self._source(request), request.get("CopySourceRange")
        part = byte_range(asked, source.size)
        if asked is not None and part is None:
            raise invalid_argument("The copy source range must be of the form bytes=0-9")
        part = part or range(source.size)
        place = FileRange(self.platform.blobs.path(source.digest), part.start, len(part))
        made = self._add(request, self._join([place]))
        version = self._named(source).get("VersionId")
        return {"CopyPartResult": made, "CopySourceVersionId": version}

    def _add(self, request: Members, blob: Blob) -> Members:
        number, upload = request["PartNumber"], request["UploadId"]
        if not 1 <= number <= MOST_PARTS:
            raise invalid_argument(f"Part number must be between 1 and {MOST_PARTS}, inclusive")
        algorithm = self._require(request)["ChecksumAlgorithm"]
        asked = {"ChecksumAlgorithm": algorithm} if algorithm else {}
        sums = checksums.verify(request | asked, blob, self.platform.blobs.path(blob.digest))
        if algorithm and f"Checksum{algorithm}" not in sums:
            raise AwsError("InvalidRequest", f"The upload's checksums are {algorithm}")
        name = f"{upload}/{number}"
        part = {"PartNumber": number, "LastModified": time.time(), **blob._asdict(), **sums}
        with self.platform.database.transaction():
            self._require(request)
            if self.platform.resources.find(PART, name) is not None:
                self.platform.resources.delete(PART, name)
            self.platform.resources.create(PART, name, part, upload)
        return {"ETag": f'"{blob.md5}"', "LastModified": part["LastModified"], **sums}

    def complete_multipart_upload(self, request: Members) -> Members:
        """Join the named parts to the object, and forget the upload."""
        upload = self._require(request)
        parts = self._named_parts(request)
        ranges = [
            FileRange(self.platform.blobs.path(part["digest"]), 0, part["size"]) for part in parts
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
        with self.platform.database.transaction():
            self._require(request)
            check_write(request, self._objects.find(upload["Bucket"], upload["Key"]))
            made = self._objects.put(upload["Bucket"], upload["Key"], blob, headers, etag)
            self._forget(request["UploadId"])
        return {
            **made.headers,
            **self._named(made),
            "Location": f"{self.platform.endpoint}/{made.bucket}/{quote(made.key)}",
            "Bucket": made.bucket,
            "Key": made.key,
            "ETag": f'"{made.etag}"',
        }

    def abort_multipart_upload(self, request: Members) -> Members:
        """Forget an upload and its parts."""
        with self.platform.database.transaction():
            self._require(request)
            self._forget(request["UploadId"])
        return {}

    def list_multipart_uploads(self, request: Members) -> Members:
        """Return a page of the uploads under way in a bucket, those of a key by their time."""
        bucket = request["Bucket"]
        self._objects.require_bucket(bucket)
        found = self.platform.resources.list(UPLOAD, bucket)
        made = [Upload(each["Key"], -at, each["UploadId"], each) for at, each in enumerate(found)]
        return list_uploads(sorted(made, key=lambda each: (each.key, -each.number)), request)

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
            "Initiator": self._owner,
            "Owner": self._owner,
        }

    def _parts(self, upload: str) -> list[Members]:
        return sorted(
            self.platform.resources.list(PART, upload), key=lambda part: part["PartNumber"]
        )

    def _forget(self, upload: str) -> None:
        for part in self._parts(upload):
            self.platform.resources.delete(PART, f"{upload}/{part['PartNumber']}")
        self.platform.resources.delete(UPLOAD, upload)

    def _require(self, request: Members) -> dict[str, Any]:
        self._objects.require_bucket(request["Bucket"])
        found = self.platform.resources.find(UPLOAD, request["UploadId"])
        place = (request["Bucket"], request["Key"])
        if found is None or (found["Bucket"], found["Key"]) != place:
            message = "The specified upload does not exist. It may have been aborted or completed."
            raise AwsError("NoSuchUpload", message, 404, UploadId=request["UploadId"])
        return dict(found)

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
                message = "Your proposed upload is smaller than the minimum allowed size"
                sizes = {"MinSizeAllowed": SMALLEST_PART, "PartNumber": part["PartNumber"]}
                raise AwsError("EntityTooSmall", message, ProposedSize=part["size"], **sizes)
        return parts

    def _join(self, ranges: list[FileRange]) -> Blob:
        with self.platform.blobs.writer() as writer:
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
            path = self.platform.blobs.path(blob.digest)
            return {name: checksums.checksum(algorithm, path, blob), TYPE: kind}
        return {name: checksums.composite(algorithm, [part[name] for part in parts]), TYPE: kind}


def _check_part(number: int, part: Members, stored: Members | None) -> None:
    declared = checksum_members(part)
    if (
        stored is None
        or part.get("ETag", "").strip('"') != stored["md5"]
        or any(stored.get(name, value) != value for name, value in declared.items())
    ):
        message = "A specified part was not uploaded, or its entity tag or checksum does not match."
        raise AwsError("InvalidPart", message, PartNumber=number)
