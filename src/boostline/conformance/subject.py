"""What is tested: something that starts a container's program."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

ML = "/opt/ml"
BYTES = 200_000  # of a program's output that are looked at


@dataclass(frozen=True)
class Launch:
    """One start of a container.

    Parameters
    ----------
    folder
        What the program sees as `/opt/ml`.
    arguments
        What follows the entry point, for example `train`.
    environment
        Variables of this start.
    entry_point
        In place of the subject's own; empty keeps that.
    read_only
        Folders below `/opt/ml` that cannot be written.
    sealed
        Whether nothing can be written but `/opt/ml` and `/tmp`.
    """

    folder: Path
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    entry_point: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    sealed: bool = False


class Running(Protocol):
    """A started container."""

    def wait(self, seconds: float) -> int | None:
        """Return the exit code (128 + n after signal n), or None if it still runs."""

    def terminate(self) -> None:
        """Send SIGTERM to the container's first process."""

    def output(self) -> str:
        """Return what it has written so far, standard output and error together."""

    def close(self) -> None:
        """End it and all that it started, and await that."""


class Subject(Protocol):
    """An image or a command.

    Attributes
    ----------
    image
        The image's configuration as Docker shows it (`Config`); None for a command.
    seals
        Whether it can start sealed.
    mounts
        Whether programs find `/opt/ml` at its place, folders of it read-only where asked.
    """

    @property
    def image(self) -> Mapping[str, Any] | None: ...  # noqa: D102

    @property
    def seals(self) -> bool: ...  # noqa: D102

    @property
    def mounts(self) -> bool: ...  # noqa: D102

    def start(self, launch: Launch) -> Running:
        """Start a container.

        Raises
        ------
        ConformanceError
            It cannot be started.
        """

    def shipped(self) -> list[str]:
        """Return the names below `/opt/ml` that the subject brings along."""


class Process:
    """A process with a session of its own, its output in a file: nobody has to read it."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> int | None:
        """Return the exit code, or None if it still runs; see `Running`."""
        ended = self._popen.returncode is not None
        try:
            code = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        if not ended:
            self._kill()  # with a container's first process all others end
        return 128 - code if code < 0 else code

    def terminate(self) -> None:
        """Send SIGTERM; see `Running`."""
        self._popen.terminate()

    def output(self) -> str:
        """Return the end of what it wrote; see `Running`."""
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - BYTES))
            return file.read().decode(errors="replace")

    def close(self) -> None:
        """Kill the session; see `Running`."""
        if self._popen.returncode is None:
            self._kill()
            self._popen.wait()

    def _kill(self) -> None:
        """Kill the session: while its leader runs, or just ended, nobody else has its number."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
