"""Log groups, streams and events, in the order they came."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from boostline.local.store.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS log_event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    log_group TEXT NOT NULL,
    stream TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS log_event_stream ON log_event (log_group, stream, number);
"""


class Event(NamedTuple):
    """A line: `number` orders all events, `timestamp` is in epoch milliseconds."""

    number: int
    stream: str
    timestamp: int
    message: str


class Logs:
    """What programs wrote. A group or stream exists once it has an event, as jobs' groups do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(SCHEMA)

    def append(self, group: str, stream: str, messages: Iterable[str]) -> None:
        """Add lines, stamped with the present."""
        now = int(time.time() * 1000)
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO log_event (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)",
                [(group, stream, now, message) for message in messages],
            )

    def groups(self, prefix: str = "") -> dict[str, int]:
        """Return groups with the time of their first event."""
        rows = self._database.query(
            "SELECT log_group, min(timestamp) AS first FROM log_event"
            " WHERE substr(log_group, 1, ?) = ? GROUP BY log_group ORDER BY log_group",
            len(prefix),
            prefix,
        )
        return {row["log_group"]: row["first"] for row in rows}

    def streams(self, group: str, prefix: str = "") -> dict[str, tuple[int, int]]:
        """Return a group's streams with the times of their first and last event."""
        rows = self._database.query(
            "SELECT stream, min(timestamp) AS first, max(timestamp) AS last FROM log_event"
            " WHERE log_group = ? AND substr(stream, 1, ?) = ? GROUP BY stream ORDER BY stream",
            group,
            len(prefix),
            prefix,
        )
        return {row["stream"]: (row["first"], row["last"]) for row in rows}

    def events(
        self, group: str, streams: list[str] | None = None, after: int = 0, limit: int = 10_000
    ) -> list[Event]:
        """Return up to `limit` events of a group, of the given streams, numbered above `after`."""
        marks = ", ".join("?" * len(streams or ()))
        among = f"AND stream IN ({marks})" if streams is not None else ""
        rows = self._database.query(
            "SELECT number, stream, timestamp, message FROM log_event"  # noqa: S608
            f" WHERE log_group = ? AND number > ? {among} ORDER BY number LIMIT ?",
            group,
            after,
            *(streams or ()),
            limit,
        )
        return [Event(*row) for row in rows]
