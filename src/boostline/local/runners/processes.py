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
from boostline.local.store.resources import Resources

PROC = Path("/proc")
BOOT = PROC / "sys/kernel/random/boot_id"
MARK = "BOOSTLINE_PROCESS"  # in the environment of a program and of all that it starts
PATIENCE = 10.0  # seconds for killed processes to be gone
PROCESS = "process"  # the kind of the records


def started(pid: int) -> str | None:
    """Return a running process's mark, which no other one has had: boot, start time, pid."""
    if not BOOT.exists():
        ask = ["ps", "-o", "lstart=,pid=", "-p", str(pid)]
        return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    found = _stat(pid)
    return None if found is None else f"{BOOT.read_text().strip()} {found[1]} {pid}"


def end_session(leader: int | None, mark: str) -> None:
    """Kill what runs in a session, and what left it with the program's mark; await their end.

    Some are not our children: nobody tells us of their end.
    """
    if leader is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while (alive := list(_members(leader, mark))) and time.monotonic() < deadline:
        for pid, ours in alive:
            if ours:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _members(leader: int | None, mark: str) -> Iterator[tuple[int, bool]]:
    """Yield the members' pids, and with False those that may turn out to be members."""
    for entry in PROC.iterdir() if BOOT.exists() else ():
        found = _stat(int(entry.name)) if entry.name.isdigit() else None
        if found and found[0]:  # the kernel's own have no session
            ours = found[0] == leader or (_marked(entry, mark) if mark else False)
            if ours is not False:
                yield int(entry.name), bool(ours)


def _marked(process: Path, mark: str) -> bool | None:
    """Say whether a process has a mark; None where it has no words yet: it is about to start."""
    environment = process / "environ"
    try:
        found = environment.read_bytes()
        if not found:
            if not (process / "cmdline").read_bytes():
                return None
            found = environment.read_bytes()
    except OSError:  # gone, or somebody else's
        return False
    return f"{MARK}={mark}".encode() in found.split(b"\0")


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
        self._records = Resources(database)

    def add(self, pid: int, owner: str) -> str:
        """Record a process, durably, before it does anything; return its mark."""
        mark = started(pid) or ""
        self._records.put(PROCESS, str(pid), {"Pid": pid, "Mark": mark, "Owner": owner})
        return mark

    def remove(self, pid: int) -> None:
        """Forget a process that has ended."""
        self._records.delete(PROCESS, str(pid))

    def end_left_over(self, owners: str = "") -> list[str]:
        """End recorded processes that still run, and return the owners of all recorded.

        `owners` is what the owners' names begin with.
        """
        found = [each for each in self._records.list(PROCESS) if each["Owner"].startswith(owners)]
        for record in found:
            pid, mark = record["Pid"], record["Mark"]
            now = started(pid)
            same_boot = BOOT.exists() and mark.startswith(BOOT.read_text().strip())
            # Of one that has ended, others of its session may go on: nobody else has its pid then.
            ours = now == mark or (not now and same_boot)
            end_session(pid if ours else None, mark)
            self.remove(pid)
        return [record["Owner"] for record in found]
