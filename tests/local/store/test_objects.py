from __future__ import annotations

from pathlib import Path

import pytest

from boostline.local.store.blobs import Blobs
from boostline.local.store.database import Database
from boostline.local.store.objects import NoSuchBucket, NoSuchKey, Objects, split_uri


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    made = Objects(Database(tmp_path / "db"), Blobs(tmp_path / "blobs"))
    made.create_bucket("b")
    return made


def fill(objects: Objects, *keys: str) -> None:
    for key in keys:
        objects.write(f"s3://b/{key}", key.encode())


def keys(objects: Objects, prefix: str = "", **more: str | int) -> list[str]:
    return [found.key for found in objects.list("b", prefix, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uri", "parts"),
    [("s3://b", ("b", "")), ("s3://b/", ("b", "")), ("s3://b/a//c", ("b", "a//c"))],
)
def test_a_uri_is_split(uri: str, parts: tuple[str, str]) -> None:
    assert split_uri(uri) == parts


@pytest.mark.parametrize("uri", ["b/key", "s3:///key", "file://b/key", "s3://"])
def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="expected s3://bucket/key"):
        split_uri(uri)


def test_buckets_are_made_and_removed(objects: Objects) -> None:
    assert objects.create_bucket("c")
    assert not objects.create_bucket("c")
    assert list(objects.buckets()) == ["b", "c"]
    fill(objects, "a")
    assert not objects.delete_bucket("b")
    assert objects.delete_bucket("c")
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


def test_a_copy_keeps_headers_unless_others_are_given(objects: Objects) -> None:
    source = objects.put("b", "a", objects.blobs.write(b"1"), {"ContentType": "text/csv"}, "e-1")
    copied = objects.copy(source, "b", "c")
    assert (copied.digest, copied.etag, copied.headers) == (source.digest, "e-1", source.headers)
    assert objects.copy(source, "b", "d", {}).headers == {}


def test_keys_are_listed_by_prefix_in_the_order_of_their_bytes(objects: Objects) -> None:
    fill(
        objects, "a", "a/1", "a/2", "a0", "b", "\ud7ff/x", "\ue000", "😀/1", "\U0010ffff\U0010ffff"
    )
    assert keys(objects) == sorted(keys(objects), key=str.encode)
    assert keys(objects, "a/") == ["a/1", "a/2"]
    assert keys(objects, "a") == ["a", "a/1", "a/2", "a0"]
    assert keys(objects, "\ud7ff") == ["\ud7ff/x"]
    assert keys(objects, "\U0010ffff") == ["\U0010ffff\U0010ffff"]
    assert keys(objects, "a", after="a/1") == ["a/2", "a0"]
    assert keys(objects, "a", after="a/1", limit=1) == ["a/2"]
    assert keys(objects, beyond="a/") == ["a0", "b", "\ud7ff/x", "\ue000", "😀/1", "\U0010ffff" * 2]
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


def test_a_folder_goes_up_without_links(objects: Objects, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_bytes(b"1")
    (folder / "deep" / "b").write_bytes(b"2")
    (folder / "link").symlink_to("a")
    assert objects.upload(folder, "s3://b/out/") == 2
    assert keys(objects) == ["out/a", "out/deep/b"]
    assert objects.upload(folder, "s3://b") == 2
    with pytest.raises(NoSuchBucket):
        objects.upload(folder, "s3://none/out")
