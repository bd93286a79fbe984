"""A program's output: cut into lines, handed on in batches."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections import deque
from typing import IO

from boostline.local.runners.base import Sink

CHUNK = 1 << 16
LONGEST_LINE = 256 * 1024  # bytes; the size of an event in CloudWatch Logs
BATCH = 10_000  # lines
PAUSE = 0.1  # seconds between batches: at most 100,000 lines a second; the program waits meanwhile
IDLE = 1.0  # seconds between looks whether to give up, while nothing comes
PATIENCE = 5.0  # seconds for the last output of a program that has ended
LOG = logging.getLogger(__name__)
TAIL = 20  # lines kept for the reason of a failure


class Output:
    """Reads a pipe in a thread until its end, or until `close`.

    Parameters
    ----------
    pipe
        The reading end, which is closed at the end.
    sink
        Gets the lines, at the latest 0.1 s after they came.
    """

    def __init__(self, pipe: IO[bytes], sink: Sink) -> None:
        self._pipe = pipe
        self._sink = sink
        self._closing = threading.Event()
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._thread = threading.Thread(target=self._read, name="output", daemon=True)
        self._thread.start()

    def tail(self) -> list[str]:
        """Return the last lines."""
        return list(self._tail)

    def close(self) -> None:
        """Wait for the end of the pipe, when the program has ended; give up after some seconds.

        A process that left its group may hold the pipe open for ever.
        """
        self._thread.join(PATIENCE)
        self._closing.set()
        self._thread.join()

    def _read(self) -> None:
        with self._pipe:
            descriptor, poll = self._pipe.fileno(), select.poll()
            poll.register(descriptor, select.POLLIN)
            pending: list[bytes] = []
            chunk, rest, handed = b"\n", b"", 0.0
            last = False
            while chunk and not last:
                last = self._closing.is_set()  # what is in the pipe by now is less than a chunk
                if poll.poll(0 if last else 1000 * (PAUSE if pending else IDLE)):
                    chunk = os.read(descriptor, CHUNK)
                    lines, rest = _cut(rest + chunk)
                    pending += lines
                wait = handed + PAUSE - time.monotonic()
                if pending and (wait <= 0 or len(pending) >= BATCH):
                    time.sleep(max(wait, 0))
                    self._hand_on(pending)
                    pending, handed = [], time.monotonic()
            self._hand_on([*pending, rest] if rest else pending)

    def _hand_on(self, lines: list[bytes]) -> None:
        texts = [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
        self._tail.extend(texts)
        try:
            if texts:
                self._sink(texts)
        except Exception:  # a full disk: a program whose pipe nobody reads would stand still
            LOG.exception("%d lines of a program are lost", len(texts))


def _cut(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole lines, those too long in pieces, and the beginning of the next one."""
    *lines, rest = data.split(b"\n")
    if len(rest) > LONGEST_LINE:
        lines, rest = [*lines, rest[:LONGEST_LINE]], rest[LONGEST_LINE:]
    starts = ((line, range(0, max(len(line), 1), LONGEST_LINE)) for line in lines)
    return [line[at : at + LONGEST_LINE] for line, places in starts for at in places], rest
