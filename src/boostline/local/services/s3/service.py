"""S3's operations."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from boostline.local.service import Service
from boostline.local.services.s3.checksums import verify
from boostline.local.services.s3.conditions import byte_range, check_read, check_write
from boostline.local.services.s3.errors import Members, check_supported, no_such_key, s3_errors
from boostline.local.services.s3.listing import key_of, list_v1, list_v2, token_of
from boostline.local.services.s3.uploads import Uploads
from boostline.local.store.objects import Object
from boostline.local.wire.body import FileRange
from boostline.local.wire.errors import AwsError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!xn--)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
LONGEST_KEY = 1_024
MOST_BUCKETS = 10_000
LONGEST_METADATA = 2_048
# What an object is given with its content and gives back with it.
KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
)
# GetObject's request may name other headers for its answer.
_RESPONSE = {name: f"Response{name}" for name in KEPT if name != "Metadata"}


class S3(Service):
    """Buckets of one account, path style, without versions.

    Access control, encryption and storage classes are taken and not kept: there is one user, and
    one disk.
    """

    def __init__(self, platform: Any) -> None:
        super().__init__(platform)
        self._objects = platform.objects
        self._uploads = Uploads(platform)

    @s3_errors
    def list_buckets(self, request: Members) -> Members:
        """Return a page of the buckets that start with the prefix."""
        prefix, after = request.get("Prefix", ""), key_of(request.get("ContinuationToken", ""))
        region = self.platform.settings.region
        found = [
            {"Name": name, "CreationDate": created, "BucketRegion": region}
            for name, created in self._objects.buckets().items()
            if name.startswith(prefix) and name > after
        ]
        if request.get("BucketRegion", region) != region:
            found = []
        page = found[: request.get("MaxBuckets", MOST_BUCKETS)]
        more = {"ContinuationToken": token_of(page[-1]["Name"])} if len(page) < len(found) else {}
        return {"Buckets": page, "Owner": self._owner(), **more}

    @s3_errors
    def create_bucket(self, request: Members) -> Members:
        """Make a bucket; in us-east-1 making it again is no error, elsewhere it is."""
        name = request["Bucket"]
        if not _BUCKET.fullmatch(name):
            raise AwsError(
                "InvalidBucketName", "The specified bucket is not valid.", 400, BucketName=name
            )
        region, configuration = self.platform.settings.region, "CreateBucketConfiguration"
        if region not in {"us-east-1", request.get(configuration, {}).get("LocationConstraint")}:
            raise AwsError(
                "IllegalLocationConstraintException",
                f"Buckets are made in {region} here: say so in {configuration}.LocationConstraint",
            )
        if not self._objects.create_bucket(name) and region != "us-east-1":
            raise AwsError(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own "
                "it.",
                409,
                BucketName=name,
            )
        return {"Location": f"/{name}"}

    @s3_errors
    def head_bucket(self, request: Members) -> Members:
        """Return the bucket's region."""
        self._objects.require_bucket(request["Bucket"])
        return {"BucketRegion": self.platform.settings.region}

    @s3_errors
    def get_bucket_location(self, request: Members) -> Members:
        """Return the bucket's region; nothing for us-east-1, as S3 does."""
        self._objects.require_bucket(request["Bucket"])
        region = self.platform.settings.region
        return {} if region == "us-east-1" else {"LocationConstraint": region}

    @s3_errors
    def delete_bucket(self, request: Members) -> Members:
        """Remove an empty bucket."""
        if not self._objects.delete_bucket(request["Bucket"]):
            raise AwsError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        return {}

    @s3_errors
    def put_object(self, request: Members) -> Members:
        """Store an object, if the conditions hold and the checksums agree."""
        blob = request["Body"]
        check_key(request["Key"])
        sums = verify(request, blob)
        with self.platform.database.transaction():
            found = self._objects.find(request["Bucket"], request["Key"])
            check_write(request, found)
            made = self._objects.put(request["Bucket"], request["Key"], blob, kept(request) | sums)
        return {"ETag": quoted(made.etag), **sums}

    @s3_errors
    def get_object(self, request: Members) -> Members:
        """Return an object or a range of it."""
        found, part = self._read(request)
        path = self.platform.blobs.path(found.digest)
        start, length = (0, found.size) if part is None else (part.start, len(part))
        return self._described(request, found, part) | {"Body": FileRange(path, start, length)}

    @s3_errors
    def head_object(self, request: Members) -> Members:
        """Return what is known of an object."""
        found, part = self._read(request)
        return self._described(request, found, part)

    def _read(self, request: Members) -> tuple[Object, range | None]:
        if "PartNumber" in request:
            raise AwsError("NotImplemented", "Objects are read whole here, not by parts", 501)
        found = self._objects.get(request["Bucket"], request["Key"])
        check_read(request, found)
        return found, byte_range(request.get("Range"), found.size)

    def _described(self, request: Members, found: Object, part: range | None) -> Members:
        headers = {name: value for name, value in found.headers.items() if name in KEPT}
        if request.get("ChecksumMode") == "ENABLED" and (part is None or len(part) == found.size):
            headers = dict(found.headers)
        for name, override in _RESPONSE.items():
            if override in request:
                headers[name] = request[override]
        return {
            "ContentType": "binary/octet-stream",
            **headers,
            "AcceptRanges": "bytes",
            "ETag": quoted(found.etag),
            "LastModified": found.modified,
            "ContentLength": found.size if part is None else len(part),
            **({} if part is None else _partial(part, found.size)),
        }

    @s3_errors
    def delete_object(self, request: Members) -> Members:
        """Remove an object; it need not be there."""
        self._objects.delete(request["Bucket"], request["Key"])
        return {}

    @s3_errors
    def delete_objects(self, request: Members) -> Members:
        """Remove up to 1,000 objects."""
        wanted = request["Delete"]
        keys = [entry["Key"] for entry in wanted["Objects"]]
        for entry in wanted["Objects"]:
            check_supported(entry)
        if not 1 <= len(keys) <= 1_000:
            raise AwsError("MalformedXML", f"1 to 1,000 keys can be deleted, not {len(keys)}")
        with self.platform.database.transaction():
            for key in keys:
                self._objects.delete(request["Bucket"], key)
        return {} if wanted.get("Quiet") else {"Deleted": [{"Key": key} for key in keys]}

    @s3_errors
    def copy_object(self, request: Members) -> Members:
        """Name the content of another object, with its headers or with new ones."""
        bucket, _, key = unquote(request["CopySource"]).lstrip("/").partition("/")
        check_key(request["Key"])
        source = self._objects.find(bucket, key)
        if source is None:
            raise no_such_key(key)
        check_read(
            {name.removeprefix("CopySource"): value for name, value in request.items()}, source
        )
        same = (bucket, key) == (request["Bucket"], request["Key"])
        replaced = request.get("MetadataDirective", "COPY") == "REPLACE"
        if same and not replaced:
            raise AwsError(
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself "
                "without changing the object's metadata: use MetadataDirective REPLACE.",
            )
        headers = kept(request) if replaced else source.headers
        made = self._objects.copy(source, request["Bucket"], request["Key"], headers)
        return {"CopyObjectResult": {"ETag": quoted(made.etag), "LastModified": made.modified}}

    @s3_errors
    def list_objects(self, request: Members) -> Members:
        """Return a page of a bucket's objects, the older way."""
        return list_v1(self._objects, request, self._owner())

    @s3_errors
    def list_objects_v2(self, request: Members) -> Members:
        """Return a page of a bucket's objects."""
        return list_v2(self._objects, request, self._owner())

    @s3_errors
    def create_multipart_upload(self, request: Members) -> Members:
        """Begin an upload in parts."""
        check_key(request["Key"])
        return self._uploads.create(request, kept(request))

    @s3_errors
    def upload_part(self, request: Members) -> Members:
        """Store a part of an upload."""
        return self._uploads.add(request, request["Body"], verify(request, request["Body"]))

    @s3_errors
    def complete_multipart_upload(self, request: Members) -> Members:
        """Join the parts to an object."""
        return self._uploads.complete(request)

    @s3_errors
    def abort_multipart_upload(self, request: Members) -> Members:
        """Forget an upload and its parts."""
        self._uploads.abort(request)
        return {}

    def _owner(self) -> Members:
        return {"ID": self.platform.settings.account}


def kept(request: Members) -> Members:
    """Return the headers of a request that are stored with the object.

    Raises
    ------
    AwsError
        `MetadataTooLarge` if the user's metadata passes 2 KB.
    """
    headers = {name: request[name] for name in KEPT if name in request}
    size = sum(len(k.encode()) + len(v.encode()) for k, v in headers.get("Metadata", {}).items())
    if size > LONGEST_METADATA:
        raise AwsError(
            "MetadataTooLarge", f"Your metadata is {size} bytes; {LONGEST_METADATA} are allowed"
        )
    return headers


def check_key(key: str) -> None:
    """Raise `KeyTooLongError` if a key is longer than S3 allows."""
    if len(key.encode()) > LONGEST_KEY:
        raise AwsError("KeyTooLongError", f"Your key is longer than {LONGEST_KEY} bytes")


def quoted(etag: str) -> str:
    """Return an entity tag as headers and XML have it."""
    return f'"{etag}"'


def _partial(part: range, size: int) -> Members:
    return {
        "ContentRange": f"bytes {part.start}-{part.stop - 1}/{size}",
        "ResponseMetadata": {"HTTPStatusCode": 206},
    }
