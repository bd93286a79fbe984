"""The way of a function's lines to the log service."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque

from boostline.local.store.logs import Logs

CROWDED = 20_000  # lines that wait for the disk
TAIL = 4_096  # bytes, and so at most as many lines


class LogWriter:
    """Stores lines in batches, off the event loop: each transaction waits for the disk."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._waiting: dict[tuple[str, str], list[str]] = {}
        self._count = 0
        self._flush: asyncio.Task[None] | None = None

    @property
    def crowded(self) -> bool:
        """Whether more lines wait than the disk keeps up with."""
        return self._count > CROWDED

    def write(self, group: str, stream: str, lines: list[str]) -> None:
        """Take lines; they are stored soon."""
        self._waiting.setdefault((group, stream), []).extend(lines)
        self._count += len(lines)
        if self._flush is None or self._flush.done():
            self._flush = asyncio.create_task(self._store())

    async def flush(self) -> None:
        """Wait until every line taken so far is stored."""
        if self._flush is not None:
            await self._flush

    async def _store(self) -> None:
        while self._waiting:
            batch, self._waiting, self._count = self._waiting, {}, 0
            for (group, stream), lines in batch.items():
                await asyncio.to_thread(self._logs.append, group, stream, lines)


class LogStream:
    """What one worker writes, and the part of it that belongs to the present invocation."""

    def __init__(self, writer: LogWriter, group: str) -> None:
        self._writer = writer
        self.group = group
        self.name = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{secrets.token_hex(16)}"
        self._invocation: deque[str] = deque(maxlen=TAIL)

    @property
    def crowded(self) -> bool:
        """Whether its reader should wait."""
        return self._writer.crowded

    def write(self, *lines: str) -> None:
        """Add lines, if there are any."""
        if not lines:
            return
        self._invocation.extend(lines)
        self._writer.write(self.group, self.name, list(lines))

    def begin(self) -> None:
        """Start counting lines to a new invocation."""
        self._invocation.clear()

    def tail(self) -> bytes:
        """Return the last 4 KB of the invocation's lines, as `LogType=Tail` does."""
        return "".join(f"{line}\n" for line in self._invocation).encode()[-TAIL:]
