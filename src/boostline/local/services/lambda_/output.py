"""What a worker writes, on its way to a log stream."""

from __future__ import annotations

import asyncio
import os
import secrets
import time

from boostline.local.store.lines import Lines
from boostline.local.store.logs import Logs

MAX_LINE = 262_144  # bytes of one log event
TAIL = 4_096  # bytes of `LogType=Tail`
PIPE = 65_536  # bytes that a pipe holds: one read takes all that was written before it
CROWDED = 20_000  # lines that wait for the disk


class Output(Lines):
    """A worker's lines, from a pipe and from `write`; `tail` has the last characters."""

    def __init__(self, logs: Logs, group: str) -> None:
        day = time.strftime("%Y/%m/%d", time.gmtime())
        super().__init__(logs, group, f"{day}/[$LATEST]{secrets.token_hex(16)}")
        self._pipe: int | None = None
        self._partial = b""
        self.tail = ""

    def open(self) -> int:
        """Return the end of a new pipe that a process may write to."""
        self._pipe, end = os.pipe()
        os.set_blocking(self._pipe, False)
        self._resume()
        return end

    def write(self, *lines: str) -> None:
        """Take lines."""
        self.tail = (self.tail + "".join(f"{line}\n" for line in lines))[-TAIL:]
        super().write(*lines)

    def read(self) -> None:
        """Take what the pipe holds."""
        if self._pipe is None:
            return
        try:
            data = os.read(self._pipe, PIPE)
        except BlockingIOError:
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > MAX_LINE:
            lines, self._partial = [*lines, self._partial], b""
        self.write(*(line.decode(errors="replace") for line in lines))
        if not data or len(self._waiting) > CROWDED:
            # A function that writes faster than the disk waits, as its pipe fills.
            asyncio.get_running_loop().remove_reader(self._pipe)

    def end(self) -> None:
        """Take what the pipe holds, and end its last line."""
        self.read()
        if self._partial:
            line, self._partial = self._partial, b""
            self.write(line.decode(errors="replace"))

    async def close(self) -> None:
        """Close the pipe, and wait until every line is stored."""
        self.end()
        if self._pipe is not None:
            asyncio.get_running_loop().remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = None
        await super().close()

    async def _store(self) -> None:
        await super()._store()
        self._resume()

    def _resume(self) -> None:
        if self._pipe is not None:
            asyncio.get_running_loop().add_reader(self._pipe, self.read)
