from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from boostline.local.store.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def files(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_content_lies_under_its_digest_and_is_read_only(blobs: Blobs) -> None:
    blob = blobs.write(b"content")
    assert blob.digest == hashlib.sha256(b"content").hexdigest()
    assert (blob.size, blob.md5) == (7, hashlib.md5(b"content").hexdigest())
    path = blobs.path(blob.digest)
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_the_same_content_is_kept_once(blobs: Blobs, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(blobs.write, [b"content"] * 50))
    assert len(made) == 1
    assert len(files(tmp_path)) == 1


def test_a_content_that_is_not_committed_is_forgotten(blobs: Blobs, tmp_path: Path) -> None:
    with blobs.writer() as writer:
        writer.write(b"some")
        assert writer.blob.digest == hashlib.sha256(b"some").hexdigest()
    assert files(tmp_path) == []


def test_what_an_earlier_run_left_unfinished_is_cleared(tmp_path: Path) -> None:
    kept = Blobs(tmp_path).write(b"kept").digest
    (tmp_path / "incoming" / "left").write_bytes(b"half")
    assert files(tmp_path / "incoming")
    again = Blobs(tmp_path)
    assert not files(tmp_path / "incoming")
    assert again.path(kept).read_bytes() == b"kept"


def test_a_copy_may_be_changed_and_the_content_stays(blobs: Blobs, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    blob = blobs.add(source)
    blobs.copy(blob.digest, tmp_path / "a" / "b")
    with (tmp_path / "a" / "b").open("ab") as file:
        file.write(b"!")
    source.write_bytes(b"other")
    assert blobs.path(blob.digest).read_bytes() == b"content"
