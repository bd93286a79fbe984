"""Documents that belong to a bucket or an object: recorded, and given back as they were put.

One row a document; https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingBucket.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore import xform_name

from boostline.local.operations import SERVICES
from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.s3.conditions import check_source
from boostline.local.services.s3.errors import Members, require
from boostline.local.store.objects import VERSIONING, Object
from boostline.local.wire.errors import AwsError

_SSE = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
# What a bucket is made with.
NEW_BUCKET: Members = {
    "BucketOwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "PublicAccessBlock": dict.fromkeys(_BLOCKS, True),
}
# The member that Put takes a document in, and what Get answers where there is none: the code of an
# error, or what holds by default.
SETTINGS: dict[str, tuple[str, str | Members]] = {
    "BucketAcl": ("AccessControlPolicy", {}),
    "BucketCors": ("CORSConfiguration", "NoSuchCORSConfiguration"),
    "BucketEncryption": ("ServerSideEncryptionConfiguration", {"Rules": [_SSE]}),
    "BucketLifecycleConfiguration": ("LifecycleConfiguration", "NoSuchLifecycleConfiguration"),
    "BucketLogging": ("BucketLoggingStatus", {}),
    "BucketNotificationConfiguration": ("NotificationConfiguration", {}),
    "BucketOwnershipControls": ("OwnershipControls", "OwnershipControlsNotFoundError"),
    "BucketPolicy": ("Policy", "NoSuchBucketPolicy"),
    "BucketTagging": ("Tagging", "NoSuchTagSet"),
    VERSIONING: ("VersioningConfiguration", {}),
    "ObjectAcl": ("AccessControlPolicy", {}),
    "ObjectTagging": ("Tagging", {"TagSet": []}),
    "PublicAccessBlock": (
        "PublicAccessBlockConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
    ),
}
# The names of Delete that are not Put's.
_DELETE = {"BucketLifecycleConfiguration": "BucketLifecycle"}
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl
_GROUPS = "http://acs.amazonaws.com/groups/"
_CANNED = {
    "public-read": {"global/AllUsers": ["READ"]},
    "public-read-write": {"global/AllUsers": ["READ", "WRITE"]},
    "authenticated-read": {"global/AuthenticatedUsers": ["READ"]},
    "log-delivery-write": {"s3/LogDelivery": ["WRITE", "READ_ACP"]},
}
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-managing.html
_MOST_TAGS = {"BucketTagging": 50, "ObjectTagging": 10}


class SettingsService(Service):
    """The operations on documents: Put, Get and Delete of each row of the table."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._objects = platform.objects
        self._owner = {"ID": platform.settings.account}

    def _record(self, noun: str, request: Members, document: Any) -> Members:
        with self.platform.database.transaction():
            if "Key" not in request:
                self._objects.configure(request["Bucket"], noun, document)
                return {}
            found = self._version(request)
            self._objects.describe(found, found.headers | {noun: document})
        return self._named(found)

    def _recorded(self, noun: str, request: Members) -> Members:
        member, otherwise = SETTINGS[noun]
        found = self._version(request) if "Key" in request else None
        there = self._objects.settings(request["Bucket"]) if found is None else found.headers
        document: Any = there.get(noun)
        if document is None and isinstance(otherwise, str):
            message = f"The {member} does not exist"
            raise AwsError(otherwise, message, 404, BucketName=request["Bucket"])
        if document is None:
            document = otherwise
        if member == "AccessControlPolicy":
            document = self._grants(document)
        # Some answers hold the document, and some its members: their shapes know which.
        inside = document if isinstance(document, dict) else {}
        return {member: document, **inside, **self._named(found)}

    def _grants(self, document: Members) -> Members:
        grantee = {**self._owner, "Type": "CanonicalUser"}
        everything = {"Grantee": grantee, "Permission": "FULL_CONTROL"}
        granted = [
            {"Grantee": {"Type": "Group", "URI": _GROUPS + group}, "Permission": permission}
            for group, permissions in _CANNED.get(document.get("Canned", ""), {}).items()
            for permission in permissions
        ]
        return {"Owner": self._owner, "Grants": [everything, *granted]} | document

    def _version(self, request: Members) -> Object:
        """Return the object, or the version of it, that a request names."""
        place = (request["Bucket"], request["Key"], request.get("VersionId"))
        return require(self._objects.last(*place), request)

    def _source(self, request: Members) -> Object:
        place, _, version = request["CopySource"].partition("?versionId=")
        bucket, _, key = unquote(place).lstrip("/").partition("/")
        named = {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version else {})
        source = self._version(named)
        check_source(request, source)
        return source

    def _named(self, found: Object | None) -> Members:
        """Return the version that an answer names: none where the bucket never kept versions."""
        if found is None or not self._objects.settings(found.bucket).get(VERSIONING):
            return {}
        return {"VersionId": found.version}


