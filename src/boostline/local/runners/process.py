"""Programs as processes of this host, each with a session, a folder and an `/opt/ml` of its own."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from boostline.local.runners.base import ML, Command, NoCapacity, Program, RunnerError, Sink
from boostline.local.runners.namespace import namespace, private
from boostline.local.runners.output import Output
from boostline.local.runners.processes import Processes, end_session
from boostline.local.store.database import Database

# Nothing starts before the platform has recorded the process: it then writes a line to the pipe.
# A platform killed in between closes the pipe, and the process ends.
LAUNCH = """
read -r _ || exit 125
ulimit -c 0
ulimit -n 65536 2> /dev/null || ulimit -n "$(ulimit -H -n)"
exec "$@" < /dev/null
"""
PATIENCE = 5.0  # seconds for the last output of a program that has ended


class ProcessRunner:
    """Starts programs as processes.

    Parameters
    ----------
    database
        Where running processes are recorded.
    moved
        Whether programs find `/opt/ml` elsewhere, by `SAGEMAKER_BASE_DIR`, the name that AWS's
        toolkits use. Without a word: only where there can be no mount namespace.
    """

    def __init__(self, database: Database, *, moved: bool | None = None) -> None:
        self._processes = Processes(database)
        self._way = namespace() if not moved else None
        if moved is False and self._way is None:
            raise RunnerError(
                f"programs cannot have a private {ML} here: no mount namespace can be made"
            )

    def start(self, command: Command, sink: Sink) -> Program:
        """Start a program whose output goes to `sink` line by line, in batches.

        Raises
        ------
        RunnerError
            If it cannot be started.
        """
        command.home.mkdir(parents=True, exist_ok=True)
        environment = dict(command.environment)
        if self._way is None:
            environment["SAGEMAKER_BASE_DIR"] = str(command.folder)
            line = [_moved(word, command.folder) for word in command.argv]
        else:
            scratch = command.home / ".opt"
            scratch.mkdir(exist_ok=True)
            prefix = private(self._way, command.folder, scratch, command.read_only)
            line = [*prefix, *command.argv]
        return RunningProcess(line, environment, command, self._processes, sink)

    def end_left_over(self) -> list[str]:
        """End programs that an earlier platform started and could not end; return their owners."""
        return self._processes.end_left_over()


def _moved(word: str, folder: Path) -> str:
    return str(folder) + word[len(ML) :] if word == ML or word.startswith(f"{ML}/") else word


class RunningProcess:
    """A started process; see `Program`."""

    def __init__(
        self,
        line: list[str],
        environment: dict[str, str],
        command: Command,
        processes: Processes,
        sink: Sink,
    ) -> None:
        try:
            self._popen = subprocess.Popen(
                ["sh", "-c", LAUNCH, "sh", *line],
                env=environment,
                cwd=command.home,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            full = getattr(error, "errno", None) in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE)
            kind = NoCapacity if full else RunnerError
            raise kind(f"{command.owner}: {command.argv[0]}: {error}") from None
        self._processes = processes
        self._lock = threading.Lock()
        self._calls: list[Callable[[], None]] = []
        self._done = threading.Event()
        self._code = 0
        assert self._popen.stdout is not None  # noqa: S101
        self._output = Output(os.dup(self._popen.stdout.fileno()), sink)
        self._popen.stdout.close()
        processes.add(self.pid, command.owner)
        self._go()
        threading.Thread(target=self._reap, name=command.owner, daemon=True).start()

    @property
    def pid(self) -> int:
        """The process that leads the program's group."""
        return self._popen.pid

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code (128 + n after signal n), or None if it still runs."""
        return self._code if self._done.wait(timeout) else None

    def when_done(self, call: Callable[[], None]) -> None:
        """Call back once the program has ended, or at once if it has."""
        with self._lock:
            if not self._done.is_set():
                self._calls.append(call)
                return
        call()

    def stop(self, grace: float) -> int:
        """Ask the program to end, end it after `grace` seconds, and return its exit code."""
        with self._lock:
            if not self._done.is_set():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGTERM)
        if not self._done.wait(grace):
            end_session(self.pid)
        self._done.wait()
        return self._code

    def tail(self) -> list[str]:
        """Return its last lines."""
        return self._output.tail()

    def _go(self) -> None:
        assert self._popen.stdin is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.write(b"go\n")
            self._popen.stdin.close()

    def _reap(self) -> None:
        # The dead leader is kept until its group is ended: nobody else can get its pid meanwhile.
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:  # macOS before Python 3.13
            self._popen.wait()
        end_session(self.pid)
        self._output.close(PATIENCE)
        with self._lock:
            code = self._popen.wait()
            self._code = 128 - code if code < 0 else code
            self._processes.remove(self.pid)
            self._done.set()
        for call in self._calls:
            call()
