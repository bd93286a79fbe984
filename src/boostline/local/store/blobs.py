"""Content-addressed files: written once, synced, read-only, named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

CHUNK = 1 << 20


class Blob(NamedTuple):
    """A stored content: its SHA-256 in hex, size in bytes, and MD5 in hex."""

    digest: str
    size: int
    md5: str


class FileRange(NamedTuple):
    """A part of a file, for example as the body of an answer: `start` and `length` in bytes."""

    path: Path
    start: int
    length: int

    def pieces(self) -> Iterator[bytes]:
        """Read it."""
        left = self.length
        with self.path.open("rb") as file:
            file.seek(self.start)
            while data := file.read(min(CHUNK, left)):
                left -= len(data)
                yield data


class BlobWriter:
    """A content on its way in; nobody sees it before `commit`."""

    def __init__(self, blobs: Blobs, incoming: Path) -> None:
        self._blobs = blobs
        self._file = tempfile.NamedTemporaryFile(dir=incoming, delete=False)  # noqa: SIM115
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._size = 0

    @property
    def blob(self) -> Blob:
        """What was written so far."""
        return Blob(self._sha256.hexdigest(), self._size, self._md5.hexdigest())

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._file.write(data)
        self._sha256.update(data)
        self._md5.update(data)
        self._size += len(data)

    def commit(self) -> Blob:
        """Sync the content, make it read-only and give it its name."""
        blob = self.blob
        self._file.flush()
        os.fchmod(self._file.fileno(), 0o444)
        os.utime(self._file.fileno())  # young from here on: see `Blobs.discard`
        os.fsync(self._file.fileno())
        self._file.close()
        target = self._blobs.path(blob.digest)
        with self._blobs.names:
            # Also over an equal one: that may be old, and about to be collected, or damaged.
            Path(self._file.name).rename(target)
        sync_folder(target.parent)
        return blob

    def abandon(self) -> None:
        """Forget what was written; harmless after `commit`."""
        with suppress(OSError):  # what is still in its buffer may find no space
            self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


class Blobs:
    """The platform's contents below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.names = threading.Lock()  # held while a content gets or loses its name
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left_over in self._incoming.iterdir():
            left_over.unlink()
        if not (folder / "ff").exists():
            for number in range(256):
                (folder / f"{number:02x}").mkdir(exist_ok=True)
            sync_folder(folder)

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        """Give a writer; a content not committed when the block ends is forgotten."""
        writer = BlobWriter(self, self._incoming)
        try:
            yield writer
        finally:
            writer.abandon()

    def write(self, *pieces: bytes | FileRange) -> Blob:
        """Store bytes and parts of files, one after another."""
        with self.writer() as writer:
            for piece in pieces:
                for data in piece.pieces() if isinstance(piece, FileRange) else (piece,):
                    writer.write(data)
            return writer.commit()

    def add(self, path: Path) -> Blob:
        """Store a copy of a file."""
        return self.write(FileRange(path, 0, sys.maxsize))

    def path(self, digest: str) -> Path:
        """Return where a content lies: to be read, never to be handed out writable."""
        return self._folder / digest[:2] / digest

    def copy(self, digest: str, target: Path) -> None:
        """Copy a content to a new, writable file: a job may do to it what it likes."""
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.path(digest), target)

    def __iter__(self) -> Iterator[str]:
        """Give the digests of all contents."""
        for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
            yield from (path.name for path in folder.iterdir())

    def discard(self, digest: str, before: float) -> int | None:
        """Remove a content last stored before a time (epoch seconds); return its size if so."""
        path = self.path(digest)
        with self.names:
            status = path.stat()
            if status.st_mtime >= before:
                return None
            path.unlink()
        return status.st_size


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
