from __future__ import annotations

import base64
import hashlib
import http.client
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from boostline.local.store.gc import Report, collect, verify
from tests.conftest import RunningPlatform, start
from tests.local.raw import send, sign

MB = 1 << 20


@pytest.fixture(scope="module")
def s3(shared_platform: RunningPlatform) -> Any:
    return shared_platform.client("s3")


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    name = f"b-{hashlib.md5(request.node.nodeid.encode()).hexdigest()}"
    s3.create_bucket(Bucket=name)
    return name


def refused(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def test_buckets_come_and_go(s3: Any) -> None:
    assert s3.create_bucket(Bucket="come-and-go")["Location"] == "/come-and-go"
    s3.create_bucket(Bucket="come-and-go")
    assert "come-and-go" in [found["Name"] for found in s3.list_buckets()["Buckets"]]
    assert s3.list_buckets(Prefix="nothing")["Buckets"] == []
    s3.create_bucket(Bucket="come-second")
    page = s3.list_buckets(Prefix="come-", MaxBuckets=1)
    (second,) = s3.list_buckets(Prefix="come-", ContinuationToken=page["ContinuationToken"])[
        "Buckets"
    ]
    assert (second["Name"], second["BucketRegion"]) == ("come-second", "us-east-1")
    assert s3.head_bucket(Bucket="come-and-go")["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket="come-and-go")["LocationConstraint"] is None
    s3.put_object(Bucket="come-and-go", Key="a")
    assert refused(s3.delete_bucket, Bucket="come-and-go") == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket="come-and-go", Key="a")
    s3.delete_bucket(Bucket="come-and-go")
    assert refused(s3.head_bucket, Bucket="come-and-go") == ("404", 404)


@pytest.mark.parametrize(
    "name", ["Upper", "under_score", "a..b", "192.168.0.1", "xn--a", "sthree-a", "a-s3alias"]
)
def test_bad_bucket_names_are_refused(s3: Any, name: str) -> None:
    assert refused(s3.create_bucket, Bucket=name)[0] == "InvalidBucketName"


def test_control_characters_of_keys_are_written_as_references(
    shared_platform: RunningPlatform, s3: Any, bucket: str
) -> None:
    key = "a\x01b\rc"
    s3.put_object(Bucket=bucket, Key=key)
    s3.create_multipart_upload(Bucket=bucket, Key="a\rb")
    for query in ("?list-type=2", "?versions"):
        path = f"/{bucket}{query}"
        answer = send(shared_platform, "GET", path, b"", sign(shared_platform, "s3", "GET", path))
        assert b"<Key>a&#x1;b&#xd;c</Key>" in answer.body
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]["Key"] == "a\rb"


@pytest.fixture
def europe(tmp_path: Path) -> Iterator[RunningPlatform]:
    yield from start(tmp_path, region="eu-west-1")


def test_outside_us_east_1_a_bucket_is_made_once(europe: RunningPlatform) -> None:
    s3 = europe.client("s3")
    place = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="abc", CreateBucketConfiguration=place)
    assert s3.get_bucket_location(Bucket="abc")["LocationConstraint"] == "eu-west-1"
    assert refused(s3.create_bucket, Bucket="def")[0] == "IllegalLocationConstraintException"
    again = refused(s3.create_bucket, Bucket="abc", CreateBucketConfiguration=place)
    assert again == ("BucketAlreadyOwnedByYou", 409)


@pytest.mark.parametrize("key", ["a", "a/b//c", "/lead", "end/", "ü €/+%20 &?#=", "..", "a\nb"])
def test_an_object_comes_back_as_it_was_put(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=b"a,b\n1,2\n",
        ContentType="text/csv",
        CacheControl="no-cache",
        Metadata={"digest": "abc", "two-words": "x y"},
    )
    found = s3.get_object(Bucket=bucket, Key=key)
    assert found["Body"].read() == b"a,b\n1,2\n"
    assert found["ContentType"] == "text/csv"
    assert found["CacheControl"] == "no-cache"
    assert found["Metadata"] == {"digest": "abc", "two-words": "x y"}
    assert found["ETag"].strip('"') == hashlib.md5(b"a,b\n1,2\n").hexdigest()
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["LastModified"]) == (8, found["LastModified"])
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert refused(s3.get_object, Bucket=bucket, Key=key) == ("NoSuchKey", 404)
    assert refused(s3.head_object, Bucket=bucket, Key=key) == ("404", 404)


