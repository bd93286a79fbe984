"""One instance of a model's container: started, watched, replaced, stopped."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

import urllib3

from boostline.local.engine.work import remove
from boostline.local.environment import given
from boostline.local.hosting.client import Client, Unavailable
from boostline.local.hosting.container import Container, ServerFailed, unhealthy
from boostline.local.platform import Platform
from boostline.local.runners.base import PORT, Command, Program, RunnerError

PING_PERIOD = 5.0  # seconds between the pings of a healthy program
FAILED_PINGS = 3  # in a row: the program is replaced
LAUNCHES = 2  # of a program that ends before it was healthy
LONGEST_BACKOFF = 30.0
GRACE = 30.0  # seconds between SIGTERM and SIGKILL of a model server


class Server:
    """A container's process behind a port of its own, in a thread that keeps it up.

    Parameters
    ----------
    endpoint, variant
        Whose it is: for folder and log stream.
    period
        Seconds between the pings of a healthy program.
    """

    def __init__(
        self,
        platform: Platform,
        container: Container,
        endpoint: str,
        variant: str,
        period: float = PING_PERIOD,
    ) -> None:
        self._platform = platform
        self._container = container
        self._period = period
        instance = f"i-{secrets.token_hex(8)}"
        self._folder = platform.folder / "endpoints" / f"{endpoint}-{instance}"
        self.log_group = f"/aws/sagemaker/Endpoints/{endpoint}"
        self.log_stream = f"{variant}/{instance}"
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._healthy: Future[None] = Future()
        self._grace = GRACE
        self._failures = 0
        self._client: Client | None = None
        self._calls = 0
        self._retired = False
        self._idle = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=self.log_stream, daemon=True)

    def start(self) -> None:
        """Begin to start."""
        self._thread.start()

    def settle(self) -> None:
        """Wait until the container is healthy.

        Raises
        ------
        ServerFailed
            If it will not be.
        """
        self._healthy.result()

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """Pass a request on to `/invocations`.

        Raises
        ------
        Unavailable
            If the container is being replaced, or has been.
        TimeoutError
            If it does not answer in time.
        """
        with self._idle:
            client = self._client
            if client is None:
                raise Unavailable("the container is being replaced")
            self._calls += 1
        try:
            return client.invoke(body, headers)
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()

    def close(self, drain: float, grace: float = GRACE) -> None:
        """Take no more requests, answer those in flight for `drain` seconds, stop the program."""
        with self._idle:
            self._retired, self._client = True, None
            self._idle.wait_for(lambda: self._calls == 0, drain)
        self._grace = grace
        self._closing.set()
        self._changed.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._container.lay_out(self._platform, self._folder / "ml")
            while not self._closing.wait(self._backoff()):
                self._live()
            raise ServerFailed("the endpoint is being ended")
        except (ServerFailed, RunnerError, OSError) as error:
            if not self._healthy.done():
                self._healthy.set_exception(ServerFailed(str(error)))
        finally:
            remove(self._folder)

    def _live(self) -> None:
        """Start the program, and stay with it until it ends or has to."""
        self._changed.clear()
        if self._closing.is_set():
            return
        try:
            program, client = self._launch()
        except RunnerError as error:
            if not self._healthy.done():
                raise
            self._failures += 1
            self._sink([str(error)])
            return
        program.when_done(self._changed.set)
        began = time.monotonic()
        try:
            if client.await_health(self._changed, self._container.timeout):
                self._failures = 0
                self._serve_with(client)
                if not self._healthy.done():
                    self._healthy.set_result(None)
                self._watch(client)
            else:
                self._note_failure(program, time.monotonic() - began)
        finally:
            self._serve_with(None)
            program.stop(self._grace)
            client.close()

    def _launch(self) -> tuple[Program, Client]:
        call, environment = self._container.serving(self._platform)
        home = self._folder / "home"
        command = Command(
            f"endpoint/{self._folder.name}",
            call,
            given(self._platform, environment),
            self._folder / "ml",
            home,
            ("model",),
        )
        return self._platform.runner.start(command, self._sink), Client(int(environment[PORT]))

    def _serve_with(self, client: Client | None) -> None:
        with self._idle:
            self._client = None if self._retired else client

    def _watch(self, client: Client) -> None:
        failed = 0
        while failed < FAILED_PINGS:
            if self._changed.wait(self._period):
                return
            failed = 0 if client.healthy() else failed + 1

    def _note_failure(self, program: Program, waited: float) -> None:
        self._failures += 1
        again = program.wait(0) is not None and self._failures < LAUNCHES
        if not (again or self._healthy.done() or self._closing.is_set()):
            raise unhealthy(program, waited)

    def _backoff(self) -> float:
        """Return the seconds to wait before the next launch: none while all goes well."""
        return min(LONGEST_BACKOFF, 0.25 * 2**self._failures) if self._failures else 0.0

    def _sink(self, lines: Sequence[str]) -> None:
        self._platform.logs.append(self.log_group, self.log_stream, lines)
