"""What a check has at hand, and what it says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from boostline.conformance.inputs import Inputs
from boostline.conformance.subject import Launch, Running, Subject

Level = Literal["must", "should"]
Result = TypeVar("Result")
WORDS = 300  # characters of a program's last output in a reason


class Fails(Exception):
    """A line of the contract does not hold; the text says why."""


class NotApplicable(Exception):
    """A line of the contract cannot be checked here; the text says why."""


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds; the defaults are SageMaker's own.

    Parameters
    ----------
    job
        MaxRuntimeInSeconds of a job.
    start
        ContainerStartupHealthCheckTimeoutInSeconds: from the start to the first good `/ping`.
    ping, invocation, connection
        An answer to `/ping`, one to `/invocations`, and accepting a connection.
    job_stop, server_stop
        From SIGTERM to the end of a job, and of a server.
    watch
        (ours) How long a server is watched that must not become healthy.
    silence
        (ours) Until a job that says nothing is taken to be at work.
    """

    job: float = 3_600.0
    start: float = 480.0
    ping: float = 2.0
    invocation: float = 60.0
    connection: float = 0.25
    job_stop: float = 120.0
    server_stop: float = 30.0
    watch: float = 15.0
    silence: float = 5.0


class Bench:
    """A subject, its inputs, and what was learnt of it so far.

    Parameters
    ----------
    folder
        An empty folder for everything that containers get and write.
    """

    def __init__(self, subject: Subject, inputs: Inputs, limits: Limits, folder: Path) -> None:
        self.subject, self.inputs, self.limits = subject, inputs, limits
        self._folder, self._starts = folder, 0
        self._ends = ExitStack()
        self._known: dict[Callable[[Bench], Any], Any] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def folder(self) -> Path:
        """Make the folder of another container's `/opt/ml`."""
        self._starts += 1
        found = self._folder / f"ml-{self._starts}"
        found.mkdir()
        return found

    def start(self, launch: Launch) -> Running:
        """Start the subject; it is ended with the bench at the latest."""
        running = self.subject.start(launch)
        self._ends.callback(running.close)
        return running

    def once(self, make: Callable[[Bench], Result]) -> Result:
        """Return what a function makes of this bench, made once; a failure of it is kept too."""
        if make not in self._known:
            try:
                self._known[make] = make(self)
            except (Fails, NotApplicable) as reason:
                self._known[make] = reason
        found = self._known[make]
        if isinstance(found, (Fails, NotApplicable)):
            raise found
        made: Result = found
        return made

    def need(self, make: Callable[[Bench], Result], check: str) -> Result:
        """Return what :meth:`once` does; where that fails, the other check has said so."""
        try:
            return self.once(make)
        except Fails:
            raise NotApplicable(f"needs {check}, which fails") from None

    def forget(self, make: Callable[[Bench], Any]) -> None:
        """Make it anew when it is asked for again."""
        self._known.pop(make, None)


@dataclass(frozen=True)
class Check:
    """A line of the contract and what looks whether it holds.

    Parameters
    ----------
    name
        Part and line, for example `hosting.ping-empty`.
    level
        `must` is SageMaker's own word; `should` is what a good container does beyond it.
    line
        What the contract says.
    run
        Raises `Fails` or `NotApplicable`, or returns.
    """

    name: str
    level: Level
    line: str
    run: Callable[[Bench], None]


def ending(running: Running) -> str:
    """Say how a program stands, with its last words."""
    code = running.wait(0)
    state = "it still runs" if code is None else f"it ended with exit code {code}"
    words = " ".join(running.output().split())[-WORDS:]
    return f"{state}; its last output: {words}" if words else f"{state}, without output"


def copy(source: Path, target: Path) -> None:
    """Copy a folder of data, writable whatever it was."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
