from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boostline.local.store.blobs import Blobs
from boostline.local.store.database import Database
from boostline.local.store.objects import (
    NO_VERSION,
    VERSIONING,
    NoSuchBucket,
    NoSuchKey,
    Objects,
    beyond,
)


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    made = Objects(Database(tmp_path / "db"), Blobs(tmp_path / "blobs"))
    made.create_bucket("b")
    return made


def fill(objects: Objects, *keys: str) -> None:
    for key in keys:
        objects.write(f"s3://b/{key}", key.encode())


def keys(objects: Objects, prefix: str = "", **more: Any) -> list[str]:
    return [found.key for found in objects.list("b", prefix, **more)]


def test_buckets_are_made_and_removed(objects: Objects) -> None:
    assert objects.create_bucket("c")
    assert not objects.create_bucket("c")
    assert [each["Name"] for each in objects.buckets()] == ["b", "c"]
    fill(objects, "a")
    assert not objects.delete_bucket("b")
    for name in ("b/1", "c/1"):
        objects.create_bucket(name, {"in": name})
        objects.put(name, "a", objects.blobs.write(b""))
    assert [each["in"] for each in objects.buckets("c")] == ["c/1"]
    assert [each["Name"] for each in objects.buckets()] == ["b", "c"]
    assert objects.delete_bucket("c")
    with pytest.raises(NoSuchBucket, match="c/1"):
        objects.find("c/1", "a")
    assert objects.delete_bucket("b/1", full=True)
    with pytest.raises(NoSuchBucket, match="c"):
        objects.delete_bucket("c")
    with pytest.raises(NoSuchBucket):
        objects.write("s3://c/a", b"")


def test_an_object_is_named_anew_and_forgotten(objects: Objects) -> None:
    objects.write("s3://b/a", b"1")
    objects.write("s3://b/a", b"2")
    assert objects.read("s3://b/a") == b"2"
    assert objects.get("b", "a").size == 1
    objects.delete("b", "a")
    assert objects.find("b", "a") is None
    with pytest.raises(NoSuchKey, match="s3://b/a"):
        objects.read("s3://b/a")


def test_a_bucket_that_keeps_versions_forgets_nothing(objects: Objects) -> None:
    objects.write("s3://b/a", b"0")
    objects.configure("b", VERSIONING, {"Status": "Enabled"})
    first, second = (objects.write("s3://b/a", data) for data in (b"1", b"2"))
    marker = objects.delete("b", "a")
    assert marker is not None
    with pytest.raises(NoSuchKey):
        objects.get("b", "a")
    assert objects.find("b", "a", marker.version) == objects.find("b", "a") == marker
    assert keys(objects) == []
    versions = [found.version for found in objects.list("b", versions=True)]
    assert versions == [marker.version, second.version, first.version, NO_VERSION]
    rest = objects.list("b", after=(b"a", second.number), versions=True)
    assert [found.version for found in rest] == [first.version, NO_VERSION]
    assert objects.delete("b", "a", marker.version) == marker
    assert objects.read("s3://b/a") == b"2"
    objects.configure("b", VERSIONING, {"Status": "Suspended"})
    assert objects.write("s3://b/a", b"3").version == NO_VERSION
    assert len(objects.list("b", versions=True)) == 3
    assert not objects.delete_bucket("b")


def test_what_a_version_is_said_to_be_can_change(objects: Objects) -> None:
    objects.write("s3://b/a", b"1")
    objects.describe(objects.get("b", "a"), {"ContentType": "text/csv"})
    found = objects.get("b", "a")
    assert (found.headers, found.size) == ({"ContentType": "text/csv"}, 1)


def test_keys_are_listed_by_prefix_in_the_order_of_their_bytes(objects: Objects) -> None:
    fill(
        objects, "a", "a/1", "a/2", "a0", "b", "\ud7ff/x", "\ue000", "😀/1", "\U0010ffff\U0010ffff"
    )
    assert keys(objects) == sorted(keys(objects), key=str.encode)
    assert keys(objects, "a/") == ["a/1", "a/2"]
    assert keys(objects, "a") == ["a", "a/1", "a/2", "a0"]
    assert keys(objects, "\ud7ff") == ["\ud7ff/x"]
    assert keys(objects, "\U0010ffff") == ["\U0010ffff\U0010ffff"]
    assert keys(objects, "a", after=(b"a/1", 0)) == ["a/2", "a0"]
    assert keys(objects, "a", after=(b"a/1", 0), limit=1) == ["a/2"]
    assert keys(objects, after=beyond("a/")) == [
        "a0",
        "b",
        "\ud7ff/x",
        "\ue000",
        "😀/1",
        "\U0010ffff" * 2,
    ]
    assert keys(objects, "nothing") == []


@pytest.mark.parametrize(
    ("uri", "files"),
    [
        ("s3://b/data", ["1.csv", "data.txt", "deep/2.csv"]),
        ("s3://b/data/", ["1.csv", "deep/2.csv"]),
        ("s3://b/data/1.csv", ["1.csv"]),
        ("s3://b/data/d", ["deep/2.csv"]),
        ("s3://b", ["data.txt", "data/1.csv", "data/deep/2.csv"]),
    ],
)
def test_an_input_comes_down_by_prefix(
    objects: Objects, tmp_path: Path, uri: str, files: list[str]
) -> None:
    fill(objects, "data/", "data/1.csv", "data/deep/2.csv", "data.txt")
    target = tmp_path / "target"
    assert objects.download(uri, target) == len(files)
    found = [path for path in target.rglob("*") if path.is_file()]
    assert sorted(path.relative_to(target).as_posix() for path in found) == files


def test_nothing_and_what_leaves_the_folder_do_not_come_down(
    objects: Objects, tmp_path: Path
) -> None:
    with pytest.raises(NoSuchKey, match="s3://b/none"):
        objects.download("s3://b/none", tmp_path)
    fill(objects, "up/../../x")
    with pytest.raises(ValueError, match=r"'\.\.' in a key"):
        objects.download("s3://b/up/", tmp_path / "target")
    assert not (tmp_path / "x").exists()
