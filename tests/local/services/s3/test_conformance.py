"""Each operation of S3 that the platform declares, with each of its options, as AWS documents it.

A test says what it covers; what it says is compared with the calls it made, and all of them
together with botocore's model: no option of any declared operation is left out. What an operation
does is at https://docs.aws.amazon.com/AmazonS3/latest/API/API_<operation>.html, and where a test
rests on more, it says on what.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, TypeVar

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.serialize import create_serializer

from boostline.contracts.models import service_model
from boostline.local.operations import SERVICES
from boostline.local.services.s3.errors import UNSUPPORTED
from boostline.local.services.s3.settings import SETTINGS
from tests.local.services.s3.conftest import MB, base64_of, refused

MODEL = service_model("s3")
OPERATIONS = SERVICES["s3"].operations
Test = TypeVar("Test", bound=Callable[..., None])
COVERED: dict[str, set[str]] = defaultdict(set)
# Taken, and here without effect: one account pays and owns, nothing is archived, and HTTP's own
# headers are checked by HTTP. The platform's signature covers what else a body is checked by.
WITHOUT_EFFECT = {
    "ConfirmRemoveSelfBucketAccess",
    "ContentLength",
    "OptionalObjectAttributes",
    "RequestPayer",
    "SkipDestinationValidation",
    "TransitionDefaultMinimumObjectSize",
}
# Checked for all operations alike, below.
OWNER = {"ExpectedBucketOwner", "ExpectedSourceBucketOwner"}


def covers(operation: str, members: str = "") -> Callable[[Test], Test]:
    """Say that a test calls an operation with some members, beside those that it requires."""

    def mark(test: Test) -> Test:
        test.__dict__.setdefault("covers", []).append((operation, set(members.split())))
        COVERED[operation] |= set(members.split()) | set(shape(operation).required_members)
        return test

    return mark


def shape(operation: str) -> Any:
    return MODEL.operation_model(operation).input_shape


@pytest.fixture(scope="module")
def calls() -> list[tuple[str, set[str]]]:
    return []


@pytest.fixture(scope="module")
def s3(s3: Any, calls: list[tuple[str, set[str]]]) -> Any:
    """Note the calls, and read each body at once: the next call would find it unread."""

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        calls.append((model.name, set(params)))

    def read_whole(parsed: dict[str, Any], **_: Any) -> None:
        if "Body" in parsed:
            parsed["Body"] = BytesIO(parsed["Body"].read())

    s3.meta.events.register_first("provide-client-params.s3", note)
    s3.meta.events.register("after-call.s3.GetObject", read_whole)
    return s3


@pytest.fixture(autouse=True)
def did_what_it_says(
    request: pytest.FixtureRequest, calls: list[tuple[str, set[str]]]
) -> Iterator[None]:
    calls.clear()
    yield
    for operation, members in getattr(request.function, "covers", []):
        made = set().union(*(each for name, each in calls if name == operation))
        assert members <= made, f"{operation} was not called with {sorted(members - made)}"


def minimal(operation: str, **more: Any) -> dict[str, Any]:
    """Return a request with what is required, and which nothing but its target is wrong with."""
    members = shape(operation).members
    return {name: sample(members[name], name) for name in shape(operation).required_members} | more


def sample(member: Any, name: str) -> Any:
    if member.type_name == "structure":
        required = {each: sample(member.members[each], each) for each in member.required_members}
        return required or {}
    if member.type_name == "list":
        return [sample(member.member, name)]
    texts = {"Bucket": "not-there", "CopySource": "not-there/key"}
    scalars = {"integer": 1, "long": 1, "boolean": True, "timestamp": 0, "blob": b""}
    if member.type_name == "string":
        return texts.get(name) or (member.enum[0] if member.enum else "x")
    return scalars[member.type_name]


OPTIONS = [(each, name) for each in OPERATIONS for name in shape(each).members]
MISSING = [each for each in OPTIONS if UNSUPPORTED.match(".".join(each))]


def test_no_operation_and_no_option_is_left_out() -> None:
    known = WITHOUT_EFFECT | OWNER
    left = {(each, name) for each, name in OPTIONS if name not in COVERED[each] | known}
    assert left == set(MISSING)
    assert set(OPERATIONS) == COVERED.keys()


@pytest.mark.parametrize(("operation", "name"), MISSING)
def test_what_there_is_not_is_refused_by_name(s3: Any, operation: str, name: str) -> None:
    asked = minimal(operation, **{name: sample(shape(operation).members[name], name)})
    with pytest.raises(ClientError, match=r"not implemented|Not Implemented") as caught:
        getattr(s3, xform_name(operation))(**asked)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


@pytest.mark.parametrize(("operation", "name"), [each for each in OPTIONS if each[1] in OWNER])
def test_a_bucket_of_somebody_else_is_not_touched(s3: Any, operation: str, name: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html"""
    asked = minimal(operation, **{name: "111111111111"})
    assert refused(getattr(s3, xform_name(operation)), **asked)[1] == 403


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each != "CreateBucket"])
def test_a_bucket_that_is_not_there_is_told(s3: Any, operation: str) -> None:
    if "Bucket" in shape(operation).members:
        more = {"ACL": "private"} if operation.endswith("Acl") and operation[:3] == "Put" else {}
        code = refused(getattr(s3, xform_name(operation)), **minimal(operation, **more))
        assert code in {("NoSuchBucket", 404), ("404", 404)}


