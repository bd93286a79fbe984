"""The supervisor: it starts workers, brings back those that die, and ends them."""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from boostline.container.errors import ContainerError

GRACE_SECONDS = 25  # SageMaker kills 30 s after SIGTERM
_ATTEMPTS = 3  # of a worker to start
_MESSAGE = 65_536

Ready = Callable[[str], None]
Work = Callable[[int, int, Ready], None]


@dataclass
class _Worker:
    """A forked process, the pipe in which it tells how it is, and what it told at last."""

    place: int
    pid: int
    status: int
    said: str = ""

    @property
    def ready(self) -> bool:
        return self.said.startswith("ready ")


class Supervisor:
    """Keeps a number of forked workers at work.

    The first one has to be ready before the others are started: a model that cannot be loaded is
    told once. They are forked from a process that has imported what is heavy, but never used it:
    threads of a library would not survive the fork.

    Parameters
    ----------
    workers
        How many.
    work
        What a worker does, given its place, the end of a pipe that is at its end once it has to
        end, and what to call with one line when it is ready. It raises `ContainerError`, with the
        reason, if it cannot.
    ready
        Called with the first line.
    each_minute
        Called about once a minute.
    """

    def __init__(
        self, workers: int, work: Work, ready: Ready, each_minute: Callable[[], None]
    ) -> None:
        self._places = range(workers)
        self._work = work
        self._ready = ready
        self._each_minute = each_minute
        self._workers: list[_Worker] = []
        self._failures = 0
        self._announced = False
        self._alive, self._life = os.pipe()
        self._wake, self._woken = socket.socketpair()

    def run(self) -> None:
        """Return at SIGTERM or SIGINT, when the last worker has ended.

        Raises
        ------
        ContainerError
            No worker can start; or one that died cannot be brought back.
        """
        self._catch_signals()
        gc.collect()
        gc.freeze()  # what is imported stays in pages that all share
        self._start(self._places[0])
        try:
            self._watch()
        finally:
            self._end()
            self._each_minute()

    def _watch(self) -> None:
        minute = time.monotonic() + 60
        while True:
            ends = [worker.status for worker in self._workers if worker.status >= 0]
            timeout = max(0.0, minute - time.monotonic())
            readable, _, _ = select.select([self._wake.fileno(), *ends], [], [], timeout)
            for worker in self._workers:
                if worker.status in readable:
                    self._listen(worker)
            if self._wake.fileno() in readable:
                if {signal.SIGTERM, signal.SIGINT} & set(self._wake.recv(_MESSAGE)):
                    return
                self._reap()
            if time.monotonic() >= minute:
                minute += 60
                self._each_minute()

    def _catch_signals(self) -> None:
        def arrived(_number: int, _frame: FrameType | None) -> None:
            """Let the byte in the socket say it."""

        self._wake.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, arrived)

    def _start(self, place: int) -> None:
        told, tell = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            os.close(tell)
            self._workers.append(_Worker(place, pid, told))
        else:
            self._be_worker(place, tell)

    def _be_worker(self, place: int, tell: int) -> None:
        """Work in the forked process, which never returns from here."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # SIGTERM and SIGINT still do nothing: the supervisor has them too, and decides.
            os.close(self._life)
            self._work(place, self._alive, lambda line: _tell(tell, f"ready {line}"))
            code = 0
        except ContainerError as error:
            _tell(tell, str(error))
        finally:
            if sys.exc_info()[0] is not None:
                sys.excepthook(*sys.exc_info())
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _listen(self, worker: _Worker) -> None:
        """Take what a worker tells; the first one that is ready lets the others start."""
        said = os.read(worker.status, _MESSAGE).decode("utf-8", "replace")
        if not said:
            os.close(worker.status)
            worker.status = -1
            return
        worker.said = said
        if worker.ready:
            self._failures = 0
            if not self._announced:
                self._announced = True
                self._ready(said.removeprefix("ready "))
                for place in self._places[1:]:
                    self._start(place)

    def _reap(self) -> None:
        """Bring back the workers that died."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                for worker in [one for one in self._workers if one.pid == found[0]]:
                    self._workers.remove(worker)
                    self._bring_back(worker, os.waitstatus_to_exitcode(found[1]))

    def _bring_back(self, worker: _Worker, code: int) -> None:
        if worker.status >= 0:
            self._listen(worker)
        if worker.status >= 0:
            os.close(worker.status)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if not worker.ready:
            self._failures += 1
            reason = worker.said or f"a worker ended with {how} before it could serve"
            if not self._announced or self._failures >= _ATTEMPTS:
                raise ContainerError(reason)
        print(f"warning: worker {worker.pid} ended with {how}: another starts", file=sys.stderr)
        self._start(worker.place)

    def _end(self) -> None:
        """Let the workers drain; kill those that have nothing to drain, or take too long."""
        os.close(self._life)
        silent = [one for one in self._workers if one.status >= 0 and not one.ready]
        told, _, _ = select.select([one.status for one in silent], [], [], 0)
        for worker in silent:
            if worker.status not in told:  # it may be ready, and have begun
                os.kill(worker.pid, signal.SIGKILL)
        deadline = time.monotonic() + GRACE_SECONDS
        while self._workers and time.monotonic() < deadline:
            rest = max(0.0, deadline - time.monotonic())  # time goes on since it was looked at
            select.select([self._wake.fileno()], [], [], rest)
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(_MESSAGE)
            self._forget_ended()
        for worker in self._workers:
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)

    def _forget_ended(self) -> None:
        for worker in list(self._workers):
            if os.waitpid(worker.pid, os.WNOHANG)[0]:
                self._workers.remove(worker)


def _tell(pipe: int, text: str) -> None:
    os.write(pipe, text.encode("utf-8", "replace")[:_MESSAGE])
