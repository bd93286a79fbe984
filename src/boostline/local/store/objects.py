"""Buckets and objects: names of contents, with the headers they came with."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boostline.contracts.uri import split_uri
from boostline.local.store.blobs import Blob, Blobs
from boostline.local.store.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket (
    name TEXT PRIMARY KEY, created REAL NOT NULL, settings TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS object (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL REFERENCES bucket (name),
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
# The version of what is stored in a bucket that keeps none.
NO_VERSION = "null"
VERSIONING = "BucketVersioning"  # the setting that tells whether a bucket keeps versions
# The last object of each key is its current one, unless it is a delete marker.
_CURRENT = """ AND digest != '' AND number =
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
    """The buckets of the platform."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self.blobs = blobs
        database.define(SCHEMA)

    def create_bucket(self, bucket: str, settings: dict[str, Any] | None = None) -> bool:
        """Add a bucket; False if it was there."""
        row = (bucket, time.time(), json.dumps(settings or {}))
        with self._database.transaction() as connection:
            return (
                connection.execute("INSERT OR IGNORE INTO bucket VALUES (?, ?, ?)", row).rowcount
                > 0
            )

    def buckets(self) -> dict[str, float]:
        """Return the buckets' names with their creation times."""
        rows = self._database.query("SELECT name, created FROM bucket ORDER BY name")
        return {row["name"]: row["created"] for row in rows}

    def settings(self, bucket: str) -> dict[str, Any]:
        """Return a bucket's settings; `NoSuchBucket` if it is not there."""
        rows = self._database.query("SELECT settings FROM bucket WHERE name = ?", bucket)
        if not rows:
            raise NoSuchBucket(bucket)
        return dict(json.loads(rows[0]["settings"]))

    require_bucket = settings

    def configure(self, bucket: str, name: str, document: Any) -> None:
        """Set one of a bucket's settings; None removes it."""
        with self._database.transaction() as connection:
            settings = json.dumps(self.settings(bucket) | {name: document})
            connection.execute("UPDATE bucket SET settings = ? WHERE name = ?", (settings, bucket))

    def delete_bucket(self, bucket: str) -> bool:
        """Remove a bucket; False if it still holds objects or versions of them."""
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
        """Name a stored content, in place of what had the name before or as its next version."""
        return self._add(bucket, key, blob.digest, blob.size, etag or blob.md5, headers or {})

    def _add(
        self, bucket: str, key: str, digest: str, size: int, etag: str, headers: dict[str, Any]
    ) -> Object:
        with self._database.transaction() as connection:
            status = (self.settings(bucket).get(VERSIONING) or {}).get("Status")
            version = secrets.token_urlsafe(24) if status == "Enabled" else NO_VERSION
            row = (bucket, key, version, digest, size, etag, time.time(), json.dumps(headers))
            cursor = connection.execute(
                "INSERT OR REPLACE INTO object VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row
            )
        return Object(cursor.lastrowid or 0, *row[:-1], headers)

    def find(self, bucket: str, key: str, version: str | None = None) -> Object | None:
        """Return an object or one of its versions, or None; `NoSuchBucket` without the bucket.

        Without `version` it is the last one, and None if that is a delete marker.
        """
        found = self.last(bucket, key, version)
        return found if found is not None and (found.digest or version) else None

    def last(self, bucket: str, key: str, version: str | None = None) -> Object | None:
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
        if found is None:
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
                return self._add(bucket, key, "", 0, "", {})
            found = self.last(bucket, key, version or NO_VERSION)
            if found is not None:
                connection.execute("DELETE FROM object WHERE number = ?", (found.number,))
            return found

    def list(
        self,
        bucket: str,
        prefix: str = "",
        after: str = "",
        limit: int = -1,
        beyond: str | None = None,
        versions: bool = False,
        older: int = 0,
    ) -> list[Object]:
        """Return objects whose key starts with `prefix` and sorts after `after`, in key order.

        Keys sort by their UTF-8 bytes, as in S3.

        Parameters
        ----------
        beyond
            A prefix: keys that start with it, or sort before it, are passed over.
        versions
            All versions, delete markers included, each key's last one first.
        older
            With versions of the key `after` whose number is smaller than this.
        """
        self.require_bucket(bucket)
        rows = self._database.query(
            "SELECT * FROM object AS o WHERE bucket = ? AND key >= ?"  # noqa: S608
            " AND (? = '' OR key < ?)"
            f" AND (key != ? OR number < ?) {'' if versions else _CURRENT}"
            " ORDER BY key, number DESC LIMIT ?",
            bucket,
            max(prefix, after, "" if beyond is None else _next(beyond)),
            prefix,
            _next(prefix),
            after,
            older,
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