@covers("ListBuckets", "Prefix MaxBuckets ContinuationToken BucketRegion")
@covers("CreateBucket", "ACL CreateBucketConfiguration")
@covers("HeadBucket")
@covers("GetBucketLocation")
@covers("DeleteBucket")
def test_buckets(s3: Any) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    configuration = {"Tags": tags}
    made = s3.create_bucket(
        Bucket="kept-1", CreateBucketConfiguration=configuration, ACL="public-read"
    )
    assert (made["Location"], made["BucketArn"]) == ("/kept-1", "arn:aws:s3:::kept-1")
    assert s3.get_bucket_tagging(Bucket="kept-1")["TagSet"] == tags
    assert len(s3.get_bucket_acl(Bucket="kept-1")["Grants"]) == 2
    for _ in range(2):  # in us-east-1 it may be made again
        s3.create_bucket(Bucket="kept-2")
    first = s3.list_buckets(Prefix="kept-", MaxBuckets=1)
    rest = s3.list_buckets(Prefix="kept-", ContinuationToken=first["ContinuationToken"])
    found = [each["Name"] for page in (first, rest) for each in page["Buckets"]]
    assert found == ["kept-1", "kept-2"]
    assert s3.list_buckets(BucketRegion="eu-west-1")["Buckets"] == []
    assert s3.head_bucket(Bucket="kept-1")["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket="kept-1")["LocationConstraint"] is None
    s3.put_object(Bucket="kept-1", Key="a")
    assert refused(s3.delete_bucket, Bucket="kept-1") == ("BucketNotEmpty", 409)
    s3.create_multipart_upload(Bucket="kept-2", Key="a")
    s3.delete_bucket(Bucket="kept-2")  # uploads under way go with it
    s3.create_bucket(Bucket="kept-2")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="kept-2")
    s3.delete_bucket(Bucket="kept-2")
    assert refused(s3.head_bucket, Bucket="kept-2") == ("404", 404)


DESCRIBING = {
    "CacheControl": "no-cache",
    "ContentDisposition": "attachment",
    "ContentEncoding": "gzip",
    "ContentLanguage": "de",
    "ContentType": "text/csv",
    "Metadata": {"a": "b"},
}
STORING = {
    "StorageClass": "STANDARD_IA",
    "ServerSideEncryption": "aws:kms",
    "SSEKMSKeyId": "arn:aws:kms:us-east-1:000000000000:key/a",
    "BucketKeyEnabled": True,
}


@covers(
    "PutObject",
    "CacheControl ContentDisposition ContentEncoding ContentLanguage ContentType Metadata Expires "
    "StorageClass ServerSideEncryption SSEKMSKeyId SSEKMSEncryptionContext BucketKeyEnabled "
    "ACL Tagging",
)
@covers("GetObject")
@covers("HeadObject")
def test_an_object_is_kept_with_what_is_said_of_it(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "a"}
    context = base64_of(b'{"a":"b"}')
    more = {"Expires": 1_800_000_000, "ACL": "public-read", "Tagging": "x=1&y="}
    put = s3.put_object(
        **place, Body=b"abc", **DESCRIBING, **STORING, SSEKMSEncryptionContext=context, **more
    )
    assert put["ServerSideEncryption"] == "aws:kms"
    assert put["SSEKMSEncryptionContext"] == context
    for found in (s3.get_object(**place), s3.head_object(**place)):
        kept = DESCRIBING | STORING
        assert {name: found[name] for name in kept} == kept
        assert found["Expires"].timestamp() == 1_800_000_000
        assert (found["ETag"], found["TagCount"]) == (put["ETag"], 2)
    assert len(s3.get_object_acl(**place)["Grants"]) == 2


