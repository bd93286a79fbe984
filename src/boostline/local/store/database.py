"""One SQLite file, where every write is a transaction that is durable when it returns."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Database:
    """The platform's metadata, shared by its threads.

    Parameters
    ----------
    path
        The SQLite file; made if absent. `PRAGMA synchronous=FULL` in WAL mode syncs each commit.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")

    def define(self, schema: str) -> None:
        """Create what a store needs: `schema` is a list of `CREATE … IF NOT EXISTS` statements."""
        with self._lock:
            self._connection.executescript(schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock, then commit, or roll back on any exception.

        A transaction inside a transaction of the same thread belongs to the outer one.
        """
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def query(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """Return all rows of a read-only statement."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close the file; later calls fail."""
        with self._lock:
            self._connection.close()
