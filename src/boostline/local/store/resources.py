"""Named documents of a kind: the state of most services."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from boostline.local.store.database import Database

Document: TypeAlias = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    parent TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (kind, name)
);
CREATE INDEX IF NOT EXISTS resource_parent ON resource (kind, parent, number);
"""


class Exists(Exception):
    """A resource of that kind and name is there already."""


class Missing(Exception):
    """There is no resource of that kind and name."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name}")
        self.kind = kind


class Resources:
    """JSON documents by kind and name, in the order of their creation.

    A document is what the service's Describe call answers, in AWS's member names, with times as
    epoch seconds. `parent` groups documents, for example the versions of a model package group.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(SCHEMA)

    def create(self, kind: str, name: str, document: Document, parent: str = "") -> None:
        """Add a document.

        Raises
        ------
        Exists
            If there is one of that kind and name.
        """
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO resource (kind, name, parent, document) VALUES (?, ?, ?, ?)",
                (kind, name, parent, json.dumps(document)),
            )
            if cursor.rowcount == 0:
                raise Exists(name)

    def put(self, kind: str, name: str, document: Document, parent: str = "") -> None:
        """Add a document, or put it in the place of the one of that kind and name."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO resource (kind, name, parent, document) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (kind, name) DO UPDATE SET document = excluded.document",
                (kind, name, parent, json.dumps(document)),
            )

    def find(self, kind: str, name: str) -> Document | None:
        """Return a document, or None."""
        rows = self._database.query(
            "SELECT document FROM resource WHERE kind = ? AND name = ?", kind, name
        )
        return json.loads(rows[0]["document"]) if rows else None

    def get(self, kind: str, name: str) -> Document:
        """Return a document.

        Raises
        ------
        Missing
            If there is none.
        """
        document = self.find(kind, name)
        if document is None:
            raise Missing(kind, name)
        return document

    def change(self, kind: str, name: str, change: Callable[[Document], None]) -> Document:
        """Let `change` edit a document in one transaction, and return the new one.

        What `change` raises leaves the document as it was.

        Raises
        ------
        Missing
            If there is none.
        """
        with self._database.transaction() as connection:
            document = self.get(kind, name)
            change(document)
            connection.execute(
                "UPDATE resource SET document = ? WHERE kind = ? AND name = ?",
                (json.dumps(document), kind, name),
            )
            return document

    def update(self, kind: str, name: str, **members: Any) -> Document:
        """Set members of a document, `LastModifiedTime` with them, and return the new one."""
        members.setdefault("LastModifiedTime", time.time())
        return self.change(kind, name, lambda document: document.update(members))

    def delete(self, kind: str, name: str) -> None:
        """Remove a document.

        Raises
        ------
        Missing
            If there is none.
        """
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "DELETE FROM resource WHERE kind = ? AND name = ?", (kind, name)
            )
            if cursor.rowcount == 0:
                raise Missing(kind, name)

    def list(self, kind: str, parent: str | None = None) -> list[Document]:
        """Return the documents of a kind, of one parent if given, oldest first."""
        where = "kind = ?" if parent is None else "kind = ? AND parent = ?"
        arguments = (kind,) if parent is None else (kind, parent)
        rows = self._database.query(
            f"SELECT document FROM resource WHERE {where} ORDER BY number",  # noqa: S608
            *arguments,
        )
        return [json.loads(row["document"]) for row in rows]
