"""Programs as processes of this host, each with a session, a folder and an `/opt/ml` of its own."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from boostline.contracts.ports import free_port
from boostline.local.environment import host
from boostline.local.runners.base import (
    ML,
    Command,
    NoCapacity,
    Program,
    RunnerError,
    Sink,
)
from boostline.local.runners.namespace import namespace, private
from boostline.local.runners.output import Output
from boostline.local.runners.processes import MARK, Processes, end_session
from boostline.local.runners.programs import identity, resolve
from boostline.local.store.database import Database

LOG = logging.getLogger(__name__)

# Nothing starts before the platform has recorded the process: it then writes its mark to the pipe.
# A platform killed in between closes the pipe, and the process ends.
LAUNCH = f"""
read -r {MARK} || exit 125
export {MARK}
input=$1
shift
ulimit -c 0
ulimit -n 65536 2> /dev/null || ulimit -n "$(ulimit -H -n)"
exec "$@" < "$input"
"""
FULL = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE)


class ProcessRunner:
    """Starts programs as processes: local ones, that stand for images.

    Parameters
    ----------
    database
        Where running processes are recorded.
    images
        Glob of an image's URI → command line; the first match counts.
    moved
        Whether programs find `/opt/ml` elsewhere, by `SAGEMAKER_BASE_DIR`, the name that AWS's
        toolkits use, even where there can be a mount namespace.
    """

    def __init__(
        self,
        database: Database,
        images: Mapping[str, tuple[str, ...]],
        *,
        moved: bool = False,
    ) -> None:
        self._images = images
        self._processes = Processes(database)
        self.end_left_over = self._processes.end_left_over
        self._way = None if moved else namespace()

    def identity(self, image: str) -> dict[str, str]:
        """Return what distinguishes the program, as `Runner` says."""
        return identity(resolve(self._images, image))

    def require(self, image: str) -> None:
        """Refuse an image that no program stands for."""
        resolve(self._images, image)

    def port(self, image: str) -> int:  # noqa: ARG002 - any program here is told its port
        """Return a free port."""
        return free_port()

    def close(self) -> None:
        """Nothing is held."""

    def start(self, command: Command, sink: Sink) -> Program:
        """Start a program, as `Runner` says."""
        call = command.call
        argv = (*(call.entrypoint or resolve(self._images, call.image)), *(call.arguments or ()))
        scratch = command.home / ".opt"
        scratch.mkdir(parents=True, exist_ok=True)
        environment = host(command.home) | dict(command.environment)
        if self._way is None:
            environment["SAGEMAKER_BASE_DIR"] = str(command.folder)
            line = [_moved(word, command.folder) for word in argv]
        else:
            prefix = private(self._way, command.folder, scratch, command.read_only)
            line = [*prefix, *argv]
        return Process(self._processes, command.owner, line, environment, command.home, sink)


class Process(Program):
    """A process of this host that is recorded before it does anything; see `Program`.

    Parameters
    ----------
    owner
        Whose it is.
    folder
        Its working directory.
    given
        The file that it reads as its standard input.

    Raises
    ------
    RunnerError
        If it cannot be started.
    """

    def __init__(
        self,
        processes: Processes,
        owner: str,
        line: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        sink: Sink,
        given: Path = Path(os.devnull),
    ) -> None:
        try:
            self._popen = subprocess.Popen(
                ["sh", "-c", LAUNCH, "sh", str(given), *line],
                env=environment,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            kind = NoCapacity if getattr(error, "errno", None) in FULL else RunnerError
            raise kind(f"{owner}: {line[0]}: {error}") from None
        assert self._popen.stdin and self._popen.stdout  # noqa: S101, PT018
        self._processes = processes
        self._lock = threading.Lock()
        self._output = Output(self._popen.stdout, sink)
        super().__init__(self._output.tail)
        self._mark = processes.add(self._popen.pid, owner)
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.write(f"{self._mark}\n".encode())
            self._popen.stdin.close()
        threading.Thread(target=self._reap, name=owner, daemon=True).start()

    def stop(self, grace: float) -> int:
        """Ask it to end, end all of it after `grace` seconds, and return its exit code."""
        with self._lock:
            if self._popen.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._popen.pid, signal.SIGTERM)
        if self.wait(grace) is None:
            end_session(self._popen.pid, self._mark)
        return self._code.result()

    def _reap(self) -> None:
        # The dead leader is kept until its group is ended: nobody else can get its pid meanwhile.
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOWAIT)
        else:  # macOS before Python 3.13
            self._popen.wait()
        end_session(self._popen.pid, self._mark)
        self._output.close()
        with self._lock:
            code = self._popen.wait()
        try:
            self._processes.remove(self._popen.pid)
        except Exception:  # a full disk: a record too many harms nobody, an end untold would
            LOG.exception("process %d has ended, and is recorded still", self._popen.pid)
        self._code.set_result(128 - code if code < 0 else code)


def _moved(word: str, folder: Path) -> str:
    return str(folder) + word[len(ML) :] if word == ML or word.startswith(f"{ML}/") else word
