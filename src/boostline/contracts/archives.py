"""Archives: packed the same from the same files, unpacked only within limits."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

CHUNK = 1 << 20
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)
_LONG_HEADER = 1 << 16  # no honest extended header is longer, and tarfile reads it whole


class ArchiveError(Exception):
    """An archive that cannot be made, or that it would not be safe to unpack."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    Parameters
    ----------
    size
        Bytes of all files together, unpacked.
    members
        Number of files and folders.
    path
        Length of a member's name in bytes.
    """

    size: int = 20 << 30
    members: int = 100_000
    path: int = 1_024


def pack(folder: Path, archive: Path) -> None:
    """Write the files below a folder as tar.gz: equal files and names give equal bytes.

    Names are relative to the folder and sorted; no times, owners or modes (but "executable") are
    kept. The archive appears under its name when it is whole.

    Raises
    ------
    ArchiveError
        If the folder holds anything but files and folders: SageMaker allows no links in a
        `model.tar.gz`.
    """
    paths = sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())
    with (
        _new_file(archive) as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in paths:
            name = path.relative_to(folder).as_posix()
            member = tarfile.TarInfo(name)
            status = path.lstat()
            member.mode = _mode(status.st_mode)
            if stat.S_ISDIR(status.st_mode):
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            elif stat.S_ISREG(status.st_mode):
                member.size = status.st_size
                with path.open("rb") as content:
                    tar.addfile(member, content)
            else:
                raise ArchiveError(f"{path}: only files and folders can be packed, no links")


def pack_zip(members: Mapping[str, bytes | Path], archive: Path) -> None:
    """Write a zip of named contents: equal names and contents give equal bytes.

    Parameters
    ----------
    members
        Name in the archive → its content, or the file that holds it.
    archive
        The file to write; it appears under its name when it is whole.
    """
    with _new_file(archive) as file, zipfile.ZipFile(file, "w") as packed:
        for name in sorted(members):
            source = members[name]
            member = zipfile.ZipInfo(name, _EPOCH_OF_ZIP)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # Unix, wherever it is made: the modes below count
            mode = _mode(source.stat().st_mode) if isinstance(source, Path) else 0o644
            member.external_attr = (stat.S_IFREG | mode) << 16
            with packed.open(member, "w") as target:
                if isinstance(source, Path):
                    with source.open("rb") as content:
                        shutil.copyfileobj(content, target, CHUNK)
                else:
                    target.write(source)


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> None:
    """Unpack a tar.gz or a zip into a folder, which is made if absent.

    Sizes are counted while the content streams, whatever the archive says of itself. What was
    unpacked before an error is left where it is.

    Raises
    ------
    ArchiveError
        If it is no such archive, is damaged or beyond the limits, or holds a name that is absolute,
        has `..` or occurs twice, or anything but files and folders.
    """
    with archive.open("rb") as file:
        magic = file.read(4)
    unpacker = _Unpacker(archive, folder, limits or Limits())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if magic.startswith(b"\x1f\x8b"):
            unpacker.unpack_tar()
        elif magic.startswith(b"PK"):
            unpacker.unpack_zip()
        else:
            raise ArchiveError(f"{archive}: neither a tar.gz nor a zip")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise ArchiveError(f"{archive}: damaged: {error}") from error


class _Unpacker:
    """One archive on its way into one folder."""

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self._archive = archive
        self._folder = folder
        self._limits = limits
        self._left = limits.size
        self._members = 0

    def unpack_tar(self) -> None:
        with (
            gzip.open(self._archive) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as tar,
        ):
            for member in tar:
                # The list of members grows with each: an archive of millions must not fill memory.
                tar.members = []  # type: ignore[attr-defined]
                if member.isdir():
                    self._make_folder(member.name)
                elif member.isreg() and not member.issparse():
                    content = tar.extractfile(member)
                    if content is not None:
                        self._write(member.name, content, member.mode)
                else:
                    raise self._refusal(member.name, "is neither a file nor a folder")

    def unpack_zip(self) -> None:
        with zipfile.ZipFile(self._archive) as packed:
            for member in packed.infolist():
                kind = stat.S_IFMT(member.external_attr >> 16)
                if member.is_dir():
                    self._make_folder(member.filename)
                elif kind not in {0, stat.S_IFREG}:
                    raise self._refusal(member.filename, "is neither a file nor a folder")
                elif member.flag_bits & 1:
                    raise self._refusal(member.filename, "is encrypted")
                else:
                    with self._open(packed, member) as content:
                        self._write(member.filename, content, member.external_attr >> 16)

    def _open(self, packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
        try:
            return packed.open(member)
        except NotImplementedError as error:
            raise self._refusal(member.filename, f"cannot be read: {error}") from error

    def _make_folder(self, name: str) -> None:
        try:
            self._target(name).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise self._refusal(name, "lies where a file is") from None

    def _write(self, name: str, content: IO[bytes], mode: int) -> None:
        target = self._target(name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = target.open("xb")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise self._refusal(name, "lies where something else is") from None
        with file:
            while data := content.read(CHUNK):
                self._left -= len(data)
                if self._left < 0:
                    raise self._refusal(name, f"passes the limit of {self._limits.size} bytes")
                file.write(data)
        target.chmod(_mode(stat.S_IFREG | mode))

    def _target(self, name: str) -> Path:
        self._members += 1
        if self._members > self._limits.members:
            raise self._refusal(name, f"passes the limit of {self._limits.members} members")
        if len(os.fsencode(name)) > self._limits.path:
            raise self._refusal(name[:80] + "…", f"is longer than {self._limits.path} bytes")
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            raise self._refusal(name, "would lie outside the folder")
        return self._folder / path

    def _refusal(self, name: str, reason: str) -> ArchiveError:
        return ArchiveError(f"{self._archive}: {name!r} {reason}; nothing further was unpacked")


class _Member(tarfile.TarInfo):
    """A member whose extended headers are short: tarfile would read a long one into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        member = super().frombuf(buf, encoding, errors)
        extended = member.type in {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
        named = member.type in {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
        if (extended or named) and member.size > _LONG_HEADER:
            raise ArchiveError(f"{member.name!r}: an extended header of {member.size} bytes")
        return member


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file that takes its name when the block ends, or vanishes with an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink()
        raise


def _mode(mode: int) -> int:
    return 0o755 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o644
