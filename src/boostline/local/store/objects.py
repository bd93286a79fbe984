"""Buckets and objects: names of contents, with the headers they came with."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boostline.contracts.uri import split_uri
from boostline.local.store.blobs import Blob, Blobs
from boostline.local.store.database import Database
from boostline.local.store.resources import Document, Exists, Resources

SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified REAL NOT NULL,
    headers TEXT NOT NULL,
    UNIQUE (bucket, key, version)
);
CREATE INDEX IF NOT EXISTS object_order ON object (bucket, key, number);
"""
BUCKET = "bucket"  # the kind of resource
# The version of what is stored in a bucket that keeps none.
NO_VERSION = "null"
VERSIONING = "BucketVersioning"  # the setting that tells whether a bucket keeps versions
MARKER = Blob("", 0, "")  # instead of a content: a delete marker
# A place in a list: after the object of a key, in UTF-8, and a number; number 0: after all of them.
Place = tuple[bytes, int]
# The last object of each key is its current one, unless it is a delete marker.
_CURRENT = """AND digest != '' AND number =
 (SELECT max(number) FROM object WHERE bucket = o.bucket AND key = o.key)"""


class NoSuchBucket(Exception):
    """There is no bucket of that name."""


class NoSuchKey(Exception):
    """There is no object of that key."""


@dataclass(frozen=True)
class Object:
    """A version of an object: `etag` without quotes, `modified` in epoch seconds.

    `number` orders all versions by their making. A delete marker has no `digest`. `headers` holds
    what PutObject was given and GetObject gives back, by botocore's member names (`ContentType`,
    `Metadata`, …), and what else belongs to a version, as its tags.
    """

    number: int
    bucket: str
    key: str
    version: str
    digest: str
    size: int
    etag: str
    modified: float
    headers: dict[str, Any]


class Objects:
    """The buckets of the platform.

    A name with a slash is that of a bucket in a bucket: no client sees it as one.
    """

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._buckets = Resources(database)
        self.blobs = blobs
        database.define(SCHEMA)

    def create_bucket(self, bucket: str, settings: Document | None = None) -> bool:
        """Add a bucket; False if it was there."""
        made = {"Name": bucket, "CreationDate": time.time(), **(settings or {})}
        with suppress(Exists):
            self._buckets.create(BUCKET, bucket, made, parent=bucket.rpartition("/")[0])
            return True
        return False

    def buckets(self, within: str = "") -> list[Document]:
        """Return the buckets, or those in a bucket, oldest first: their names and settings."""
        return self._buckets.list(BUCKET, within)

    def settings(self, bucket: str) -> Document:
        """Return a bucket's settings; `NoSuchBucket` if it is not there."""
        found = self._buckets.find(BUCKET, bucket)
        if found is None:
            raise NoSuchBucket(bucket)
        return found

    require_bucket = settings

    def configure(self, bucket: str, name: str, document: Any) -> None:
        """Set one of a bucket's settings; None removes it."""
        with self._database.transaction():
            self.require_bucket(bucket)
            self._buckets.change(BUCKET, bucket, lambda found: found.update({name: document}))

    def delete_bucket(self, bucket: str, full: bool = False) -> bool:
        """Remove a bucket with those in it; False if it still holds objects or versions of them.

        With `full` these go, too.
        """
        with self._database.transaction() as connection:
            self.require_bucket(bucket)
            held = self._database.query("SELECT 1 FROM object WHERE bucket = ? LIMIT 1", bucket)
            if held and not full:
                return False
            for name in (bucket, *(each["Name"] for each in self.buckets(bucket))):
                connection.execute("DELETE FROM object WHERE bucket = ?", (name,))
                self._buckets.delete(BUCKET, name)
            return True

    def put(
        self,
        bucket: str,
        key: str,
        blob: Blob,
        headers: dict[str, Any] | None = None,
        etag: str | None = None,
    ) -> Object:
        """Name a stored content, in place of what had the name before or as its next version."""
        headers, etag = headers or {}, etag or blob.md5
        with self._database.transaction() as connection:
            status = (self.settings(bucket).get(VERSIONING) or {}).get("Status")
            version = secrets.token_urlsafe(24) if status == "Enabled" else NO_VERSION
            row = (bucket, key, version, blob.digest, blob.size, etag, time.time())
            cursor = connection.execute(
                "INSERT OR REPLACE INTO object VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, json.dumps(headers)),
            )
        return Object(cursor.lastrowid or 0, *row, headers)

    def find(self, bucket: str, key: str, version: str | None = None) -> Object | None:
        """Return the last version, or the one asked for, of a key, be it a delete marker."""
        self.require_bucket(bucket)
        rows = self._database.query(
            "SELECT * FROM object WHERE bucket = ? AND key = ? AND version = ifnull(?, version)"
            " ORDER BY number DESC LIMIT 1",
            bucket,
            key,
            version,
        )
        return _object(rows[0]) if rows else None

    def get(self, bucket: str, key: str) -> Object:
        """Return an object, or raise `NoSuchKey` or `NoSuchBucket`."""
        found = self.find(bucket, key)
        if found is None or not found.digest:
            raise NoSuchKey(f"s3://{bucket}/{key}")
        return found

    def describe(self, found: Object, headers: dict[str, Any]) -> None:
        """Set the headers of a version, which stays what it is otherwise."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE object SET headers = ? WHERE number = ?",
                (json.dumps(headers), found.number),
            )

    def delete(self, bucket: str, key: str, version: str | None = None) -> Object | None:
        """Remove an object, if it is there; its content stays for others.

        Where the bucket keeps versions, an object is hidden behind a delete marker, and a version
        is removed for good. Returns the marker, or the version that was removed, if any.
        """
        with self._database.transaction() as connection:
            if version is None and self.settings(bucket).get(VERSIONING):
                return self.put(bucket, key, MARKER)
            found = self.find(bucket, key, version or NO_VERSION)
            if found is not None:
                connection.execute("DELETE FROM object WHERE number = ?", (found.number,))
            return found

    def list(
        self,
        bucket: str,
        prefix: str = "",
        after: Place = (b"", 0),
        limit: int = -1,
        versions: bool = False,
    ) -> list[Object]:
        """Return objects whose key starts with `prefix`, from after a place on, in key order.

        Keys sort by their UTF-8 bytes, as in S3. With `versions` it is all of them, delete markers
        included, each key's last one first.
        """
        self.require_bucket(bucket)
        key, number = after
        rows = self._database.query(
            "SELECT * FROM object AS o WHERE bucket = ? AND key >= CAST(? AS TEXT)"  # noqa: S608
            " AND key < CAST(? AS TEXT) AND (key != CAST(? AS TEXT) OR number < ?)"
            f" {'' if versions else _CURRENT} ORDER BY key, number DESC LIMIT ?",
            bucket,
            max(key, prefix.encode()),
            beyond(prefix)[0],
            key,
            number,
            limit,
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


def beyond(prefix: str) -> Place:
    """Return the place after all keys that start with a prefix: no key has such a byte."""
    return prefix.encode() + b"\xff", 0


def _object(row: Any) -> Object:
    return Object(**{**dict(row), "headers": json.loads(row["headers"])})