@covers(
    "GetObject",
    "ResponseCacheControl ResponseContentDisposition ResponseContentEncoding "
    "ResponseContentLanguage ResponseContentType ResponseExpires Range IfMatch IfNoneMatch "
    "IfModifiedSince IfUnmodifiedSince",
)
@covers(
    "HeadObject",
    "ResponseCacheControl ResponseContentDisposition ResponseContentEncoding "
    "ResponseContentLanguage ResponseContentType ResponseExpires Range IfMatch IfNoneMatch "
    "IfModifiedSince IfUnmodifiedSince",
)
@pytest.mark.parametrize("method", ["get_object", "head_object"])
def test_a_read_asks_for_what_it_wants(
    s3: Any, bucket: str, method: str, calls: list[tuple[str, set[str]]]
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-reads.html"""
    read, place = getattr(s3, method), {"Bucket": bucket, "Key": "a"}
    etag = s3.put_object(**place, Body=b"0123456789")["ETag"]
    asked = {f"Response{name}": text for name, text in DESCRIBING.items() if name != "Metadata"}
    found = read(**place, **asked, ResponseExpires=1_800_000_000)
    assert all(found[name.removeprefix("Response")] == text for name, text in asked.items())
    assert found["Expires"].timestamp() == 1_800_000_000
    part = read(**place, Range="bytes=2-4")
    assert (part["ContentRange"], part["ContentLength"]) == ("bytes 2-4/10", 3)
    read(**place, IfMatch=etag, IfUnmodifiedSince=0)
    assert refused(read, **place, IfMatch='"x"')[1] == 412
    assert refused(read, **place, IfNoneMatch=etag, IfModifiedSince=0)[1] == 304
    assert refused(read, **place, IfModifiedSince=found["LastModified"])[1] == 304
    assert refused(read, **place, IfUnmodifiedSince=0)[1] == 412
    calls += [(other, each) for other in ("GetObject", "HeadObject") for _, each in calls]


@covers("PutObject", "IfMatch IfNoneMatch")
@covers("DeleteObject", "IfMatch")
def test_a_write_happens_only_if(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""
    place = {"Bucket": bucket, "Key": "a"}
    failed = ("PreconditionFailed", 412)
    etag = s3.put_object(**place, Body=b"1", IfNoneMatch="*")["ETag"]
    assert refused(s3.put_object, **place, Body=b"2", IfNoneMatch="*") == failed
    assert refused(s3.put_object, **place, Body=b"2", IfMatch='"x"') == failed
    assert refused(s3.delete_object, **place, IfMatch='"x"') == failed
    s3.put_object(**place, Body=b"2", IfMatch=etag)
    assert refused(s3.delete_object, **place, IfMatch=etag) == failed
    s3.delete_object(**place, IfMatch="*")
    assert refused(s3.put_object, **place, IfMatch="*") == ("NoSuchKey", 404)


CONTENT = b"123456789"
# Check values: https://reveng.sourceforge.io/crc-catalogue/all.htm
SUMS = {
    "CRC32": zlib.crc32(CONTENT).to_bytes(4, "big"),
    "CRC32C": bytes.fromhex("e3069283"),
    "CRC64NVME": bytes.fromhex("ae8b14860a799888"),
    **{name: hashlib.new(name, CONTENT).digest() for name in ("SHA1", "SHA256", "SHA512", "MD5")},
}
ALL_SUMS = " ".join(f"Checksum{name}" for name in SUMS)


@covers("PutObject", f"Body ContentMD5 ChecksumAlgorithm {ALL_SUMS}")
@covers("UploadPart", f"Body ContentMD5 ChecksumAlgorithm {ALL_SUMS}")
@covers("GetObject", "ChecksumMode")
@covers("HeadObject", "ChecksumMode")
def test_checksums_are_verified_and_given_back(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html"""
    place = {"Bucket": bucket, "Key": "a"}
    upload = s3.create_multipart_upload(**place)["UploadId"]
    writes = [
        (s3.put_object, place),
        (s3.upload_part, {**place, "UploadId": upload, "PartNumber": 1}),
    ]
    for algorithm, digest in SUMS.items():
        name, text = f"Checksum{algorithm}", base64_of(digest)
        for write, to in writes:
            wrong = base64_of(bytes(len(digest)))
            assert refused(write, **to, Body=b"x", **{name: wrong}) == ("BadDigest", 400)
            assert write(**to, Body=CONTENT, **{name: text})[name] == text
            assert refused(write, **to, Body=b"x", **{name: wrong}) == ("BadDigest", 400)
        found = s3.head_object(**place, ChecksumMode="ENABLED")
        assert (found[name], found["ChecksumType"]) == (text, "FULL_OBJECT")
        assert s3.get_object(**place, ChecksumMode="ENABLED")[name] == text
        assert name not in s3.head_object(**place)
    for write, to in writes:
        assert "ChecksumSHA1" in write(**to, Body=CONTENT, ChecksumAlgorithm="SHA1")
        md5 = base64_of(hashlib.md5(CONTENT).digest())
        write(**to, Body=CONTENT, ContentMD5=md5)
        assert refused(write, **to, Body=b"x", ContentMD5=md5) == ("BadDigest", 400)
        for malformed in ("x", "a===", base64_of(b"short")):
            made = refused(write, **to, ContentMD5=malformed)
            assert made == ("InvalidDigest", 400)
        sums = {f"Checksum{name}": base64_of(SUMS[name]) for name in ("SHA1", "SHA256")}
        assert refused(write, **to, Body=CONTENT, **sums) == ("InvalidRequest", 400)


@covers(
    "CopyObject",
    "CacheControl ContentDisposition ContentEncoding ContentLanguage ContentType Metadata Expires "
    "MetadataDirective TaggingDirective Tagging ACL ChecksumAlgorithm StorageClass "
    "ServerSideEncryption SSEKMSKeyId SSEKMSEncryptionContext BucketKeyEnabled",
)
def test_a_copy_takes_over_or_replaces(s3: Any, bucket: str) -> None:
    source, place = {"Bucket": bucket, "Key": "a b/ü+"}, {"Bucket": bucket, "Key": "to"}
    put = s3.put_object(**source, Body=CONTENT, **DESCRIBING, Tagging="x=1")
    s3.copy_object(**place, CopySource=source)
    found = s3.get_object(**place, ChecksumMode="ENABLED")
    assert {name: found[name] for name in DESCRIBING} == DESCRIBING
    assert (found["Body"].read(), found["TagCount"]) == (CONTENT, 1)
    assert found["ChecksumCRC32"] == put["ChecksumCRC32"]
    copied = s3.copy_object(
        **place,
        CopySource=source,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        Tagging="y=1&z=2",
        ACL="public-read",
        ChecksumAlgorithm="SHA1",
        Expires=1_800_000_000,
        SSEKMSEncryptionContext=base64_of(b"{}"),
        **(DESCRIBING | {"Metadata": {"c": "d"}, "ContentType": "text/plain"}),
        **STORING,
    )
    assert copied["CopyObjectResult"]["ChecksumSHA1"] == base64_of(SUMS["SHA1"])
    assert copied["ServerSideEncryption"] == "aws:kms"
    found = s3.head_object(**place)
    assert (found["Metadata"], found["ContentType"]) == ({"c": "d"}, "text/plain")
    assert (found["TagCount"], found["StorageClass"]) == (2, "STANDARD_IA")
    assert len(s3.get_object_acl(**place)["Grants"]) == 2
    assert refused(s3.copy_object, **place, CopySource=place) == ("InvalidRequest", 400)
    s3.copy_object(**place, CopySource=place, StorageClass="STANDARD")
    assert s3.head_object(**place)["StorageClass"] == "STANDARD"


@covers(
    "CopyObject",
    "CopySourceIfMatch CopySourceIfNoneMatch CopySourceIfModifiedSince CopySourceIfUnmodifiedSince "
    "IfMatch IfNoneMatch",
)
@covers(
    "UploadPartCopy",
    "CopySourceIfMatch CopySourceIfNoneMatch CopySourceIfModifiedSince CopySourceIfUnmodifiedSince",
)
def test_a_copy_has_conditions(s3: Any, bucket: str) -> None:
    source, place = {"Bucket": bucket, "Key": "a"}, {"Bucket": bucket, "Key": "b"}
    etag = s3.put_object(**source)["ETag"]
    modified = s3.head_object(**source)["LastModified"]
    upload = s3.create_multipart_upload(**place)["UploadId"]
    part = {**place, "CopySource": source, "UploadId": upload, "PartNumber": 1}
    failed = ("PreconditionFailed", 412)
    for copy, to in ((s3.copy_object, place | {"CopySource": source}), (s3.upload_part_copy, part)):
        copy(**to, CopySourceIfMatch=etag, CopySourceIfUnmodifiedSince=0)
        copy(**to, CopySourceIfNoneMatch='"x"', CopySourceIfModifiedSince=modified)
        assert refused(copy, **to, CopySourceIfMatch='"x"') == failed
        assert refused(copy, **to, CopySourceIfNoneMatch=etag) == failed
        assert refused(copy, **to, CopySourceIfModifiedSince=modified) == failed
        assert refused(copy, **to, CopySourceIfUnmodifiedSince=0) == failed
    there = place | {"CopySource": source}
    assert refused(s3.copy_object, **there, IfNoneMatch="*") == failed
    assert refused(s3.copy_object, **there, IfMatch='"x"') == failed
    s3.copy_object(**there, IfMatch=etag)


@covers("DeleteObjects", "ChecksumAlgorithm")
def test_many_are_deleted_at_once(s3: Any, bucket: str) -> None:
    etag, *_ = [s3.put_object(Bucket=bucket, Key=key)["ETag"] for key in ("a", "b", "c")]
    keys = [{"Key": "a", "ETag": etag}, {"Key": "b", "ETag": '"x"'}, {"Key": "never"}]
    keys.append({"Key": "c", "Size": 0})
    wanted = {"Objects": keys}
    done = s3.delete_objects(Bucket=bucket, Delete=wanted, ChecksumAlgorithm="CRC32")
    assert [each["Key"] for each in done["Deleted"]] == ["a", "never"]
    errors = [(each["Key"], each["Code"]) for each in done["Errors"]]
    assert errors == [("b", "PreconditionFailed"), ("c", "NotImplemented")]
    quiet = {"Objects": [{"Key": "b"}], "Quiet": True}
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete=quiet)
    many = {"Objects": [{"Key": "x"}] * 1_001}
    assert refused(s3.delete_objects, Bucket=bucket, Delete=many)[0] == "MalformedXML"


