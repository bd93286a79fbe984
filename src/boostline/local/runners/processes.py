"""Processes by pid and start time: a pid alone may be another's by tomorrow."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from boostline.local.store.database import Database

PROC = Path("/proc")
BOOT = PROC / "sys/kernel/random/boot_id"
PATIENCE = 10.0  # seconds for killed processes to be gone

SCHEMA = """
CREATE TABLE IF NOT EXISTS process (
    pid INTEGER PRIMARY KEY,
    started TEXT NOT NULL,
    owner TEXT NOT NULL
);
"""


def started(pid: int) -> str | None:
    """Return when a process started, in a form that no other process of that pid has; or None."""
    if not BOOT.exists():
        shown = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return shown.stdout.strip() or None
    found = _stat(pid)
    return None if found is None else f"{BOOT.read_text().strip()} {found[1]}"


def end_session(leader: int) -> None:
    """Kill what runs in a session: its leader, and what the leader left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for pid in _members(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _await_end(leader: int) -> None:
    """Wait for processes that are not our children: nobody tells us of their end."""
    deadline = time.monotonic() + PATIENCE
    while any(_members(leader)) and time.monotonic() < deadline:
        time.sleep(0.005)


def _members(leader: int) -> Iterator[int]:
    if not BOOT.exists():
        return
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            found = _stat(int(entry.name))
            if found is not None and found[0] == leader:
                yield int(entry.name)


def _stat(pid: int) -> tuple[int, int] | None:
    """Return session and start time (fields 6 and 22 of proc(5)'s stat), or None if it is gone."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else (int(fields[3]), int(fields[19]))


class Processes:
    """The record of what runs, so that a platform that was killed leaves no orphan for good."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(SCHEMA)

    def add(self, pid: int, owner: str) -> None:
        """Record a process, durably, before it does anything."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO process VALUES (?, ?, ?)",
                (pid, started(pid) or "", owner),
            )

    def remove(self, pid: int) -> None:
        """Forget a process that has ended."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM process WHERE pid = ?", (pid,))

    def end_left_over(self) -> list[str]:
        """End every recorded process that still runs, and return the owners of all recorded."""
        owners = []
        for row in self._database.query("SELECT * FROM process ORDER BY pid"):
            now = started(row["pid"])
            same_boot = BOOT.exists() and row["started"].startswith(BOOT.read_text().strip())
            if now == row["started"] or (now is None and same_boot):
                end_session(row["pid"])
                _await_end(row["pid"])
            owners.append(row["owner"])
            self.remove(row["pid"])
        return owners
