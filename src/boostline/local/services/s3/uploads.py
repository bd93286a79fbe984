"""Uploads in parts: an upload is a bucket in a bucket, whose objects are the parts.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import suppress
from urllib.parse import quote

from boostline.local.services.s3 import checksums
from boostline.local.services.s3.checksums import COMPOSITE, TYPE, declared
from boostline.local.services.s3.conditions import byte_range
from boostline.local.services.s3.errors import Members, invalid_argument
from boostline.local.services.s3.listing import LONGEST, ListService, Page
from boostline.local.services.s3.objects import members_of
from boostline.local.store.blobs import Blob
from boostline.local.store.objects import NoSuchBucket, Object
from boostline.local.wire.errors import AwsError

SMALLEST_PART = 5 << 20
MOST_PARTS = 10_000


class UploadService(ListService):
    """The operations on uploads."""

    def create_multipart_upload(self, request: Members) -> Members:
        """Begin an upload in parts."""
        self._objects.require_bucket(request["Bucket"])
        headers = self._kept(request)
        algorithm = request.get("ChecksumAlgorithm")
        types = checksums.TYPES[algorithm] if algorithm else (None,)
        kind = request.get(TYPE, types[0])
        if kind not in types:
            raise AwsError("InvalidRequest", f"The {kind} checksum type cannot be of {algorithm}")
        upload = {
            # By time, so that it is a place in a list even when its upload is gone.
            "UploadId": f"{time.time_ns():016x}{secrets.token_urlsafe(24)}",
            "Bucket": request["Bucket"],
            "Key": request["Key"],
            "Headers": headers,
            "ChecksumAlgorithm": algorithm,
            TYPE: kind,
        }
        self._objects.create_bucket(_place(upload), upload)
        return headers | upload

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
        content = self._content(source)._replace(start=part.start, length=len(part))
        made = self._add(request, self.platform.blobs.write(content))
        version = members_of(source)["VersionId"]
        return {"CopyPartResult": made, "CopySourceVersionId": version}

    def _add(self, request: Members, blob: Blob) -> Members:
        number = request["PartNumber"]
        if not 1 <= number <= MOST_PARTS:
            raise invalid_argument(f"Part number must be between 1 and {MOST_PARTS}, inclusive")
        algorithm = self._require(request)["ChecksumAlgorithm"]
        asked = algorithm or request.get("ChecksumAlgorithm")
        sums = checksums.verify(request, asked, self._content(blob).path)
        if algorithm and f"Checksum{algorithm}" not in sums:
            raise AwsError("InvalidRequest", f"The upload's checksums are {algorithm}")
        with self.platform.database.transaction():
            self._require(request)
            return _part(self._objects.put(_place(request), f"{number:05}", blob, sums))

    def complete_multipart_upload(self, request: Members) -> Members:
        """Join the named parts to the object, and forget the upload."""
        upload, parts = self._require(request), self._named_parts(request)
        # The parts are joined outside the transaction: others need not wait for a large copy.
        blob = self.platform.blobs.write(*map(self._content, parts))
        if request.get("MpuObjectSize", blob.size) != blob.size:
            raise AwsError("InvalidRequest", f"The object has {blob.size} bytes")
        algorithm = upload["ChecksumAlgorithm"]
        if upload[TYPE] == COMPOSITE:
            sums = checksums.composite(algorithm, [part.headers for part in parts])
        else:
            sums = checksums.full(algorithm, self._content(blob).path)
        checksums.check_equal(request, sums)
        md5s = b"".join(bytes.fromhex(part.etag) for part in parts)
        etag = f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}"
        headers = {**upload["Headers"], **sums, "MD5": blob.md5}
        with self.platform.database.transaction():
            self._require(request)
            made = self._store(request, blob, headers, etag)
            self._objects.delete_bucket(_place(upload), full=True)
        location = f"{self.platform.endpoint}/{request['Bucket']}/{quote(request['Key'])}"
        return {**request, **made, "Location": location}

    def abort_multipart_upload(self, request: Members) -> Members:
        """Forget an upload and its parts."""
        with self.platform.database.transaction():
            self._objects.delete_bucket(_place(self._require(request)), full=True)
        return {}

    def list_multipart_uploads(self, request: Members) -> Members:
        """Return a page of the uploads under way in a bucket, those of a key by their time."""
        self._objects.require_bucket(request["Bucket"])
        after, prefix = request.get("KeyMarker", ""), request.get("Prefix", "").encode()
        # Without the second marker the list goes on after all uploads of the first one's key.
        place = after.encode(), request.get("UploadIdMarker", "~")
        uploads = {
            (each["Key"].encode(), each["UploadId"]): each
            for each in self._objects.buckets(request["Bucket"])
        }
        rest = (key for key in sorted(uploads) if key > place)
        prefixed = (uploads[key] for key in rest if key[0].startswith(prefix))
        found = Page(request, "MaxUploads", prefixed)
        common = {"StorageClass": "STANDARD"}
        shown = [
            {**common, **each["Headers"], **each, "Initiated": each["CreationDate"]}
            for each in found.entries
        ]
        last = found.last or {}
        markers = {"NextKeyMarker": last.get("Key"), "NextUploadIdMarker": last.get("UploadId")}
        return found.answer(Uploads=shown, **markers)

    def list_parts(self, request: Members) -> Members:
        """Return a page of an upload's parts, by their numbers."""
        upload, after = self._require(request), request.get("PartNumberMarker", 0)
        place = f"{after:05}".encode(), 0
        stored = self._objects.list(_place(upload), after=place, limit=LONGEST + 1)
        found = Page(request, "MaxParts", stored)
        parts = [_part(each) for each in found.entries]
        return {
            **upload["Headers"],
            **upload,
            **found.answer(Parts=parts, Initiator=self._owner, Owner=self._owner),
            "PartNumberMarker": after,
            "NextPartNumberMarker": parts[-1]["PartNumber"] if parts else 0,
        }

    def _require(self, request: Members) -> Members:
        self._objects.require_bucket(request["Bucket"])
        with suppress(NoSuchBucket):
            upload = self._objects.settings(_place(request))
            if upload["Key"] == request["Key"]:
                return upload
        message = "The specified upload does not exist. It may have been aborted or completed."
        raise AwsError("NoSuchUpload", message, 404, UploadId=request["UploadId"])

    def _named_parts(self, request: Members) -> list[Object]:
        """Return the stored parts that CompleteMultipartUpload names, if they may be joined."""
        stored = {int(part.key): part for part in self._objects.list(_place(request))}
        named = request.get("MultipartUpload", {}).get("Parts", [])
        numbers = [part.get("PartNumber", 0) for part in named]
        if not numbers:
            raise AwsError("MalformedXML", "You must specify at least one part")
        if numbers != sorted(set(numbers)):
            raise AwsError("InvalidPartOrder", "The list of parts was not in ascending order.")
        for number, part in zip(numbers, named, strict=True):
            found, tag = stored.get(number), part.get("ETag", "").strip('"')
            sums = declared(found.headers) if found else {}
            if not found or found.etag != tag or declared(part).items() - sums.items():
                message = "A specified part was not uploaded, or its ETag or checksum differs."
                raise AwsError("InvalidPart", message, PartNumber=number)
        for number in numbers[:-1]:
            if (size := stored[number].size) < SMALLEST_PART:
                message = "Your proposed upload is smaller than the minimum allowed size"
                sizes = {"MinSizeAllowed": SMALLEST_PART, "ProposedSize": size}
                raise AwsError("EntityTooSmall", message, PartNumber=number, **sizes)
        return [stored[number] for number in numbers]


def _place(upload: Members) -> str:
    """Return the name of an upload's bucket: no client can write such a one."""
    return f"{upload['Bucket']}/{upload['UploadId']}"


def _part(found: Object) -> Members:
    return members_of(found) | {"PartNumber": int(found.key), "Size": found.size}
