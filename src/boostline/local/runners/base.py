"""What a runner is told, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ML = "/opt/ml"

Sink = Callable[[Sequence[str]], None]


class RunnerError(Exception):
    """A program that could not be started: the message says why, and what to do."""


class NoCapacity(RunnerError):
    """The host has no room for another program just now."""


@dataclass(frozen=True)
class Command:
    """A container's program.

    Parameters
    ----------
    owner
        Whose program it is, for example `training-job/churn-1`.
    argv, environment
        The command line, and all of the environment.
    folder
        What the program sees as `/opt/ml`.
    home
        The program's own folder for everything else, and its working directory.
    read_only
        Folders below `folder`, relative to it, that the program must not change.
    """

    owner: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    home: Path
    read_only: tuple[str, ...] = ()


def last_words(lines: Sequence[str], length: int) -> str:
    """Return the end of what a program wrote, as the end of a reason; nothing if it was silent."""
    text = "\n".join(lines)[-length:]
    return f". Its last lines:\n{text}" if text.strip() else ""


class Program(Protocol):
    """A started program."""

    pid: int
    """The process that leads the program's group."""

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code (128 + n after signal n), or None if it still runs.

        The program's whole output has reached the sink by then, and nothing of its group is left.
        """

    def when_done(self, call: Callable[[], None]) -> None:
        """Call back once the program has ended, or at once if it has."""

    def stop(self, grace: float) -> int:
        """Ask the program to end, end it after `grace` seconds, and return its exit code."""

    def tail(self) -> list[str]:
        """Return its last lines."""


class Ending:
    """The end of a program, for a `Program` to have: its `_code` is set when all is done."""

    def __init__(self) -> None:
        self._code: Future[int] = Future()

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code, or None if it still runs."""
        try:
            return self._code.result(timeout)
        except TimeoutError:
            return None

    def when_done(self, call: Callable[[], None]) -> None:
        """Call back once it has ended, or at once if it has."""
        self._code.add_done_callback(lambda _: call())


class Runner(Protocol):
    """Starts programs."""

    def start(self, command: Command, sink: Sink) -> Program:
        """Start a program whose output goes to `sink` line by line, in batches.

        Raises `RunnerError` if it cannot be started.
        """