def _handlers(noun: str) -> dict[str, Callable[[Any, Members], Members]]:
    member, _ = SETTINGS[noun]

    def put(self: SettingsService, request: Members) -> Members:
        self._objects.require_bucket(request["Bucket"])
        document = request.get(member)
        if document is None and "ACL" not in request:
            raise AwsError("MalformedXML", f"{member} must be given")
        canned = {"Canned": request.get("ACL")}
        return self._record(noun, request, canned if document is None else checked(noun, document))

    def get(self: SettingsService, request: Members) -> Members:
        return self._recorded(noun, request)

    def delete(self: SettingsService, request: Members) -> Members:
        return self._record(noun, request, None)

    names = (f"Put{noun}", f"Get{noun}", f"Delete{_DELETE.get(noun, noun)}")
    return dict(zip(names, (put, get, delete), strict=True))


for _noun in SETTINGS:
    for _name, _handler in _handlers(_noun).items():
        if _name in SERVICES["s3"].operations:
            setattr(SettingsService, xform_name(_name), _handler)


def documents(request: Members) -> Members:
    """Return the documents that come with a new object."""
    made: Members = {"ObjectAcl": {"Canned": request["ACL"]}} if "ACL" in request else {}
    if request.get("Tagging"):
        pairs = parse_qsl(request["Tagging"], keep_blank_values=True)
        tags = [{"Key": key, "Value": value} for key, value in pairs]
        made["ObjectTagging"] = checked("ObjectTagging", {"TagSet": tags})
    return made


def checked(noun: str, document: Any) -> Any:
    """Return a document, or raise `AwsError` if S3 would not take it."""
    if noun == "BucketPolicy":
        try:
            json.loads(document)
        except ValueError as error:
            raise AwsError("MalformedPolicy", f"Policies must be valid JSON: {error}") from None
    if noun == VERSIONING and document.get("MFADelete") == "Enabled":
        raise AwsError("NotImplemented", "The local platform has no MFA", 501)
    if noun == VERSIONING and "Status" not in document:
        raise AwsError("IllegalVersioningConfigurationException", "Status must be given")
    if noun in _MOST_TAGS:
        keys = [tag["Key"] for tag in document["TagSet"]]
        if len(keys) > _MOST_TAGS[noun]:
            raise AwsError("BadRequest", f"There may be {_MOST_TAGS[noun]} tags, not {len(keys)}")
        long = [
            tag for tag in document["TagSet"] if len(tag["Key"]) > 128 or len(tag["Value"]) > 256
        ]
        if len(set(keys)) < len(keys) or long:
            raise AwsError("InvalidTag", "A tag's key occurs twice, or a tag is too long")
    return document


# What describes an object's content, and is copied with it; and how the object is to be kept, which
# is recorded and given back: here all are kept alike.
DESCRIBING = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("Expires", "Metadata"),
)
STORING = (
    *("StorageClass", "ServerSideEncryption", "SSEKMSKeyId", "SSEKMSEncryptionContext"),
    "BucketKeyEnabled",
)
LONGEST_KEY, LONGEST_METADATA = 1_024, 2_048


def kept(request: Members) -> Members:
    """Return what of a request is stored with the object: headers and documents.

    Raises
    ------
    AwsError
        `KeyTooLongError` if the key is longer than S3 allows, `MetadataTooLarge` if the user's
        metadata passes 2 KB.
    """
    if len(request["Key"].encode()) > LONGEST_KEY:
        raise AwsError("KeyTooLongError", f"Your key is longer than {LONGEST_KEY} bytes")
    headers = {name: request[name] for name in (*DESCRIBING, *STORING) if name in request}
    size = sum(len(f"{name}{text}".encode()) for name, text in headers.get("Metadata", {}).items())
    if size > LONGEST_METADATA:
        message = f"Your metadata is {size} bytes; {LONGEST_METADATA} are allowed"
        raise AwsError("MetadataTooLarge", message)
    return headers | documents(request)
