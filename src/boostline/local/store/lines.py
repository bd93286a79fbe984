"""Lines of a log stream, on their way from the event loop to the store."""

from __future__ import annotations

import asyncio
import contextlib

from boostline.local.store.logs import Logs

PAUSE = 0.1  # seconds between batches


class Lines:
    """A log stream that is written to in the event loop, and stored off it.

    Each batch waits for the disk, so lines wait a moment for others to come with them.
    """

    def __init__(self, logs: Logs, group: str, stream: str) -> None:
        self.stream = stream
        self._logs = logs
        self._group = group
        self._waiting: list[str] = []
        self._closing = asyncio.Event()
        self._storing: asyncio.Task[None] | None = None

    def write(self, *lines: str) -> None:
        """Take lines."""
        self._waiting.extend(lines)
        if lines and (self._storing is None or self._storing.done()):
            self._storing = asyncio.create_task(self._store())

    async def close(self) -> None:
        """Wait until every line is stored."""
        self._closing.set()
        if self._storing is not None:
            await self._storing

    async def _store(self) -> None:
        while self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE):
                    await self._closing.wait()
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._logs.append, self._group, self.stream, batch)
