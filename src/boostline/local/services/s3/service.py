"""S3's operations on buckets and objects."""

from __future__ import annotations

import logging
import re
import threading
from operator import itemgetter
from typing import Any

from boostline.local.services.s3 import checksums
from boostline.local.services.s3.conditions import byte_range, check_read, check_write
from boostline.local.services.s3.errors import Members, check_supported
from boostline.local.services.s3.objects import members_of
from boostline.local.services.s3.settings import DESCRIBING, NEW_BUCKET, STORING
from boostline.local.services.s3.uploads import UploadService
from boostline.local.store import gc
from boostline.local.store.blobs import Blob
from boostline.local.wire.errors import AwsError

log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(
    r"(?!\d+\.\d+\.\d+\.\d+$)(?!xn--|sthree-|amzn-s3-demo-)(?!.*\.\.)"
    r"(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)
COLLECT_EVERY = 3_600.0  # seconds


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
        """Return the buckets that start with the prefix."""
        region = self.platform.settings.region
        found = self._objects.buckets() if request.get("BucketRegion", region) == region else []
        buckets = [
            {**each, "BucketRegion": region}
            for each in sorted(found, key=itemgetter("Name"))
            if each["Name"].startswith(request.get("Prefix", ""))
        ]
        return {"Buckets": buckets, "Owner": self._owner, "Prefix": request.get("Prefix")}

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
            settings["BucketAcl"] = self._acl(request)
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
        blob, asked = request["Body"], request.get("ChecksumAlgorithm")
        sums = checksums.verify(request, asked, self._content(blob).path)
        return self._store(request, blob, self._kept(request) | sums)

    def get_object(self, request: Members) -> Members:
        """Return an object or a range of it."""
        found = self._version(request)
        check_read(request, found)
        asked = byte_range(request.get("Range"), found.size)
        part = range(found.size) if asked is None else asked
        members = {"ContentType": "binary/octet-stream", **members_of(found)}
        if request.get("ChecksumMode") != "ENABLED" or len(part) < found.size:
            members = {name: members[name] for name in members if "Checksum" not in name}
        replaced = {name: request.get(f"Response{name}") for name in DESCRIBING}
        members |= {name: text for name, text in replaced.items() if text is not None}
        tags = (found.headers.get("ObjectTagging") or {}).get("TagSet")
        if asked is not None:
            members["ContentRange"] = f"bytes {part.start}-{part.stop - 1}/{found.size}"
            members["ResponseMetadata"] = {"HTTPStatusCode": 206}
        return {
            **members,
            "AcceptRanges": "bytes",
            "ContentLength": len(part),
            "TagCount": len(tags) if tags else None,
            "Body": self._content(found)._replace(start=part.start, length=len(part)),
        }

    head_object = get_object  # the shape of its answer has no body

    def delete_object(self, request: Members) -> Members:
        """Remove an object or a version of it, or hide it; it need not be there."""
        bucket, key, version = request["Bucket"], request["Key"], request.get("VersionId")
        with self.platform.database.transaction():
            if "IfMatch" in request:
                check_write(request, self._objects.find(bucket, key, version))
            removed = self._objects.delete(bucket, key, version)
        if removed is None:
            return {}
        return members_of(removed) | ({} if removed.digest else {"DeleteMarker": True})

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
                    check_supported("DeleteObject", {f"IfMatch{name}": 0 for name in entry})
                    removed = self.delete_object({"Bucket": bucket, **place, **condition})
                except AwsError as error:
                    errors.append({**place, "Code": error.code, "Message": error.message})
                    continue
                if marker := removed.get("DeleteMarker"):
                    place |= {"DeleteMarker": marker, "DeleteMarkerVersionId": removed["VersionId"]}
                deleted.append(place)
        return {"Deleted": [] if wanted.get("Quiet") else deleted, "Errors": errors}

    def copy_object(self, request: Members) -> Members:
        """Name the content of another object, with its headers or with new ones."""
        source, given = self._source(request), self._kept(request)
        copied = {*DESCRIBING, "ObjectTagging"}
        if replaced := request.get("MetadataDirective") == "REPLACE":
            copied -= {*DESCRIBING}
        if request.get("TaggingDirective") == "REPLACE":
            copied.remove("ObjectTagging")
        headers = {name: given[name] for name in given.keys() - copied}
        headers |= {name: source.headers[name] for name in copied & source.headers.keys()}
        asked = request.get("ChecksumAlgorithm")
        sums = checksums.copied(source.headers, asked, self._content(source).path)
        blob = Blob(source.digest, source.size, source.headers.get("MD5", source.etag))
        with self.platform.database.transaction():
            if self._source(request).number != source.number:
                message = "The source was replaced while it was read: please try again."
                raise AwsError("OperationAborted", message, 409)
            here = self._objects.find(request["Bucket"], request["Key"])
            changed = replaced or headers.keys() & {*STORING}
            if here is not None and here.number == source.number and not changed:
                message = "An object cannot be copied to itself without changing its metadata"
                raise AwsError("InvalidRequest", f"{message}: use MetadataDirective REPLACE.")
            made = self._store(request, blob, headers | sums)
        version = members_of(source)["VersionId"]
        return {**made, "CopyObjectResult": made, "CopySourceVersionId": version}
