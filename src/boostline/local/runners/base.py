"""What a runner is told, and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ML = "/opt/ml"
KILLED = 137  # exit code after SIGKILL, which is how the kernel takes memory back
PORT = "SAGEMAKER_BIND_TO_PORT"  # AWS's own name, there only set where containers share a host

Sink = Callable[[Sequence[str]], None]


class RunnerError(Exception):
    """A program that could not be started: the message says why, and what to do."""


class NoCapacity(RunnerError):
    """The host has no room for another program just now."""


class UnknownImage(RunnerError):
    """An image that is not here."""


@dataclass(frozen=True)
class Call:
    """An image by its URI, and what a request has in place of its entrypoint and its arguments.

    As in Docker, an entrypoint of the request's also drops the image's own arguments.
    """

    image: str
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Command:
    """A container's program.

    Parameters
    ----------
    owner
        Whose program it is, for example `training-job/churn-1`.
    call, environment
        What starts, and what it is told; to the latter a runner adds what its programs need.
    folder
        What the program sees as `/opt/ml`.
    home
        The program's own folder for everything else, and its working directory.
    read_only
        Folders below `folder`, relative to it, that the program must not change.
    """

    owner: str
    call: Call
    environment: Mapping[str, str]
    folder: Path
    home: Path
    read_only: tuple[str, ...] = ()


def last_words(lines: Sequence[str], length: int) -> str:
    """Return the end of what a program wrote, as the end of a reason; nothing if it was silent."""
    text = "\n".join(lines)[-length:]
    return f". Its last lines:\n{text}" if text.strip() else ""


class Program(ABC):
    """A started program; `tail` returns its last lines, `_code` is set when all is done."""

    def __init__(self, tail: Callable[[], list[str]] = list) -> None:
        self.tail = tail
        self._code: Future[int] = Future()

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code (128 + n after signal n), or None if it still runs.

        The program's whole output has reached the sink by then, and nothing of its group is left.
        """
        try:
            return self._code.result(timeout)
        except TimeoutError:
            return None

    def when_done(self, call: Callable[[], None]) -> None:
        """Call back once the program has ended, or at once if it has."""
        self._code.add_done_callback(lambda _: call())

    @abstractmethod
    def stop(self, grace: float) -> int:
        """Ask the program to end, end it after `grace` seconds, and return its exit code."""


class Runner(Protocol):
    """Starts programs, and knows the images that they are in.

    Each method raises `RunnerError` if it cannot do it, `UnknownImage` if the image is not here.
    """

    def identity(self, image: str) -> dict[str, str]:
        """Return what distinguishes the program in an image, by its parts' names."""

    def require(self, image: str) -> None:
        """Refuse an image that could not be started."""

    def port(self, image: str) -> int:
        """Return a free port at which a server in an image can be made to listen."""

    def end_left_over(self) -> list[str]:
        """End what an earlier platform of this folder started; return the owners."""

    def close(self) -> None:
        """Let go of what it holds, when all programs have ended."""

    def start(self, command: Command, sink: Sink) -> Program:
        """Start a program whose output goes to `sink` line by line, in batches."""
