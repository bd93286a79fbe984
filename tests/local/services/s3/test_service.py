from __future__ import annotations

import hashlib
import http.client
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from boostline.local.store.gc import Report, collect, verify
from tests.conftest import RunningPlatform, start
from tests.local.raw import send, sign
from tests.local.services.s3.conftest import MB, refused


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
    for asked in ("bytes=10-", "bytes=-0", f"bytes={10**30}-"):
        assert refused(s3.get_object, Bucket=bucket, Key="a", Range=asked) == ("InvalidRange", 416)
    for asked in ("bytes=5-2", "lines=1-2", "bytes=0-1,3-4", "bytes=-", f"bytes={'1' * 5_000}-"):
        found = s3.get_object(Bucket=bucket, Key="a", Range=asked)
        assert (found["Body"].read(), found["ResponseMetadata"]["HTTPStatusCode"]) == (
            b"0123456789",
            200,
        )


def test_what_is_too_long_is_refused(s3: Any, bucket: str) -> None:
    metadata = {"a": "x" * 2_048}
    too_large = refused(s3.put_object, Bucket=bucket, Key="a", Metadata=metadata)
    assert too_large == ("MetadataTooLarge", 400)
    assert refused(s3.put_object, Bucket=bucket, Key="k" * 1_025) == ("KeyTooLongError", 400)


def test_a_source_that_is_not_there_is_told(s3: Any, bucket: str) -> None:
    gone, elsewhere = ({"Bucket": each, "Key": "a"} for each in (bucket, "no-such-bucket"))
    there = {"Bucket": bucket, "Key": "b"}
    assert refused(s3.copy_object, **there, CopySource=gone) == ("NoSuchKey", 404)
    assert refused(s3.copy_object, **there, CopySource=elsewhere) == ("NoSuchBucket", 404)


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
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
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
