"""One instance of a model's container: laid out, started, watched, replaced, stopped."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from boostline.contracts.archives import ArchiveError, unpack
from boostline.contracts.ports import LOOPBACK
from boostline.contracts.uri import split_uri
from boostline.local.hosting.client import Client, Unavailable
from boostline.local.platform import Platform
from boostline.local.runners.base import (
    KILLED,
    PORT,
    Command,
    Program,
    Runner,
    RunnerError,
    Sink,
    last_words,
)
from boostline.local.store.objects import NoSuchBucket, NoSuchKey
from boostline.local.store.resources import Document

SERVE = ("serve",)  # its arguments
PING_PERIOD = 5.0  # seconds between the pings of a healthy program
FAILED_PINGS = 3  # in a row: the program is replaced
LAUNCHES = 2  # of a program that ends before it was healthy
BACKOFF = (0, 0.5, 1, 2, 4, 8, 16, 30)  # seconds before a launch, after so many that failed
GRACE = 30.0  # seconds between SIGTERM and SIGKILL of a model server
REASON_LENGTH = 700  # characters of last lines, so that the very last are in a FailureReason


class ServerFailed(Exception):
    """Why a container cannot serve."""


class Retired(ServerFailed):
    """It has been told to end."""


class Server:
    """A container's process behind a port of its own, in a thread that keeps it up.

    `why` says why the program before this one is not there any more, if there was one; `closing`
    is set when the server is told to end.

    Parameters
    ----------
    command, sink
        What starts, and who gets its lines; it is told where to listen.
    timeout
        Seconds from a start to the first good `/ping`.
    period
        Seconds between the pings of a healthy program.
    """

    def __init__(
        self,
        runner: Runner,
        command: Command,
        sink: Sink,
        timeout: float,
        period: float = PING_PERIOD,
    ) -> None:
        self._runner = runner
        self._command = command
        self._sink = sink
        self._timeout = timeout
        self._period = period
        self._healthy: Future[None] = Future()
        self.closing = threading.Event()
        self._changed = threading.Event()  # the program has ended, or is to end
        self._grace = GRACE
        self._idle = threading.Condition()
        self._client: Client | None = None
        self._calls = 0
        self.why = ""
        self._thread = threading.Thread(target=self._run, name=command.owner, daemon=True)
        self._thread.start()

    def settled(self, timeout: float | None = None) -> bool:
        """Wait until the container is healthy; return whether it is.

        Raises
        ------
        ServerFailed
            If it will not be.
        """
        try:
            self._healthy.result(timeout)
        except TimeoutError:
            return False
        return True

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """Lend what asks the container, which lets `close` wait.

        Raises
        ------
        Retired
            If the server has been closed.
        Unavailable
            If the container is being replaced.
        """
        with self._idle:
            if self.closing.is_set():
                raise Retired("the server is closed")
            client = self._client
            if client is None:
                raise Unavailable("the container is being replaced")
            self._calls += 1
        try:
            yield client
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()

    def close(self, drain: float, grace: float = GRACE) -> None:
        """Take no more requests, answer those in flight for `drain` seconds, stop the program."""
        with self._idle:
            self.closing.set()
            self._idle.wait_for(lambda: self._calls == 0, drain)
        self._grace = grace
        self._changed.set()
        self._thread.join()

    def _run(self) -> None:
        """Start the program again and again; give up on one that was never healthy."""
        failures, began = 0, time.monotonic()
        try:
            while not self.closing.wait(BACKOFF[min(failures, len(BACKOFF) - 1)]):
                try:
                    failures = 0 if self._live() else failures + 1
                except (RunnerError, OSError) as error:
                    failures, self.why = failures + 1, str(error)
                    self._sink([self.why])
                hopeless = failures == LAUNCHES or time.monotonic() - began > self._timeout
                if hopeless and not self._healthy.done():
                    break
        finally:
            if not self._healthy.done():
                self._healthy.set_exception(ServerFailed(self.why))

    def _live(self) -> bool:
        """Start the program, stay until it ends or has to; return whether it was healthy."""
        changed = self._changed = threading.Event()
        if self.closing.is_set():
            return False
        port = self._runner.port(self._command.call.image)
        where = {PORT: str(port), "BOOSTLINE_BIND_ADDRESS": LOOPBACK}
        told = {**self._command.environment, **where}
        program = self._runner.start(replace(self._command, environment=told), self._sink)
        program.when_done(changed.set)
        client, limit = Client(port), self._timeout
        try:
            if healthy := client.await_health(changed, limit):
                limit = FAILED_PINGS * self._period
                self._client = client
                if not self._healthy.done():
                    self._healthy.set_result(None)
                self._watch(client, changed)
            return healthy
        finally:
            self._client, self.why = None, _ending(program, limit)
            program.stop(self._grace)
            client.close()

    def _watch(self, client: Client, changed: threading.Event) -> None:
        failed = 0
        while failed < FAILED_PINGS and not changed.wait(self._period):
            failed = 0 if client.healthy() else failed + 1


def lay_out(platform: Platform, container: Document, ml: Path) -> None:
    """Put a model's data into `/opt/ml/model`.

    Parameters
    ----------
    container
        `data` is the S3 URI of a `model.tar.gz`; empty if there is none.

    Raises
    ------
    ServerFailed
        If it is not there, or cannot be unpacked.
    """
    data, model = container["data"], ml / "model"
    model.mkdir(parents=True, exist_ok=True)
    try:
        if data:
            archive = platform.blobs.path(platform.objects.get(*split_uri(data)).digest)
            unpack(archive, model)
    except (NoSuchKey, NoSuchBucket):
        raise ServerFailed(f"there is no model data at {data}") from None
    except ArchiveError as error:
        raise ServerFailed(f"{data}: {str(error).removeprefix(f'{archive}: ')}") from None
    except ValueError as error:
        raise ServerFailed(f"{data}: {error}") from None


def _ending(program: Program, limit: float) -> str:
    """Return why a program does not serve any more, with its last lines."""
    code = program.wait(0)
    if code is None:
        what = f"/ping did not answer 200 within {limit:.0f} s"
    else:
        killed = ": it was killed, as when it needs more memory than there is"
        what = f"the program ended with exit code {code}{killed if code == KILLED else ''}"
    return what + last_words(program.tail(), REASON_LENGTH)