def test_an_object_survives_the_platform(tmp_path: Path) -> None:
    for first in (True, False):
        for platform in start(tmp_path / "platform"):
            s3 = platform.client("s3")
            if first:
                s3.create_bucket(Bucket="abc")
                s3.put_object(Bucket="abc", Key="a", Body=b"kept")
            assert s3.get_object(Bucket="abc", Key="a")["Body"].read() == b"kept"


@pytest.mark.parametrize(
    ("asked", "got", "shown"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_a_range_is_a_part(s3: Any, bucket: str, asked: str, got: bytes, shown: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    found = s3.get_object(Bucket=bucket, Key="a", Range=asked)
    assert (found["Body"].read(), found["ContentRange"]) == (got, shown)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    head = s3.head_object(Bucket=bucket, Key="a", Range=asked)
    assert (head["ContentLength"], head["ContentRange"]) == (len(got), shown)


def test_a_range_outside_is_refused_and_one_that_is_none_is_not_seen(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    for asked in ("bytes=10-", "bytes=-0"):
        assert refused(s3.get_object, Bucket=bucket, Key="a", Range=asked) == ("InvalidRange", 416)
    for asked in ("bytes=5-2", "lines=1-2", "bytes=0-1,3-4", "bytes=-"):
        found = s3.get_object(Bucket=bucket, Key="a", Range=asked)
        assert (found["Body"].read(), found["ResponseMetadata"]["HTTPStatusCode"]) == (
            b"0123456789",
            200,
        )


def test_conditions_of_reads_and_writes(s3: Any, bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="a", Body=b"1", IfNoneMatch="*")["ETag"]
    place = {"Bucket": bucket, "Key": "a"}
    failed = ("PreconditionFailed", 412)
    assert refused(s3.put_object, **place, Body=b"2", IfNoneMatch="*") == failed
    assert refused(s3.put_object, **place, Body=b"2", IfMatch='"other"') == failed
    assert refused(s3.put_object, Bucket=bucket, Key="b", IfMatch=tag) == ("NoSuchKey", 404)
    assert s3.get_object(**place, IfMatch=tag)["Body"].read() == b"1"
    assert refused(s3.get_object, **place, IfMatch='"other"') == failed
    assert refused(s3.get_object, **place, IfNoneMatch=tag) == ("304", 304)
    assert s3.get_object(**place, IfNoneMatch='"other"')["ETag"] == tag
    modified = s3.head_object(**place)["LastModified"]
    assert refused(s3.get_object, **place, IfModifiedSince=modified) == ("304", 304)
    assert refused(s3.get_object, **place, IfUnmodifiedSince=0) == ("PreconditionFailed", 412)
    assert s3.put_object(**place, Body=b"2", IfMatch=tag)["ETag"] != tag


def test_checksums_are_verified_and_given_back(s3: Any, bucket: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"abc", ChecksumCRC32=crc32(b"abc"))
    assert (put["ChecksumCRC32"], put["ChecksumType"]) == (crc32(b"abc"), "FULL_OBJECT")
    head = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == crc32(b"abc")
    assert "ChecksumCRC32" not in s3.head_object(Bucket=bucket, Key="a")
    sha = base64.b64encode(hashlib.sha256(b"abc").digest()).decode()
    assert (
        s3.put_object(Bucket=bucket, Key="a", Body=b"abc", ChecksumAlgorithm="SHA256")[
            "ChecksumSHA256"
        ]
        == sha
    )


def test_wrong_checksums_are_refused(s3: Any, bucket: str) -> None:
    put = {"Bucket": bucket, "Key": "a", "Body": b"abc"}
    assert refused(s3.put_object, **put, ChecksumCRC32=crc32(b"x")) == ("BadDigest", 400)
    md5 = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    assert refused(s3.put_object, **put, ContentMD5=md5) == ("BadDigest", 400)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_what_is_not_kept_is_refused(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**place)
    missing = ("NotImplemented", 501)
    assert refused(s3.put_object, **place, WebsiteRedirectLocation="/b") == missing
    owner = {"ExpectedBucketOwner": "111111111111"}
    assert refused(s3.list_objects_v2, Bucket=bucket, **owner) == ("AccessDenied", 403)
    metadata = {"a": "x" * 2_048}
    assert refused(s3.put_object, **place, Metadata=metadata) == ("MetadataTooLarge", 400)
    assert refused(s3.put_object, Bucket=bucket, Key="k" * 1_025) == ("KeyTooLongError", 400)


def test_copies_keep_or_replace_the_metadata(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b/ü", Body=b"abc", Metadata={"x": "1"})
    source = {"Bucket": bucket, "Key": "a b/ü"}
    copied = s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)["CopyObjectResult"]
    assert copied["ETag"] == f'"{hashlib.md5(b"abc").hexdigest()}"'
    assert s3.get_object(Bucket=bucket, Key="kept")["Metadata"] == {"x": "1"}
    s3.copy_object(
        Bucket=bucket,
        Key="new",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"y": "2"},
    )
    found = s3.get_object(Bucket=bucket, Key="new")
    assert (found["Metadata"], found["Body"].read()) == ({"y": "2"}, b"abc")
    assert refused(s3.copy_object, **source, CopySource=source) == ("InvalidRequest", 400)
    gone = {"Bucket": bucket, "Key": "gone"}
    assert refused(s3.copy_object, **source, CopySource=gone) == ("NoSuchKey", 404)
    elsewhere = {"Bucket": "no-such-bucket", "Key": "a"}
    assert refused(s3.copy_object, **source, CopySource=elsewhere) == ("NoSuchBucket", 404)
    other = {"CopySourceIfMatch": '"other"'}
    assert refused(s3.copy_object, Bucket=bucket, Key="n", CopySource=source, **other)[1] == 412


def test_many_are_deleted_at_once(s3: Any, bucket: str) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key)
    keys = [{"Key": "a"}, {"Key": "never there"}]
    assert s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})["Deleted"] == keys
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["c"]


