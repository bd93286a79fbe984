from __future__ import annotations

import gzip
import io
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from boostline.contracts.archives import ArchiveError, Limits, pack, pack_zip, unpack

Files = dict[str, bytes]


def fill(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def content(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def tar_of(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.size = size
    member.linkname = "elsewhere"
    return member


def zip_of(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names:
            packed.writestr(name, b"x")
    return path


FILES = {"model.ubj": b"\0" * 100_000, "code/serve.py": b"print()", "ä/b c.json": b"{}"}


def test_pack_gives_equal_bytes_for_equal_files(tmp_path: Path) -> None:
    first = fill(tmp_path / "first", FILES)
    second = fill(tmp_path / "second", dict(reversed(FILES.items())))
    for path in second.rglob("*"):
        os.utime(path, (1, 1))
    (second / "model.ubj").chmod(0o600)
    pack(first, tmp_path / "first.tar.gz")
    pack(second, tmp_path / "second.tar.gz")
    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "second.tar.gz").read_bytes()


def test_pack_and_unpack_keep_files_folders_and_the_executable_bit(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", FILES)
    (folder / "empty").mkdir()
    (folder / "code/serve.py").chmod(0o700)
    pack(folder, tmp_path / "a.tar.gz")
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert content(tmp_path / "out") == FILES
    assert (tmp_path / "out/empty").is_dir()
    assert stat.S_IMODE((tmp_path / "out/code/serve.py").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "out/model.ubj").stat().st_mode) == 0o644


def test_pack_refuses_links_and_leaves_nothing(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", {"a": b""})
    (folder / "link").symlink_to("a")
    with pytest.raises(ArchiveError, match="link: only files"):
        pack(folder, tmp_path / "out" / "a.tar.gz")
    assert list((tmp_path / "out").iterdir()) == []


def test_pack_zip_gives_equal_bytes_and_unpacks(tmp_path: Path) -> None:
    script = tmp_path / "bootstrap"
    script.write_bytes(b"#!/bin/sh\n")
    script.chmod(0o755)
    pack_zip({"b/c.py": b"1", "a": script}, tmp_path / "one.zip")
    os.utime(script, (1, 1))
    pack_zip({"a": script, "b/c.py": b"1"}, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    unpack(tmp_path / "one.zip", tmp_path / "out")
    assert content(tmp_path / "out") == {"a": b"#!/bin/sh\n", "b/c.py": b"1"}
    assert os.access(tmp_path / "out/a", os.X_OK)


def test_unpack_takes_what_tar_makes_of_a_dot(tmp_path: Path) -> None:
    archive = tar_of(
        tmp_path / "a.tar.gz", tar_member("./", tarfile.DIRTYPE), tar_member("./a", size=1)
    )
    unpack(archive, tmp_path / "out")
    assert content(tmp_path / "out") == {"a": b"x"}


@pytest.mark.parametrize("name", ["/a", "../a", "a/../../b", "a\\b"])
@pytest.mark.parametrize("make", [lambda p, n: tar_of(p, tar_member(n)), zip_of])
def test_unpack_refuses_names_that_leave_the_folder(
    tmp_path: Path, name: str, make: Callable[[Path, str], Path]
) -> None:
    archive = make(tmp_path / "archive", name)
    with pytest.raises(ArchiveError, match="outside the folder"):
        unpack(archive, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == [archive, tmp_path / "out"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_unpack_refuses_links_and_devices(tmp_path: Path, kind: bytes) -> None:
    archive = tar_of(tmp_path / "a.tar.gz", tar_member("a", kind))
    with pytest.raises(ArchiveError, match="'a' is neither a file nor a folder"):
        unpack(archive, tmp_path / "out")


def test_unpack_refuses_a_link_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        member = zipfile.ZipInfo("a")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(member, "/etc/passwd")
    with pytest.raises(ArchiveError, match="neither a file nor a folder"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_unpack_refuses_a_name_that_occurs_twice(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar.gz", tar_member("a"), tar_member("a/b"))
    with pytest.raises(ArchiveError, match="'a/b' lies where something else is"):
        unpack(archive, tmp_path / "out")


def test_unpack_stops_at_the_limits(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", {"a": b"\0" * 5_000_000, "b": b""})
    pack(folder, tmp_path / "a.tar.gz")
    pack_zip({"a": folder / "a", "b": b""}, tmp_path / "a.zip")
    for name in ("a.tar.gz", "a.zip"):
        assert (tmp_path / name).stat().st_size < 10_000
        with pytest.raises(ArchiveError, match="'a' passes the limit of 4000000 bytes"):
            unpack(tmp_path / name, tmp_path / f"size-{name}", Limits(size=4_000_000))
        assert (tmp_path / f"size-{name}/a").stat().st_size <= 4_000_000
        with pytest.raises(ArchiveError, match="'b' passes the limit of 1 members"):
            unpack(tmp_path / name, tmp_path / f"members-{name}", Limits(members=1))
    zip_of(tmp_path / "long.zip", "x" * 20)
    with pytest.raises(ArchiveError, match="longer than 10 bytes"):
        unpack(tmp_path / "long.zip", tmp_path / "long", Limits(path=10))


def test_unpack_does_not_believe_what_a_zip_says_of_sizes(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    pack_zip({"a": b"\0" * 1_000_000}, archive)
    real, said = (1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(real, said))
    with pytest.raises(ArchiveError, match="damaged"):
        unpack(archive, tmp_path / "out", Limits(size=100))


def test_unpack_refuses_a_huge_extended_header(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar.gz", tar_member("a", tarfile.XHDTYPE, size=1 << 20))
    with pytest.raises(ArchiveError, match="extended header of 1048576 bytes"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize(
    "damaged",
    [b"", b"text", b"PK\3\4", b"\x1f\x8b\x08", gzip.compress(b"x" * 5_000, mtime=0)[:-9]],
)
def test_unpack_refuses_what_is_no_archive(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "a").write_bytes(damaged)
    with pytest.raises(ArchiveError, match=re.escape(f"{tmp_path}/a: ")):
        unpack(tmp_path / "a", tmp_path / "out")