def pages(call: Any, token: str, following: str, **more: Any) -> Iterator[dict[str, Any]]:
    page = call(**more)
    yield page
    while page["IsTruncated"]:
        page = call(**more, **{token: page[following]})
        yield page


KEYS = ["a b", "d/1", "d/2", "e"]


@covers("ListObjects", "Prefix Delimiter Marker MaxKeys EncodingType")
@covers("ListObjectsV2", "Prefix Delimiter StartAfter ContinuationToken MaxKeys FetchOwner")
@covers("ListObjectsV2", "EncodingType")
def test_objects_are_listed(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html"""
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256")
    more = {"Bucket": bucket, "Delimiter": "/", "MaxKeys": 1, "EncodingType": "url"}
    first = list(pages(s3.list_objects, "Marker", "NextMarker", **more))
    second = pages(s3.list_objects_v2, "ContinuationToken", "NextContinuationToken", **more)
    for found in (first, list(second)):
        keys = [each["Key"] for page in found for each in page.get("Contents", [])]
        prefixes = [each["Prefix"] for page in found for each in page.get("CommonPrefixes", [])]
        assert (keys, prefixes) == (["a%20b", "e"], ["d/"])
    (only,) = s3.list_objects_v2(Bucket=bucket, StartAfter="d/1", Prefix="d/", FetchOwner=True)[
        "Contents"
    ]
    assert (only["Key"], only["Owner"]["ID"]) == ("d/2", "000000000000")
    assert (only["ChecksumAlgorithm"], only["ChecksumType"]) == (["SHA256"], "FULL_OBJECT")
    older = s3.list_objects(Bucket=bucket, Prefix="d/", MaxKeys=1)
    assert older["IsTruncated"]
    assert "NextMarker" not in older  # S3 gives it with a delimiter only
    older = s3.list_objects(Bucket=bucket, Prefix="d/", Marker=older["Contents"][0]["Key"])
    assert [each["Key"] for each in older["Contents"]] == ["d/2"]


def test_a_token_is_of_one_bucket_and_not_made_by_hand(s3: Any, bucket: str) -> None:
    other = f"{bucket[:-1]}-"[:60] + "other"
    s3.create_bucket(Bucket=other)
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key)
    token = s3.list_objects_v2(Bucket=bucket, MaxKeys=1)["NextContinuationToken"]
    found = s3.list_objects_v2(Bucket=bucket, ContinuationToken=token)
    assert (found["ContinuationToken"], found["KeyCount"]) == (token, 3)
    wrong = ["", "a", "%FF", "%00", token[:-1], f"{token}x", token.upper()]
    for place, text in [(other, token), *((bucket, text) for text in wrong)]:
        call = {"Bucket": place, "ContinuationToken": text}
        assert refused(s3.list_objects_v2, **call) == ("InvalidArgument", 400)


@covers("GetObject", "VersionId")
@covers("HeadObject", "VersionId")
@covers("DeleteObject", "VersionId")
@covers("PutObject")
@covers("CopyObject")
@covers("DeleteObjects")
@covers("ListObjectVersions", "Prefix")
def test_versions_stay(s3: Any, versioned: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html"""
    place = {"Bucket": versioned, "Key": "a"}
    first, second = (s3.put_object(**place, Body=data)["VersionId"] for data in (b"1", b"2"))
    assert s3.get_object(**place)["VersionId"] == second
    assert s3.get_object(**place, VersionId=first)["Body"].read() == b"1"
    gone = s3.delete_object(**place)
    assert gone["DeleteMarker"]
    with pytest.raises(ClientError) as caught:
        s3.head_object(**place)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-delete-marker"] == "true"
    assert headers["x-amz-version-id"] == gone["VersionId"]
    marker = {"VersionId": gone["VersionId"]}
    assert refused(s3.get_object, **place, **marker) == ("MethodNotAllowed", 405)
    assert refused(s3.head_object, **place, VersionId="none") == ("404", 404)
    assert refused(s3.get_object, **place, VersionId="none") == ("NoSuchVersion", 404)
    assert refused(s3.copy_object, **place, CopySource=place) == ("NoSuchKey", 404)
    back = s3.copy_object(**place, CopySource={**place, "VersionId": first})
    assert back["CopySourceVersionId"] == first
    assert s3.get_object(**place)["Body"].read() == b"1"
    listed = s3.list_object_versions(Bucket=versioned, Prefix="a")
    assert [each["VersionId"] for each in listed["Versions"]] == [back["VersionId"], second, first]
    assert [each["IsLatest"] for each in listed["Versions"]] == [True, False, False]
    assert [each["VersionId"] for each in listed["DeleteMarkers"]] == [gone["VersionId"]]
    removed = s3.delete_object(**place, **marker)
    assert removed["DeleteMarker"]
    objects = [{"Key": "a", "VersionId": version} for version in (first, second)]
    deleted = s3.delete_objects(Bucket=versioned, Delete={"Objects": [*objects, {"Key": "a"}]})
    assert deleted["Deleted"][:2] == objects
    assert deleted["Deleted"][2]["DeleteMarker"]
    assert refused(s3.delete_bucket, Bucket=versioned) == ("BucketNotEmpty", 409)


@covers("ListObjectVersions", "Prefix Delimiter KeyMarker VersionIdMarker MaxKeys EncodingType")
def test_versions_are_listed_page_by_page(s3: Any, versioned: str) -> None:
    made = [
        (key, s3.put_object(Bucket=versioned, Key=key)["VersionId"])
        for key in ("a b", "a b", "a b", "d/1", "e", "e")
    ]
    expected = [*made[2::-1], *made[:3:-1]]
    for size in (1, 2, 5, 1_000):
        listed = s3.get_paginator("list_object_versions").paginate(
            Bucket=versioned, Delimiter="/", PaginationConfig={"PageSize": size}
        )
        found = [each for page in listed for each in page.get("Versions", [])]
        assert [(each["Key"], each["VersionId"]) for each in found] == expected
        assert [each["IsLatest"] for each in found] == [True, False, False, True, False]
    more = {"Bucket": versioned, "Prefix": "a", "EncodingType": "url"}
    some = s3.list_object_versions(**more, MaxKeys=2)
    marker = {"KeyMarker": "a b", "VersionIdMarker": some["NextVersionIdMarker"]}
    s3.delete_object(Bucket=versioned, Key="a b", VersionId=made[1][1])
    some = s3.list_object_versions(**more, **marker, MaxKeys=1)
    (last,) = some["Versions"]
    assert (last["Key"], last["VersionId"], last["IsLatest"]) == ("a%20b", made[0][1], False)
    bad = {"KeyMarker": "a b", "VersionIdMarker": "none"}
    assert refused(s3.list_object_versions, Bucket=versioned, **bad)[0] == "InvalidArgument"


@covers("PutBucketVersioning", "ChecksumAlgorithm ContentMD5")
@covers("GetBucketVersioning")
def test_versioning_is_suspended(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/VersionSuspendedBehavior.html"""
    place = {"Bucket": bucket, "Key": "a"}
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert "VersionId" not in s3.put_object(**place, Body=b"0")
    for status in ("Enabled", "Suspended"):
        document = {"Status": status}
        md5 = {"ContentMD5": xml_md5("PutBucketVersioning", document, bucket)}
        s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration=document, ChecksumAlgorithm="SHA1"
        )
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=document, **md5)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status
        s3.put_object(**place, Body=status.encode())
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [each["VersionId"] == "null" for each in versions] == [True, False]
    assert s3.get_object(**place, VersionId="null")["Body"].read() == b"Suspended"
    assert s3.delete_object(**place)["DeleteMarker"]
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1
    code = "IllegalVersioningConfigurationException"
    none: dict[str, Any] = {"VersioningConfiguration": {}}
    assert refused(s3.put_bucket_versioning, Bucket=bucket, **none) == (code, 400)


def xml_md5(operation: str, document: Any, bucket: str) -> str:
    """Return the Content-MD5 of the body that botocore makes of a document."""
    member = shape(operation).serialization["payload"]
    made = create_serializer("rest-xml").serialize_to_request(
        minimal(operation, Bucket=bucket, **{member: document}), MODEL.operation_model(operation)
    )
    body = made["body"]
    return base64_of(hashlib.md5(body.encode() if isinstance(body, str) else body).digest())


TAGS = {"TagSet": [{"Key": "a", "Value": "b"}]}
GRANTEE = {"Type": "CanonicalUser", "ID": "other"}
LIFECYCLE = {
    "ID": "r",
    "Status": "Enabled",
    "Filter": {"Prefix": "tmp/"},
    "Expiration": {"Days": 3},
}
SSE = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
BLOCK = {
    "BlockPublicAcls": False,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": True,
}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
# What is put, and what Get answers in a bucket where it never was: a code, or a document.
DOCUMENTS: dict[str, tuple[Any, Any]] = {
    "BucketAcl": (
        {
            "Owner": {"ID": "000000000000"},
            "Grants": [{"Grantee": GRANTEE, "Permission": "READ"}],
        },
        None,
    ),
    "BucketEncryption": ({"Rules": [SSE]}, None),
    "BucketLifecycleConfiguration": ({"Rules": [LIFECYCLE]}, "NoSuchLifecycleConfiguration"),
    "BucketOwnershipControls": ({"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}, None),
    "BucketPolicy": (POLICY, "NoSuchBucketPolicy"),
    "BucketTagging": (TAGS, "NoSuchTagSet"),
    "PublicAccessBlock": (BLOCK, None),
}
NOUNS = sorted(SETTINGS.keys() - {"BucketVersioning"})
GONE = {
    "BucketOwnershipControls": "OwnershipControlsNotFoundError",
    "PublicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
}
DELETES = {"BucketLifecycleConfiguration": "DeleteBucketLifecycle"}


def payload(noun: str) -> str:
    return str(shape(f"Put{noun}").serialization["payload"])


def covers_documents(test: Test) -> Test:
    for noun in DOCUMENTS:
        covers(f"Get{noun}")(test)
        members = {"ContentMD5", "ChecksumAlgorithm"} & shape(f"Put{noun}").members.keys()
        covers(f"Put{noun}", " ".join([payload(noun), *members]))(test)
        delete = DELETES.get(noun, f"Delete{noun}")
        if delete in OPERATIONS:
            covers(delete)(test)
    del test.__dict__["covers"]  # each run of it covers one of them, which it says itself
    return test


@covers_documents
@pytest.mark.parametrize("noun", DOCUMENTS)
def test_a_document_is_recorded_and_returned(
    s3: Any, bucket: str, noun: str, calls: list[tuple[str, set[str]]]
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingBucket.html"""
    document, before = DOCUMENTS[noun]
    put, get = (getattr(s3, xform_name(f"{verb}{noun}")) for verb in ("Put", "Get"))
    member = payload(noun)

    def got() -> Any:
        answer = {name: each for name, each in get(Bucket=bucket).items() if name in document_names}
        return answer.get(member, answer)

    output = MODEL.operation_model(f"Get{noun}").output_shape
    document_names = set(output.members)
    if isinstance(before, str):
        assert refused(get, Bucket=bucket) == (before, 404)
    elif before is not None:
        assert got() == before
    members = {"ContentMD5", "ChecksumAlgorithm"} & shape(f"Put{noun}").members.keys()
    put(Bucket=bucket, **{member: document})
    if "ChecksumAlgorithm" in members:
        put(Bucket=bucket, **{member: document}, ChecksumAlgorithm="SHA256")
    if "ContentMD5" in members:
        text = isinstance(document, str)
        md5 = hashlib.md5(document.encode()).digest() if text else b""
        value = base64_of(md5) if text else xml_md5(f"Put{noun}", document, bucket)
        put(Bucket=bucket, **{member: document}, ContentMD5=value)
        wrong = base64_of(bytes(16))
        assert refused(put, Bucket=bucket, **{member: document}, ContentMD5=wrong)[0] == "BadDigest"
    assert got() == document
    assert {each for _, names in calls for each in names} >= members
    delete = DELETES.get(noun, f"Delete{noun}")
    if delete not in OPERATIONS:
        return
    getattr(s3, xform_name(delete))(Bucket=bucket)
    if noun == "BucketEncryption":
        (rule,) = got()["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    else:
        assert refused(get, Bucket=bucket) == (GONE.get(noun, before), 404)


def test_a_new_bucket_is_closed(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html"""
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_documents_that_cannot_be_are_refused(s3: Any, bucket: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-managing.html"""
    for policy in ("{", "[" * 5_000):
        assert refused(s3.put_bucket_policy, Bucket=bucket, Policy=policy)[0] == "MalformedPolicy"
    for tags in ([("a", ""), ("a", "")], [("k" * 129, "")], [("k", "v" * 257)]):
        tagging = {"TagSet": [{"Key": key, "Value": value} for key, value in tags]}
        assert refused(s3.put_bucket_tagging, Bucket=bucket, Tagging=tagging)[0] == "InvalidTag"
    many = "&".join(f"k{number}=v" for number in range(11))
    assert refused(s3.put_object, Bucket=bucket, Key="a", Tagging=many)[0] == "BadRequest"
    assert refused(s3.put_bucket_acl, Bucket=bucket) == ("MalformedXML", 400)


@covers("PutBucketAcl", "ACL")
@covers("GetBucketAcl")
@covers("PutObjectAcl", "ACL AccessControlPolicy VersionId ChecksumAlgorithm ContentMD5")
@covers("GetObjectAcl", "VersionId")
def test_access_control_lists(s3: Any, versioned: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html"""
    s3.put_bucket_acl(Bucket=versioned, ACL="public-read-write")
    owner, *others = s3.get_bucket_acl(Bucket=versioned)["Grants"]
    assert (owner["Grantee"]["Type"], owner["Permission"]) == ("CanonicalUser", "FULL_CONTROL")
    everybody = "http://acs.amazonaws.com/groups/global/AllUsers"
    assert [(each["Grantee"]["URI"], each["Permission"]) for each in others] == [
        (everybody, "READ"),
        (everybody, "WRITE"),
    ]
    place = {"Bucket": versioned, "Key": "a"}
    first = {**place, "VersionId": s3.put_object(**place)["VersionId"]}
    second = {**place, "VersionId": s3.put_object(**place)["VersionId"]}
    policy = DOCUMENTS["BucketAcl"][0]
    md5 = xml_md5("PutObjectAcl", policy, versioned)
    s3.put_object_acl(**first, AccessControlPolicy=policy, ContentMD5=md5)
    s3.put_object_acl(**second, ACL="public-read", ChecksumAlgorithm="SHA256")
    assert s3.get_object_acl(**first)["Grants"] == policy["Grants"]
    assert len(s3.get_object_acl(**place)["Grants"]) == 2
    s3.put_object_acl(**place, ACL="private")
    assert len(s3.get_object_acl(**second)["Grants"]) == 1


@covers("PutObjectTagging", "VersionId ChecksumAlgorithm ContentMD5")
@covers("GetObjectTagging", "VersionId")
@covers("DeleteObjectTagging", "VersionId")
def test_tags_of_objects(s3: Any, versioned: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html"""
    place = {"Bucket": versioned, "Key": "a"}
    first = {**place, "VersionId": s3.put_object(**place)["VersionId"]}
    s3.put_object(**place, Tagging="x=%3D+1")
    assert s3.get_object_tagging(**first)["TagSet"] == []
    md5 = xml_md5("PutObjectTagging", TAGS, versioned)
    s3.put_object_tagging(**first, Tagging=TAGS, ContentMD5=md5)
    put = s3.put_object_tagging(**first, Tagging=TAGS, ChecksumAlgorithm="SHA1")
    assert put["VersionId"] == first["VersionId"]
    assert s3.get_object_tagging(**first)["TagSet"] == TAGS["TagSet"]
    assert s3.get_object_tagging(**place)["TagSet"] == [{"Key": "x", "Value": "= 1"}]
    assert s3.delete_object_tagging(**first)["VersionId"] == first["VersionId"]
    assert s3.get_object_tagging(**first)["TagSet"] == []
    assert refused(s3.get_object_tagging, Bucket=versioned, Key="none") == ("NoSuchKey", 404)


def parts_of(s3: Any, to: dict[str, Any], *contents: bytes, **more: Any) -> list[dict[str, Any]]:
    made = []
    for number, content in enumerate(contents, 1):
        put = s3.upload_part(**to, PartNumber=number, Body=content, **more)
        sums = {name: put[name] for name in put if name.startswith("Checksum")}
        sums.pop("ChecksumType", None)
        made.append({"PartNumber": number, "ETag": put["ETag"], **sums})
    return made


@covers(
    "CreateMultipartUpload",
    "CacheControl ContentDisposition ContentEncoding ContentLanguage ContentType Metadata Expires "
    "StorageClass ServerSideEncryption SSEKMSKeyId SSEKMSEncryptionContext BucketKeyEnabled "
    "ACL Tagging",
)
@covers("CompleteMultipartUpload", "MultipartUpload MpuObjectSize IfMatch IfNoneMatch")
@covers("ListParts", "MaxParts PartNumberMarker")
@covers("UploadPart")
def test_parts_become_an_object(s3: Any, versioned: str) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html"""
    place = {"Bucket": versioned, "Key": "a/ü"}
    more = {"ACL": "public-read", "Tagging": "a=b", "Expires": 1_800_000_000}
    more |= {"ChecksumAlgorithm": "CRC32"}
    context = base64_of(b"{}")
    made = s3.create_multipart_upload(
        **place, **DESCRIBING, **STORING, SSEKMSEncryptionContext=context, **more
    )
    assert made["ServerSideEncryption"] == "aws:kms"
    to = {**place, "UploadId": made["UploadId"]}
    contents = [b"a" * 5 * MB, b"b" * 5 * MB, b"c"]
    parts = parts_of(s3, to, *contents)
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    first = s3.list_parts(**to, MaxParts=2)
    rest = s3.list_parts(**to, PartNumberMarker=first["NextPartNumberMarker"])
    found = [(each["PartNumber"], each["Size"]) for each in first["Parts"] + rest["Parts"]]
    assert found == [(1, 5 * MB), (2, 5 * MB), (3, 1)]
    assert (first["IsTruncated"], rest["IsTruncated"]) == (True, False)
    assert first["StorageClass"] == "STANDARD_IA"
    complete = {**to, "MultipartUpload": {"Parts": parts}}
    wrong = refused(s3.complete_multipart_upload, **complete, MpuObjectSize=1)
    assert wrong == ("InvalidRequest", 400)
    failed = refused(s3.complete_multipart_upload, **complete, IfMatch='"x"')
    assert failed == ("NoSuchKey", 404)
    done = s3.complete_multipart_upload(**complete, MpuObjectSize=10 * MB + 1, IfNoneMatch="*")
    assert done["Location"].endswith("/a/%C3%BC")
    assert done["VersionId"] == s3.head_object(**place)["VersionId"]
    md5s = b"".join(hashlib.md5(content).digest() for content in contents)
    assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"'
    sums = b"".join(zlib.crc32(content).to_bytes(4, "big") for content in contents)
    assert done["ChecksumCRC32"] == f"{base64_of(zlib.crc32(sums).to_bytes(4, 'big'))}-3"
    assert refused(s3.complete_multipart_upload, **complete) == ("NoSuchUpload", 404)
    kept = DESCRIBING | STORING
    found = s3.get_object(**place)
    assert {name: found[name] for name in kept} == kept
    assert found["Body"].read() == b"".join(contents)
    assert len(s3.get_object_acl(**place)["Grants"]) == 2
    copied = s3.copy_object(Bucket=versioned, Key="copy", CopySource=place)["CopyObjectResult"]
    md5 = hashlib.md5(b"".join(contents)).hexdigest()
    assert copied["ETag"] == f'"{md5}"'  # a copy is made in one part


@covers("CreateMultipartUpload", "ChecksumAlgorithm ChecksumType")
@covers("CompleteMultipartUpload", f"{ALL_SUMS} ChecksumType")
@pytest.mark.parametrize("algorithm", SUMS)
def test_uploads_in_parts_have_checksums(
    s3: Any, bucket: str, algorithm: str, calls: list[tuple[str, set[str]]]
) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html"""
    place, name = {"Bucket": bucket, "Key": "a"}, f"Checksum{algorithm}"
    types = {"CRC64NVME": ["FULL_OBJECT"], "CRC32": ["COMPOSITE", "FULL_OBJECT"]}
    types["CRC32C"] = types["CRC32"]
    for kind in types.get(algorithm, ["COMPOSITE"]):
        made = s3.create_multipart_upload(**place, ChecksumAlgorithm=algorithm, ChecksumType=kind)
        assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == (algorithm, kind)
        to = {**place, "UploadId": made["UploadId"]}
        parts = parts_of(s3, to, CONTENT, **{name: base64_of(SUMS[algorithm])})
        assert parts[0][name] == base64_of(SUMS[algorithm])
        complete = {**to, "MultipartUpload": {"Parts": parts}, "ChecksumType": kind}
        wrong = {name: base64_of(bytes(len(SUMS[algorithm])))}
        assert refused(s3.complete_multipart_upload, **complete, **wrong) == ("BadDigest", 400)
        other = {"MultipartUpload": {"Parts": [{**parts[0], **wrong}]}}
        assert refused(s3.complete_multipart_upload, **to, **other) == ("InvalidPart", 400)
        given = {name: parts[0][name]} if kind == "FULL_OBJECT" else {}
        done = s3.complete_multipart_upload(**complete, **given)
        assert done["ChecksumType"] == kind
        assert done[name].endswith("-1") == (kind == "COMPOSITE")
    wrong_type = "COMPOSITE" if algorithm == "CRC64NVME" else "FULL_OBJECT"
    if algorithm not in {"CRC32", "CRC32C"}:
        more = {"ChecksumAlgorithm": algorithm, "ChecksumType": wrong_type}
        assert refused(s3.create_multipart_upload, **place, **more) == ("InvalidRequest", 400)
    calls.append(("CompleteMultipartUpload", set(ALL_SUMS.split())))


@covers("UploadPartCopy", "CopySourceRange")
@covers("AbortMultipartUpload")
def test_a_part_is_copied(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "to"}
    source = {"Bucket": bucket, "Key": "from"}
    s3.put_object(**source, Body=b"0123456789")
    to = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    copy = {**to, "CopySource": source, "PartNumber": 1}
    for asked, code in (("bytes=20-30", "InvalidRange"), ("all", "InvalidArgument")):
        assert refused(s3.upload_part_copy, **copy, CopySourceRange=asked)[0] == code
    whole = s3.upload_part_copy(**copy)["CopyPartResult"]
    assert whole["ETag"] == f'"{hashlib.md5(b"0123456789").hexdigest()}"'
    part = s3.upload_part_copy(**copy, CopySourceRange="bytes=2-4")["CopyPartResult"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**to, MultipartUpload=parts)
    assert s3.get_object(**place)["Body"].read() == b"234"
    again = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    s3.abort_multipart_upload(**again)
    assert refused(s3.list_parts, **again) == ("NoSuchUpload", 404)


@covers("ListMultipartUploads", "Prefix KeyMarker UploadIdMarker MaxUploads EncodingType")
def test_uploads_are_listed(s3: Any, bucket: str) -> None:
    made = [
        (key, s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"])
        for key in ("a b", "a b", "d/1", "e")
    ]
    for size in (1, 2, 1_000):
        listed = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": size}
        )
        uploads = [each for page in listed for each in page.get("Uploads", [])]
        assert [(each["Key"], each["UploadId"]) for each in uploads] == made
    some = s3.list_multipart_uploads(
        Bucket=bucket,
        Prefix="a",
        KeyMarker="a b",
        UploadIdMarker=made[0][1],
        MaxUploads=1,
        EncodingType="url",
    )
    (last,) = some["Uploads"]
    assert (last["Key"], last["UploadId"], some["IsTruncated"]) == ("a%20b", made[1][1], False)
    assert last["StorageClass"] == "STANDARD"
    assert last["Initiated"].tzinfo is not None


def test_who_aborts_the_uploads_that_are_listed_misses_none(s3: Any, bucket: str) -> None:
    for key in ("same", "same", "same", "z", "z"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    paginator = s3.get_paginator("list_multipart_uploads")
    for page in paginator.paginate(Bucket=bucket, PaginationConfig={"PageSize": 1}):
        (upload,) = page["Uploads"]
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_key_alone_goes_on_after_all_its_uploads(s3: Any, bucket: str) -> None:
    for key in ("a", "a", "b"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    found = s3.list_multipart_uploads(Bucket=bucket, KeyMarker="a")["Uploads"]
    assert [each["Key"] for each in found] == ["b"]