KEYS = ["a.txt", "logs/1", "logs/2", "logs/x/3", "logs0", "z/", "z/1", "ä/1", "😀"]


@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
def test_lists_page_through_everything_once(s3: Any, bucket: str, call: str, size: int) -> None:
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())

    def listed(**more: str) -> tuple[list[str], list[str]]:
        pages = s3.get_paginator(call).paginate(
            Bucket=bucket, PaginationConfig={"PageSize": size}, **more
        )
        keys, prefixes = [], []
        for page in pages:
            keys += [found["Key"] for found in page.get("Contents", [])]
            prefixes += [found["Prefix"] for found in page.get("CommonPrefixes", [])]
        return keys, prefixes

    assert listed() == (KEYS, [])
    assert listed(Prefix="logs/") == (["logs/1", "logs/2", "logs/x/3"], [])
    assert listed(Delimiter="/") == (["a.txt", "logs0", "😀"], ["logs/", "z/", "ä/"])
    assert listed(Delimiter="/", Prefix="logs/") == (["logs/1", "logs/2"], ["logs/x/"])
    assert listed(Delimiter="/", Prefix="z/") == (["z/", "z/1"], [])
    assert listed(Prefix="nothing") == ([], [])


def test_a_list_says_what_it_is(s3: Any, bucket: str) -> None:
    for key in ("a b", "c/1", "c/2"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"abc")
    page = s3.list_objects_v2(
        Bucket=bucket, Delimiter="/", MaxKeys=1, FetchOwner=True, EncodingType="url"
    )
    assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"]) == (1, 1, True)
    assert page["EncodingType"] == "url"
    (found,) = page["Contents"]
    assert (found["Key"], found["Size"], found["StorageClass"]) == ("a%20b", 3, "STANDARD")
    assert found["Owner"]["ID"] == "000000000000"
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="c/1")
    assert [found["Key"] for found in after["Contents"]] == ["c/2"]
    assert not s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["IsTruncated"]
    assert refused(s3.list_objects_v2, Bucket="no-such-bucket") == ("NoSuchBucket", 404)


