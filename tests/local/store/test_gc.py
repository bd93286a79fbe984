from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from boostline.local.store.blobs import Blobs
from boostline.local.store.database import Database
from boostline.local.store.gc import Problem, Report, collect, verify
from boostline.local.store.objects import Objects
from boostline.local.store.resources import Resources


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "platform.sqlite")


@pytest.fixture
def objects(database: Database, tmp_path: Path) -> Objects:
    Resources(database)
    made = Objects(database, Blobs(tmp_path / "blobs"))
    made.create_bucket("b")
    return made


def age(objects: Objects, digest: str) -> None:
    """Let a content be stored long ago."""
    os.utime(objects.blobs.path(digest), (0, 0))


def test_what_nothing_names_goes_after_an_hour(database: Database, objects: Objects) -> None:
    old, new = objects.blobs.write(b"old"), objects.blobs.write(b"newer")
    age(objects, old.digest)
    objects.write("s3://b/a", b"kept")
    age(objects, objects.get("b", "a").digest)
    assert collect(database.path, objects.blobs) == Report(2, 1, 3)
    assert collect(database.path, objects.blobs) == Report(2, 0, 0)
    assert collect(database.path, objects.blobs, grace=0) == Report(1, 1, 5)
    assert not objects.blobs.path(new.digest).exists()
    assert objects.read("s3://b/a") == b"kept"


def test_versions_and_whatever_holds_a_digest_are_names(
    database: Database, objects: Objects
) -> None:
    objects.configure("b", "BucketVersioning", {"Status": "Enabled"})
    for data in (b"1", b"2"):
        objects.write("s3://b/a", data)
    objects.delete("b", "a")
    digest = objects.blobs.write(b"code").digest
    Resources(database).create("any", "thing", {"deep": [{"place": f"sha256:{digest}"}]})
    assert collect(database.path, objects.blobs, grace=0) == Report(3, 0, 0)
    Resources(database).delete("any", "thing")
    assert collect(database.path, objects.blobs, grace=0).removed == 1


def test_writers_lose_nothing_to_a_collector(database: Database, objects: Objects) -> None:
    """Contents that are old and that nothing names come again while they are collected."""
    contents = [f"content {number}".encode() for number in range(8)]
    removed = 0

    def write(number: int) -> None:
        uri, data = f"s3://b/{number}", contents[number % 8]
        objects.write(uri, data)
        assert objects.read(uri) == data

    with ThreadPoolExecutor(6) as pool:
        for turn in range(10):
            age(objects, objects.blobs.write(f"nobody's {turn}".encode()).digest)
            for data in contents:
                age(objects, objects.blobs.write(data).digest)
            sweep = pool.submit(collect, database.path, objects.blobs)
            list(pool.map(write, range(16)))
            removed += sweep.result().removed
            for found in objects.list("b"):
                assert objects.read(f"s3://b/{found.key}") == contents[int(found.key) % 8]
                objects.delete("b", found.key)
    assert removed >= 10


def test_an_old_content_that_is_stored_again_is_young(database: Database, objects: Objects) -> None:
    for step in itertools.repeat(b"again", 3):
        digest = objects.blobs.write(step).digest
        assert collect(database.path, objects.blobs).removed == 0
        age(objects, digest)
    assert collect(database.path, objects.blobs).removed == 1


def test_what_is_damaged_or_missing_is_named(database: Database, objects: Objects) -> None:
    assert verify(database.path.parent) == []
    for key, data in (("bad", b"bad"), ("same", b"bad"), ("lost", b"lost"), ("good", b"good")):
        objects.write(f"s3://b/{key}", data)
    bad, lost = (objects.get("b", key).digest for key in ("bad", "lost"))
    objects.blobs.path(bad).chmod(0o644)
    objects.blobs.path(bad).write_bytes(b"worse")
    objects.blobs.path(lost).unlink()
    assert set(verify(database.path.parent)) == {
        Problem(bad, "damaged", ("s3://b/bad", "s3://b/same")),
        Problem(lost, "missing", ("s3://b/lost",)),
    }
    for data in (b"bad", b"lost"):  # to store it again is the cure
        objects.blobs.write(data)
    assert verify(database.path.parent) == []
