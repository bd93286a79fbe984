"""Content-addressed files: written once, synced, read-only, named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

CHUNK = 1 << 20


class Blob(NamedTuple):
    """A stored content: hex digests, size in bytes and CRC-32 as an unsigned integer."""

    digest: str
    size: int
    md5: str
    crc32: int


class BlobWriter:
    """A content on its way in; nobody sees it before `commit`."""

    def __init__(self, folder: Path, incoming: Path) -> None:
        self._folder = folder
        self._file = tempfile.NamedTemporaryFile(dir=incoming, delete=False)  # noqa: SIM115
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc32 = 0
        self._size = 0

    @property
    def sha256(self) -> str:
        """The digest of what was written so far."""
        return self._sha256.hexdigest()

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._file.write(data)
        self._sha256.update(data)
        self._md5.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self._size += len(data)

    def commit(self) -> Blob:
        """Sync the content, make it read-only and give it its name."""
        blob = Blob(self.sha256, self._size, self._md5.hexdigest(), self._crc32)
        self._file.flush()
        os.fsync(self._file.fileno())
        os.fchmod(self._file.fileno(), 0o444)
        self._file.close()
        target = self._folder / blob.digest[:2] / blob.digest
        if not target.exists():
            Path(self._file.name).rename(target)
        # Also where another writer was first: its name may not be on disk yet.
        sync_folder(target.parent)
        return blob

    def abandon(self) -> None:
        """Forget what was written; harmless after `commit`."""
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


class Blobs:
    """The platform's contents below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
        writer = BlobWriter(self._folder, self._incoming)
        try:
            yield writer
        finally:
            writer.abandon()

    def write(self, data: bytes) -> Blob:
        """Store bytes."""
        with self.writer() as writer:
            writer.write(data)
            return writer.commit()

    def add(self, path: Path) -> Blob:
        """Store a copy of a file."""
        with self.writer() as writer, path.open("rb") as file:
            while data := file.read(CHUNK):
                writer.write(data)
            return writer.commit()

    def path(self, digest: str) -> Path:
        """Return where a content lies: to be read, never to be handed out writable."""
        return self._folder / digest[:2] / digest

    def copy(self, digest: str, target: Path) -> None:
        """Copy a content to a new, writable file: a job may do to it what it likes."""
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.path(digest), target)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