def upload(s3: Any, bucket: str, *parts: bytes, **more: Any) -> tuple[dict[str, Any], list[Any]]:
    made = s3.create_multipart_upload(Bucket=bucket, Key="big", **more)
    place = {"Bucket": bucket, "Key": "big", "UploadId": made["UploadId"]}
    sent = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**place, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    return place, sent


def test_parts_become_an_object(s3: Any, bucket: str) -> None:
    parts = [b"a" * 5 * MB, b"b" * 5 * MB, b"c"]
    more = {"ContentType": "text/plain", "Metadata": {"x": "1"}, "ChecksumAlgorithm": "CRC32"}
    place, sent = upload(s3, bucket, *parts, **more)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    done = s3.complete_multipart_upload(**place, MultipartUpload={"Parts": sent})
    md5s = b"".join(hashlib.md5(part).digest() for part in parts)
    assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"'
    sums = b"".join(zlib.crc32(part).to_bytes(4, "big") for part in parts)
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (f"{crc32(sums)}-3", "COMPOSITE")
    found = s3.get_object(Bucket=bucket, Key="big")
    assert found["Body"].read() == b"".join(parts)
    assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"x": "1"})
    gone = refused(s3.complete_multipart_upload, **place, MultipartUpload={"Parts": sent})
    assert gone == ("NoSuchUpload", 404)


def test_a_full_checksum_may_be_asked_for(s3: Any, bucket: str) -> None:
    more = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
    place, sent = upload(s3, bucket, b"a" * 5 * MB, b"c", **more)
    done = s3.complete_multipart_upload(**place, MultipartUpload={"Parts": sent})
    assert done["ChecksumCRC32"] == crc32(b"a" * 5 * MB + b"c")


def test_parts_that_do_not_fit_are_refused(s3: Any, bucket: str) -> None:
    place, sent = upload(s3, bucket, b"too small", b"last")

    def complete(*parts: Any) -> tuple[str, int]:
        return refused(
            s3.complete_multipart_upload, **place, MultipartUpload={"Parts": list(parts)}
        )

    assert complete(*sent) == ("EntityTooSmall", 400)
    assert complete(*reversed(sent)) == ("InvalidPartOrder", 400)
    assert complete() == ("MalformedXML", 400)
    assert complete({"PartNumber": 3, "ETag": "x"}) == ("InvalidPart", 400)
    assert complete({"PartNumber": 1, "ETag": "x"}) == ("InvalidPart", 400)
    assert refused(s3.upload_part, **place, PartNumber=10_001) == ("InvalidArgument", 400)
    s3.abort_multipart_upload(**place)
    assert refused(s3.upload_part, **place, PartNumber=1) == ("NoSuchUpload", 404)


def test_a_part_can_be_sent_again(s3: Any, bucket: str) -> None:
    place, _ = upload(s3, bucket, b"first")
    again = s3.upload_part(**place, PartNumber=1, Body=b"second")
    parts = {"Parts": [{"PartNumber": 1, "ETag": again["ETag"]}]}
    s3.complete_multipart_upload(**place, MultipartUpload=parts)
    assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == b"second"


