"""Buckets and objects: names of contents, with the headers they came with."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boostline.local.store.blobs import Blob, Blobs
from boostline.local.store.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket (name TEXT PRIMARY KEY, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS object (
    bucket TEXT NOT NULL REFERENCES bucket (name),
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified REAL NOT NULL,
    headers TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
"""


class NoSuchBucket(Exception):
    """There is no bucket of that name."""


class NoSuchKey(Exception):
    """There is no object of that key."""


@dataclass(frozen=True)
class Object:
    """An object: `etag` without quotes, `modified` in epoch seconds, `headers` as S3 names them.

    `headers` holds what PutObject was given and GetObject gives back, by botocore's member names
    (`ContentType`, `Metadata`, …).
    """

    bucket: str
    key: str
    digest: str
    size: int
    etag: str
    modified: float
    headers: dict[str, Any]


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an `s3://bucket/key` URI.

    Raises
    ------
    ValueError
        If it is not one.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"{uri!r} is not an S3 URI: expected s3://bucket/key")
    return bucket, key


class Objects:
    """The buckets of the platform."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self.blobs = blobs
        database.define(SCHEMA)

    def create_bucket(self, bucket: str) -> bool:
        """Add a bucket; False if it was there."""
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO bucket VALUES (?, ?)", (bucket, time.time())
            )
            return cursor.rowcount > 0

    def buckets(self) -> dict[str, float]:
        """Return the buckets' names with their creation times."""
        rows = self._database.query("SELECT name, created FROM bucket ORDER BY name")
        return {row["name"]: row["created"] for row in rows}

    def require_bucket(self, bucket: str) -> None:
        """Raise `NoSuchBucket` if it is not there."""
        if not self._database.query("SELECT 1 FROM bucket WHERE name = ?", bucket):
            raise NoSuchBucket(bucket)

    def delete_bucket(self, bucket: str) -> bool:
        """Remove a bucket; False if it still holds objects."""
        with self._database.transaction() as connection:
            self.require_bucket(bucket)
            if self._database.query("SELECT 1 FROM object WHERE bucket = ? LIMIT 1", bucket):
                return False
            connection.execute("DELETE FROM bucket WHERE name = ?", (bucket,))
            return True

    def put(
        self,
        bucket: str,
        key: str,
        blob: Blob,
        headers: dict[str, Any] | None = None,
        etag: str | None = None,
    ) -> Object:
        """Name a stored content, in place of what had the name before."""
        made = Object(
            bucket, key, blob.digest, blob.size, etag or blob.md5, time.time(), headers or {}
        )
        with self._database.transaction() as connection:
            self.require_bucket(bucket)
            connection.execute(
                "INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    bucket,
                    key,
                    made.digest,
                    made.size,
                    made.etag,
                    made.modified,
                    json.dumps(made.headers),
                ),
            )
        return made

    def find(self, bucket: str, key: str) -> Object | None:
        """Return an object, or None; `NoSuchBucket` if even the bucket is not there."""
        self.require_bucket(bucket)
        rows = self._database.query(
            "SELECT * FROM object WHERE bucket = ? AND key = ?", bucket, key
        )
        return _object(rows[0]) if rows else None

    def get(self, bucket: str, key: str) -> Object:
        """Return an object, or raise `NoSuchKey` or `NoSuchBucket`."""
        found = self.find(bucket, key)
        if found is None:
            raise NoSuchKey(f"s3://{bucket}/{key}")
        return found

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object's name, if it is there; its content stays for others."""
        with self._database.transaction() as connection:
            self.require_bucket(bucket)
            connection.execute("DELETE FROM object WHERE bucket = ? AND key = ?", (bucket, key))

    def copy(
        self, source: Object, bucket: str, key: str, headers: dict[str, Any] | None = None
    ) -> Object:
        """Give an object's content a further name, with its headers unless others are given."""
        blob = Blob(source.digest, source.size, source.etag, 0)
        return self.put(bucket, key, blob, source.headers if headers is None else headers)

    def list(
        self,
        bucket: str,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
        beyond: str | None = None,
    ) -> list[Object]:
        """Return objects whose key starts with `prefix` and sorts after `after`, in key order.

        Keys sort by their UTF-8 bytes, as in S3.

        Parameters
        ----------
        beyond
            A prefix: keys that start with it, or sort before it, are passed over.
        """
        self.require_bucket(bucket)
        first = max(prefix, f"{after}\0", "" if beyond is None else _next(beyond))
        rows = self._database.query(
            "SELECT * FROM object WHERE bucket = ? AND key >= ? AND (? = '' OR key < ?)"
            " ORDER BY key LIMIT ?",
            bucket,
            first,
            prefix,
            _next(prefix),
            -1 if limit is None else limit,
        )
        return [_object(row) for row in rows]

    def read(self, uri: str) -> bytes:
        """Return the content at an S3 URI."""
        return self.blobs.path(self.get(*split_uri(uri)).digest).read_bytes()

    def write(self, uri: str, data: bytes) -> Object:
        """Store bytes at an S3 URI."""
        return self.put(*split_uri(uri), self.blobs.write(data))

    def below(self, uri: str) -> Iterator[tuple[str, Object]]:
        """Give what an S3 URI means as an input, each with its path relative to the URI.

        That is every object whose key starts with the URI's (`S3Prefix`). What does not lie below
        it, as below a folder, is named from the last slash of the URI's key.
        """
        bucket, prefix = split_uri(uri)
        for found in self.list(bucket, prefix):
            rest = found.key[len(prefix) :]
            inside = not prefix or prefix.endswith("/") or rest.startswith("/")
            if not found.key.endswith("/"):
                yield rest.lstrip("/") if inside else found.key[prefix.rfind("/") + 1 :], found

    def download(self, uri: str, folder: Path) -> int:
        """Copy what an S3 URI means into a folder; return how many files.

        Raises
        ------
        NoSuchKey
            If there is nothing.
        ValueError
            If a key would leave the folder.
        """
        count = 0
        for relative, found in self.below(uri):
            if ".." in relative.split("/") or relative.startswith("/"):
                raise ValueError(f"s3://{found.bucket}/{found.key}: '..' in a key cannot be a file")
            self.blobs.copy(found.digest, folder / relative)
            count += 1
        if not count:
            raise NoSuchKey(uri)
        return count

    def upload(self, folder: Path, uri: str) -> int:
        """Store every file below a folder under an S3 URI, all at once; return how many.

        Symbolic links are not followed.
        """
        bucket, prefix = split_uri(uri)
        found: list[tuple[str, Blob]] = []
        for parent, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(files):
                path = Path(parent, name)
                if path.is_symlink() or not path.is_file():
                    continue
                key = "/".join(
                    filter(None, [prefix.rstrip("/"), path.relative_to(folder).as_posix()])
                )
                found.append((key, self.blobs.add(path)))
        with self._database.transaction():
            for key, blob in found:
                self.put(bucket, key, blob)
        return len(found)


def _object(row: Any) -> Object:
    return Object(**{**dict(row), "headers": json.loads(row["headers"])})


def _next(prefix: str) -> str:
    """Return what sorts right after all keys that start with a prefix."""
    for length in range(len(prefix), 0, -1):
        code = ord(prefix[length - 1]) + 1
        if code <= sys.maxunicode:
            # The surrogates are no characters: no key holds one.
            following = chr(0xE000 if code == 0xD800 else code)
            return prefix[: length - 1] + following
    return chr(sys.maxunicode) * 1_024
