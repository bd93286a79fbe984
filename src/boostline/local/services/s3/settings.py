"""Documents that belong to a bucket or an object: recorded, and given back as they were put.

One row a document; https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingBucket.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from boostline.contracts.models import service_model
from boostline.local.services.s3.errors import Members
from boostline.local.services.s3.objects import ObjectService, members_of
from boostline.local.store.objects import VERSIONING
from boostline.local.wire.documents import read_json
from boostline.local.wire.errors import AwsError

_SSE = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
# What a bucket is made with.
NEW_BUCKET: Members = {
    "BucketOwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "PublicAccessBlock": dict.fromkeys(_BLOCKS, True),
}
# What Get answers where there is no document: the code of an error, or what holds by default.
SETTINGS: dict[str, str | Members] = {
    "BucketAcl": {},
    "BucketEncryption": {"Rules": [_SSE]},
    "BucketLifecycleConfiguration": "NoSuchLifecycleConfiguration",
    "BucketOwnershipControls": "OwnershipControlsNotFoundError",
    "BucketPolicy": "NoSuchBucketPolicy",
    "BucketTagging": "NoSuchTagSet",
    VERSIONING: {},
    "ObjectAcl": {},
    "ObjectTagging": {"TagSet": []},
    "PublicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
}
_OPERATION = re.compile(f"(Put|Get|Delete)({'|'.join(SETTINGS)}|BucketLifecycle)")
# Who else may do what: https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl
_GROUPS = "http://acs.amazonaws.com/groups/global"
_CANNED = {
    "public-read": [(f"{_GROUPS}/AllUsers", "READ")],
    "public-read-write": [(f"{_GROUPS}/AllUsers", "READ"), (f"{_GROUPS}/AllUsers", "WRITE")],
    "authenticated-read": [(f"{_GROUPS}/AuthenticatedUsers", "READ")],
}
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


class SettingsService(ObjectService):
    """The operations on documents: Put, Get and Delete of each row of the table."""

    def _method(self, operation: str) -> Callable[[Members], Any]:
        document = _OPERATION.fullmatch(operation)
        if document is None:
            return super()._method(operation)
        verb, noun = document.groups()
        noun = noun if noun in SETTINGS else f"{noun}Configuration"
        return functools.partial(getattr(self, f"_{verb.lower()}"), noun)

    def _put(self, noun: str, request: Members) -> Members:
        self._objects.require_bucket(request["Bucket"])
        document = request.get(_member(noun))
        if document is None and "ACL" not in request:
            raise AwsError("MalformedXML", f"{_member(noun)} must be given")
        document = self._acl(request) if document is None else checked(noun, document)
        return self._record(noun, request, document)

    def _delete(self, noun: str, request: Members) -> Members:
        return self._record(noun, request, None)

    def _record(self, noun: str, request: Members, document: Any) -> Members:
        with self.platform.database.transaction():
            if "Key" not in request:
                self._objects.configure(request["Bucket"], noun, document)
                return {}
            found = self._version(request)
            self._objects.describe(found, found.headers | {noun: document})
        return members_of(found)

    def _get(self, noun: str, request: Members) -> Members:
        if "Key" in request:
            there = members_of(self._version(request))
        else:
            there = self._objects.settings(request["Bucket"])
        member, document, otherwise = _member(noun), there.get(noun), SETTINGS[noun]
        if document is None and isinstance(otherwise, str):
            message = f"The {member} does not exist"
            raise AwsError(otherwise, message, 404, BucketName=request["Bucket"])
        if document is None:
            document = self._acl({}) if noun.endswith("Acl") else otherwise
        # Some answers hold the document, and some its members: their shapes know which.
        inside = document if isinstance(document, dict) else {}
        return {**there, member: document, **inside}

    def _acl(self, request: Members) -> Members:
        """Return the access control list that a request means by a name, if by any."""
        owner = {"Type": "CanonicalUser", **self._owner}
        grants = [{"Grantee": owner, "Permission": "FULL_CONTROL"}]
        for group, permission in _CANNED.get(request.get("ACL", ""), []):
            grants.append({"Grantee": {"Type": "Group", "URI": group}, "Permission": permission})
        return {"Owner": self._owner, "Grants": grants}

    def _kept(self, request: Members) -> Members:
        """Return what of a request is stored with the object: headers and documents.

        Raises
        ------
        AwsError
            `KeyTooLongError` if the key is longer than S3 allows, `MetadataTooLarge` if the user's
            metadata passes 2 KB.
        """
        if len(request["Key"].encode()) > LONGEST_KEY:
            raise AwsError("KeyTooLongError", f"Your key is longer than {LONGEST_KEY} bytes")
        size = sum(
            len(f"{name}{text}".encode()) for name, text in request.get("Metadata", {}).items()
        )
        if size > LONGEST_METADATA:
            message = f"Your metadata is {size} bytes; {LONGEST_METADATA} are allowed"
            raise AwsError("MetadataTooLarge", message)
        made = {name: request[name] for name in (*DESCRIBING, *STORING) if name in request}
        if "ACL" in request:
            made["ObjectAcl"] = self._acl(request)
        if request.get("Tagging"):
            pairs = parse_qsl(request["Tagging"], keep_blank_values=True)
            tags = [{"Key": key, "Value": value} for key, value in pairs]
            made["ObjectTagging"] = checked("ObjectTagging", {"TagSet": tags})
        return made


def _member(noun: str) -> str:
    """Return the member that Put takes a document in."""
    shape = service_model("s3").operation_model(f"Put{noun}").input_shape
    return str(shape.serialization["payload"])


def checked(noun: str, document: Any) -> Any:
    """Return a document, or raise `AwsError` if S3 would not take it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-managing.html
    """
    if noun == "BucketPolicy":
        try:
            read_json(document)
        except ValueError as error:
            raise AwsError("MalformedPolicy", f"Policies must be valid JSON: {error}") from None
    if noun == VERSIONING and "Status" not in document:
        raise AwsError("IllegalVersioningConfigurationException", "Status must be given")
    if noun.endswith("Tagging"):
        tags = {tag["Key"]: tag["Value"] for tag in document["TagSet"]}
        most, given = 10 if noun == "ObjectTagging" else 50, len(document["TagSet"])
        if given > most:
            raise AwsError("BadRequest", f"There may be {most} tags, not {given}")
        if len(tags) < given or any(len(key) > 128 or len(tags[key]) > 256 for key in tags):
            raise AwsError("InvalidTag", "A tag's key occurs twice, or a tag is too long")
    return document
