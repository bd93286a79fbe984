"""Log groups, streams and events, in the order they came."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from boostline.local.store.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS log_stream (
    log_group TEXT NOT NULL,
    stream TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (log_group, stream)
) WITHOUT ROWID;
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
        events = [(group, stream, now, message) for message in messages]
        if not events:
            return
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO log_event (log_group, stream, timestamp, message) VALUES (?, ?, ?, ?)",
                events,
            )
            connection.execute(
                "INSERT INTO log_stream VALUES (?, ?, ?, ?)"
                " ON CONFLICT (log_group, stream) DO UPDATE SET last = max(last, excluded.last)",
                (group, stream, now, now),
            )

    def groups(self, prefix: str = "") -> dict[str, int]:
        """Return groups with the time of their first event."""
        rows = self._database.query(
            "SELECT log_group, min(first) AS first FROM log_stream"
            " WHERE substr(log_group, 1, ?) = ? GROUP BY log_group ORDER BY log_group",
            len(prefix),
            prefix,
        )
        return {row["log_group"]: row["first"] for row in rows}

    def streams(self, group: str, prefix: str = "") -> dict[str, tuple[int, int]]:
        """Return a group's streams with the times of their first and last event."""
        rows = self._database.query(
            "SELECT stream, first, last FROM log_stream"
            " WHERE log_group = ? AND substr(stream, 1, ?) = ? ORDER BY stream",
            group,
            len(prefix),
            prefix,
        )
        return {row["stream"]: (row["first"], row["last"]) for row in rows}

    def events(
        self,
        group: str,
        streams: list[str] | None = None,
        after: int = 0,
        limit: int = 10_000,
        *,
        before: int | None = None,
        since: int | None = None,
        until: int | None = None,
        newest: bool = False,
    ) -> list[Event]:
        """Return up to `limit` events of a group, in their order.

        Parameters
        ----------
        streams
            Only of these; all if None.
        after, before
            Only with numbers between these, both exclusive.
        since, until
            Only from these times, in epoch milliseconds; `until` is exclusive.
        newest
            The last `limit` of them instead of the first.
        """
        bounds = {"number > ?": after, "number < ?": before}
        bounds |= {"timestamp >= ?": since, "timestamp < ?": until}
        given = {clause: value for clause, value in bounds.items() if value is not None}
        clauses = ["log_group = ?", *given]
        if streams is not None:
            clauses.append(f"stream IN ({', '.join('?' * len(streams))})")
        rows = self._database.query(
            "SELECT number, stream, timestamp, message FROM log_event"  # noqa: S608
            f" WHERE {' AND '.join(clauses)} ORDER BY number {'DESC' if newest else ''} LIMIT ?",
            group,
            *given.values(),
            *(streams or ()),
            limit,
        )
        found = [Event(*row) for row in rows]
        return found[::-1] if newest else found
