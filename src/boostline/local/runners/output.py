"""A program's output: cut into lines, handed on in batches."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque

from boostline.local.runners.base import Sink

CHUNK = 1 << 16
LONGEST_LINE = 256 * 1024  # bytes; the size of an event in CloudWatch Logs
BATCH = 10_000  # lines
PAUSE = 0.1  # seconds between batches: at most 100,000 lines a second; the program waits meanwhile
IDLE = 1.0  # seconds between looks whether to give up, while nothing comes
TAIL = 20  # lines kept for the reason of a failure


class Output:
    """Reads a pipe in a thread until its end, or until `close`.

    Parameters
    ----------
    descriptor
        The pipe's reading end, which is closed at the end.
    sink
        Gets the lines, at the latest 0.1 s after they came.
    """

    def __init__(self, descriptor: int, sink: Sink) -> None:
        self._descriptor = descriptor
        self._sink = sink
        self._pending: list[str] = []
        self._flushed = 0.0
        self._rest = b""
        self._closing = threading.Event()
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._thread = threading.Thread(target=self._read, name="output", daemon=True)
        self._thread.start()

    def tail(self) -> list[str]:
        """Return the last lines."""
        return list(self._tail)

    def close(self, patience: float) -> None:
        """Wait for the end of the pipe; give up after `patience` seconds.

        A process that left its group may hold the pipe open for ever.
        """
        self._thread.join(patience)
        self._closing.set()
        self._thread.join()

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        try:
            while not self._closing.is_set():
                if poll.poll(1000 * (PAUSE if self._pending else IDLE)):
                    chunk = os.read(self._descriptor, CHUNK)
                    if not chunk:
                        break
                    self._split(chunk)
                self._flush(force=False)
            if self._rest:
                self._add(self._rest)
            self._flush(force=True)
        finally:
            os.close(self._descriptor)

    def _split(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._add(line)
        if len(self._rest) > LONGEST_LINE:
            self._add(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]

    def _add(self, line: bytes) -> None:
        while len(line) > LONGEST_LINE:
            self._add(line[:LONGEST_LINE])
            line = line[LONGEST_LINE:]
        text = line.decode("utf-8", "replace").rstrip("\r")
        self._pending.append(text)
        self._tail.append(text)

    def _flush(self, *, force: bool) -> None:
        wait = self._flushed + PAUSE - time.monotonic()
        if not self._pending or (not force and wait > 0 and len(self._pending) < BATCH):
            return
        if wait > 0 and not force:
            time.sleep(wait)
        batch, self._pending = self._pending, []
        self._sink(batch)
        self._flushed = time.monotonic()