def test_large_files_go_up_and_come_down(s3: Any, bucket: str, tmp_path: Path) -> None:
    content = hashlib.shake_256(b"seed").digest(20 * MB)
    (tmp_path / "up").write_bytes(content)
    s3.upload_file(str(tmp_path / "up"), bucket, "big")
    s3.download_file(bucket, "big", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == content


def fetch(method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request(method, f"{parts.path}?{parts.query}", body)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


@pytest.mark.parametrize("version", [None, "s3", "s3v4"])
def test_presigned_urls_need_no_key(
    shared_platform: RunningPlatform, bucket: str, version: str | None
) -> None:
    config = {} if version is None else {"signature_version": version}
    s3 = shared_platform.client("s3", **config)
    place = {"Bucket": bucket, "Key": "a b/ü"}
    put, get = (s3.generate_presigned_url(name, place) for name in ("put_object", "get_object"))
    assert fetch("PUT", put, b"content")[0] == 200
    assert fetch("GET", get) == (200, b"content")
    assert fetch("GET", get.replace("a%20b", "other"))[0] == 403
    assert fetch("PUT", get, b"x")[0] == 403
    assert fetch("DELETE", get)[0] in {400, 403}
    late = s3.generate_presigned_url("get_object", place, ExpiresIn=-1 if version != "s3v4" else 0)
    assert fetch("GET", late)[0] == 403


def test_a_client_of_another_region_is_sent_to_this_one(
    shared_platform: RunningPlatform, bucket: str
) -> None:
    place = {"endpoint_url": shared_platform.endpoint, "region_name": "eu-west-1"}
    elsewhere = shared_platform.session.client("s3", **place)
    elsewhere.put_object(Bucket=bucket, Key="a")
    assert elsewhere.head_object(Bucket=bucket, Key="a")["ContentLength"] == 0
    assert refused(elsewhere.list_buckets)[0] == "AuthorizationHeaderMalformed"


def test_a_bucket_collects_what_nothing_names(platform: RunningPlatform) -> None:
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="abc")
    upload = s3.create_multipart_upload(Bucket="abc", Key="up")["UploadId"]
    s3.upload_part(Bucket="abc", Key="up", UploadId=upload, PartNumber=1, Body=b"part")
    for key in ("kept", "gone"):
        s3.put_object(Bucket="abc", Key=key, Body=key.encode())
    s3.delete_object(Bucket="abc", Key="gone")
    found = platform.platform
    assert collect(found.database.path, found.blobs) == Report(3, 0, 0)
    assert collect(found.database.path, found.blobs, grace=0) == Report(2, 1, 4)
    assert s3.get_object(Bucket="abc", Key="kept")["Body"].read() == b"kept"
    assert verify(found.folder) == []


def test_headers_stay_headers(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a")
    found = s3.get_object(
        Bucket=bucket, Key="a", ResponseContentType="a\r\nSet-Cookie: b", ResponseCacheControl="ü€"
    )
    assert found["ContentType"] == "a Set-Cookie: b"
    assert found["CacheControl"].encode("latin-1").decode() == "ü€"


@pytest.mark.slow
def test_the_aws_cli_copies_up_and_down(
    shared_platform: RunningPlatform, bucket: str, tmp_path: Path
) -> None:
    content = hashlib.shake_256(b"cli").digest(20 * MB)
    (tmp_path / "up").write_bytes(content)
    kept = shared_platform.platform.credentials
    environment = {
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": shared_platform.endpoint,
        "AWS_ACCESS_KEY_ID": kept.access_key,
        "AWS_SECRET_ACCESS_KEY": kept.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def aws(*arguments: str) -> str:
        command = [sys.executable, "-m", "awscli", "s3", *arguments]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    aws("cp", str(tmp_path / "up"), f"s3://{bucket}/x/big")
    aws("cp", f"s3://{bucket}/x/big", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == content
    assert "PRE x/" in aws("ls", f"s3://{bucket}/")
    aws("sync", f"s3://{bucket}/", str(tmp_path / "synced"))
    assert (tmp_path / "synced/x/big").read_bytes() == content
    aws("cp", "--metadata", "a=b", __file__, f"s3://{bucket}/x/test.py")
    aws("mv", f"s3://{bucket}/x/test.py", f"s3://{bucket}/y/test.py")
    assert [line.split()[-1] for line in aws("ls", "--recursive", bucket).splitlines()] == [
        "x/big",
        "y/test.py",
    ]
    url = aws("presign", f"s3://{bucket}/x/big").strip()
    assert fetch("GET", url) == (200, content)
    aws("rm", "--recursive", f"s3://{bucket}/")
    assert aws("ls", f"s3://{bucket}/") == ""
