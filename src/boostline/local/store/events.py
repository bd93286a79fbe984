"""Events that have happened, until they are sent to who waits for them."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from boostline.local.store.database import Database

RULE = "event-rule"  # the kind of resource without which nobody waits for anything
SCHEMA = """
CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL);
"""


def iso(moment: float) -> str:
    """Return a time as events have it: in UTC, to the second."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Events:
    """A durable queue. An event that is put in a transaction happens if that does."""

    def __init__(self, database: Database, account: str, region: str) -> None:
        self._database = database
        self._place = {"account": account, "region": region}
        self.arrived = threading.Event()
        database.define(SCHEMA)

    def put(
        self,
        kind: str,
        detail: dict[str, Any],
        resources: Sequence[str] = (),
        source: str = "aws.sagemaker",
        moment: float | None = None,
    ) -> str:
        """Add an event of a `detail-type`, if there is any rule at all; return its id.

        Source of its form: "Events" in the Amazon EventBridge guide.
        """
        number = str(uuid.uuid4())
        event = {
            "version": "0",
            "id": number,
            "detail-type": kind,
            "source": source,
            "time": iso(moment or time.time()),
            **self._place,
            "resources": list(resources),
            "detail": detail,
        }
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO event (document) SELECT ?"
                " WHERE EXISTS (SELECT 1 FROM resource WHERE kind = ?)",
                (json.dumps(event), RULE),
            )
        if cursor.rowcount:
            self.arrived.set()
        return number

    def waiting(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the events that are to be sent, with their numbers."""
        rows = self._database.query("SELECT number, document FROM event ORDER BY number")
        return [(row["number"], json.loads(row["document"])) for row in rows]

    def drop(self, number: int) -> None:
        """Forget an event."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM event WHERE number = ?", (number,))
