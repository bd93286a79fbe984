"""One SQLite file, where every write is a transaction that is durable when it returns."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

FORMAT = 3  # of all tables together


class OtherFormat(Exception):
    """A file that another version of the platform wrote."""


class Database:
    """The platform's metadata, shared by its threads.

    Parameters
    ----------
    path
        The SQLite file; made if absent. `PRAGMA synchronous=FULL` in WAL mode syncs each commit.

    Raises
    ------
    OtherFormat
        If the file's tables are of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        if found != FORMAT and self.query("SELECT 1 FROM sqlite_master"):
            self.close()
            raise OtherFormat(f"{path}: has format {found}, not {FORMAT}: take another folder")
        self._connection.execute(f"PRAGMA user_version={FORMAT}")

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
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.OperationalError):  # on a full disk SQLite ended it itself
                    self._connection.execute("ROLLBACK")
                raise

    def query(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """Return all rows of a read-only statement."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close the file; later calls fail."""
        with self._lock:
            self._connection.close()
