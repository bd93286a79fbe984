"""S3's operations on buckets and objects."""

from __future__ import annotations

import logging
import re
import threading
from typing import Any

from boostline.local.services.s3 import checksums, listing
from boostline.local.services.s3.checksums import TYPE, checksum_members
from boostline.local.services.s3.conditions import (
    byte_range,
    check_read,
    check_write,
    part_range,
)
from boostline.local.services.s3.errors import (
    Members,
    check_supported,
    s3_errors,
)
from boostline.local.services.s3.settings import DESCRIBING, NEW_BUCKET, STORING, kept
from boostline.local.services.s3.uploads import UploadService
from boostline.local.store import gc
from boostline.local.store.blobs import Blob, FileRange
from boostline.local.store.objects import Object
from boostline.local.wire.errors import AwsError

log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(
    r"(?!\d+\.\d+\.\d+\.\d+$)(?!xn--|sthree-|amzn-s3-demo-)(?!.*\.\.)"
    r"(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)
MOST_BUCKETS = 10_000
COLLECT_EVERY = 3_600.0  # seconds
# GetObject's request may name other headers for its answer.
_RESPONSE = {name: f"Response{name}" for name in DESCRIBING if name != "Metadata"}


@s3_errors
class S3(UploadService):
    """Buckets of one account, path style."""

    def __init__(self, platform: Any) -> None:
        super().__init__(platform)
        self._stopping = threading.Event()
        self._collector = threading.Thread(target=self._collect, name="collector", daemon=True)

    def start(self) -> None:
        """Remove what is not named any more, now and every hour."""
        self._collector.start()

    def stop(self) -> None:
        """Let the collector finish."""
        self._stopping.set()
        if self._collector.is_alive():
            self._collector.join()

    def _collect(self) -> None:
        while True:
            try:
                gc.collect(self.platform.database.path, self.platform.blobs)
            except Exception:
                log.exception("the contents that nothing names could not be removed")
            if self._stopping.wait(COLLECT_EVERY):
                return

    def list_buckets(self, request: Members) -> Members:
        """Return a page of the buckets that start with the prefix."""
        prefix = request.get("Prefix", "")
        after = listing.from_token(request.get("ContinuationToken", ""))
        region = self.platform.settings.region
        found: list[Members] = [
            {"Name": name, "CreationDate": created, "BucketRegion": region}
            for name, created in self._objects.buckets().items()
            if name.startswith(prefix) and name > after
        ]
        if request.get("BucketRegion", region) != region:
            found = []
        page = found[: request.get("MaxBuckets", MOST_BUCKETS)]
        token = listing.to_token(page[-1]["Name"]) if len(page) < len(found) else None
        return {
            "Buckets": page,
            "Owner": self._owner,
            "ContinuationToken": token,
            "Prefix": prefix or None,
        }

    def create_bucket(self, request: Members) -> Members:
        """Make a bucket; in us-east-1 making it again is no error, elsewhere it is."""
        name = request["Bucket"]
        if not _BUCKET.fullmatch(name):
            message = "The specified bucket is not valid."
            raise AwsError("InvalidBucketName", message, BucketName=name)
        region, configuration = self.platform.settings.region, "CreateBucketConfiguration"
        given = request.get(configuration, {})
        if region not in {"us-east-1", given.get("LocationConstraint")}:
            message = f"Buckets are made in {region} here: say so in {configuration}"
            raise AwsError("IllegalLocationConstraintException", message)
        settings = dict(NEW_BUCKET)
        if "ACL" in request:
            settings["BucketAcl"] = {"Canned": request["ACL"]}
        if "ObjectOwnership" in request:
            rules = [{"ObjectOwnership": request["ObjectOwnership"]}]
            settings["BucketOwnershipControls"] = {"Rules": rules}
        if given.get("Tags"):
            settings["BucketTagging"] = {"TagSet": given["Tags"]}
        if not self._objects.create_bucket(name, settings) and region != "us-east-1":
            message = "You have made this bucket before, and you own it."
            raise AwsError("BucketAlreadyOwnedByYou", message, 409, BucketName=name)
        return {"Location": f"/{name}", "BucketArn": f"arn:aws:s3:::{name}"}

    def head_bucket(self, request: Members) -> Members:
        """Return the bucket's region."""
        self._objects.require_bucket(request["Bucket"])
        return {"BucketRegion": self.platform.settings.region}

    def get_bucket_location(self, request: Members) -> Members:
        """Return the bucket's region; nothing for us-east-1, as S3 does."""
        self._objects.require_bucket(request["Bucket"])
        region = self.platform.settings.region
        return {} if region == "us-east-1" else {"LocationConstraint": region}

    def delete_bucket(self, request: Members) -> Members:
        """Remove an empty bucket."""
        if not self._objects.delete_bucket(request["Bucket"]):
            raise AwsError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        return {}

    def put_object(self, request: Members) -> Members:
        """Store an object, if the conditions hold and the checksums agree."""
        blob, bucket, key = request["Body"], request["Bucket"], request["Key"]
        sums = checksums.verify(request, blob, self.platform.blobs.path(blob.digest))
        headers = kept(request) | sums
        with self.platform.database.transaction():
            check_write(request, self._objects.find(bucket, key))
            made = self._objects.put(bucket, key, blob, headers)
        return {**headers, "ETag": f'"{made.etag}"', **self._named(made)}

    def get_object(self, request: Members) -> Members:
        """Return an object or a range of it."""
        members, found, part = self._read(request)
        path = self.platform.blobs.path(found.digest)
        return members | {"Body": FileRange(path, part.start, len(part))}

    def head_object(self, request: Members) -> Members:
        """Return what is known of an object."""
        return self._read(request)[0]

    def _read(self, request: Members) -> tuple[Members, Object, range]:
        found = self._version(request)
        check_read(request, found)
        number, parts = request.get("PartNumber"), found.headers.get("Parts", [])
        if number is None:
            part = byte_range(request.get("Range"), found.size)
        elif "Range" in request:
            raise AwsError("InvalidRequest", "Cannot specify both Range header and partNumber.")
        else:
            part = part_range(number, parts or [found.size])
        names = [*DESCRIBING, *STORING]
        if request.get("ChecksumMode") == "ENABLED" and part in {None, range(found.size)}:
            names += checksum_members(found.headers)
        members = {name: found.headers[name] for name in names if name in found.headers}
        overrides = {name: request.get(asked) for name, asked in _RESPONSE.items()}
        members |= {name: value for name, value in overrides.items() if value is not None}
        tags = (found.headers.get("ObjectTagging") or {}).get("TagSet")
        members |= {
            "ContentType": members.get("ContentType", "binary/octet-stream"),
            "AcceptRanges": "bytes",
            "ETag": f'"{found.etag}"',
            "LastModified": found.modified,
            "ContentLength": found.size if part is None else len(part),
            "TagCount": len(tags) if tags else None,
            "PartsCount": len(parts) if number and parts else None,
            **self._named(found),
        }
        if part is not None:
            members["ContentRange"] = f"bytes {part.start}-{part.stop - 1}/{found.size}"
            members["ResponseMetadata"] = {"HTTPStatusCode": 206}
        return members, found, range(found.size) if part is None else part

    def delete_object(self, request: Members) -> Members:
        """Remove an object or a version of it, or hide it; it need not be there."""
        bucket, key, version = request["Bucket"], request["Key"], request.get("VersionId")
        with self.platform.database.transaction():
            if "IfMatch" in request:
                check_write(request, self._objects.find(bucket, key, version))
            removed = self._objects.delete(bucket, key, version)
        marker = removed is not None and not removed.digest
        return self._named(removed) | ({"DeleteMarker": True} if marker else {})

    def delete_objects(self, request: Members) -> Members:
        """Remove up to 1,000 objects or versions."""
        wanted, bucket = request["Delete"], request["Bucket"]
        if not 1 <= len(wanted["Objects"]) <= 1_000:
            raise AwsError("MalformedXML", "1 to 1,000 keys can be deleted at once")
        deleted, errors = [], []
        with self.platform.database.transaction():
            self._objects.require_bucket(bucket)
            for entry in wanted["Objects"]:
                place = {name: entry[name] for name in ("Key", "VersionId") if name in entry}
                condition = {"IfMatch": entry["ETag"]} if "ETag" in entry else {}
                try:
                    check_supported({f"IfMatch{name}": 0 for name in entry})
                    removed = self.delete_object({"Bucket": bucket, **place, **condition})
                except AwsError as error:
                    errors.append({**place, "Code": error.code, "Message": error.message})
                    continue
                marker = removed.get("DeleteMarker")
                version = removed.get("VersionId") if marker else None
                made = {"DeleteMarker": marker, "DeleteMarkerVersionId": version}
                deleted.append(place | made)
        return {"Deleted": [] if wanted.get("Quiet") else deleted, "Errors": errors}

    def copy_object(self, request: Members) -> Members:
        """Name the content of another object, with its headers or with new ones."""
        asked = checksums.supported(request.get("ChecksumAlgorithm"))
        headers, source = kept(request), self._source(request)
        sums = self._sums_of_copy(source, asked)
        copied = {"ObjectTagging"} if request.get("TaggingDirective", "COPY") == "COPY" else set()
        if replaced := request.get("MetadataDirective", "COPY") == "COPY":
            copied |= set(DESCRIBING)
        changed = not replaced or any(name in request for name in STORING)
        headers = {name: headers[name] for name in headers if name not in copied}
        headers |= {name: source.headers[name] for name in copied & source.headers.keys()} | sums
        blob = Blob(source.digest, source.size, source.headers.get("MD5", source.etag), 0)
        with self.platform.database.transaction():
            if self._source(request).number != source.number:
                message = "The source was replaced while it was read: please try again."
                raise AwsError("OperationAborted", message, 409)
            here = self._objects.find(request["Bucket"], request["Key"])
            if here is not None and here.number == source.number and not changed:
                message = "An object cannot be copied to itself without changing its metadata"
                raise AwsError("InvalidRequest", f"{message}: use MetadataDirective REPLACE.")
            check_write(request, here)
            made = self._objects.put(request["Bucket"], request["Key"], blob, headers)
        return {
            **headers,
            **self._named(made),
            "CopySourceVersionId": self._named(source).get("VersionId"),
            "CopyObjectResult": {"ETag": f'"{made.etag}"', "LastModified": made.modified, **sums},
        }

    def _sums_of_copy(self, source: Object, asked: str | None) -> Members:
        sums = checksum_members(source.headers)
        full = sums.get(TYPE) == checksums.FULL
        names = [f"Checksum{asked}"] if asked else [name for name in sums if name != TYPE]
        if not names or (full and names[0] in sums):
            return sums
        path = self.platform.blobs.path(source.digest)
        computed = checksums.checksum(names[0].removeprefix("Checksum"), path)
        return {names[0]: computed, TYPE: checksums.FULL}
