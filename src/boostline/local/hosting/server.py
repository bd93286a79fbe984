"""One instance of a model's container: started, watched, replaced, stopped."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping, Sequence

import urllib3

from boostline.local.engine.work import remove
from boostline.local.hosting.container import LOOPBACK, Container, ServerFailed, launch, lay_out
from boostline.local.platform import Platform
from boostline.local.runners.base import Program, Runner, RunnerError
from boostline.local.runners.images import UnknownImage

PING_TIMEOUT = 2.0
PING_PERIOD = 5.0  # seconds between the pings of a healthy program
FIRST_PAUSE = 0.05  # seconds between the first pings; then longer, up to PING_TIMEOUT
FAILED_PINGS = 3  # in a row: the program is replaced
LAUNCHES = 2  # of a program that ends before it was healthy
LONGEST_BACKOFF = 30.0
CONNECT_TIMEOUT = 1.0
ANSWER_TIMEOUT = 60.0  # seconds that a container has for an answer
GRACE = 30.0  # seconds between SIGTERM and SIGKILL of a model server
CONNECTIONS = 64  # kept alive; more are opened as needed


class Unavailable(Exception):
    """The container is not there at the moment."""


class Server:
    """A container's process behind a port of its own, in a thread that keeps it up.

    Parameters
    ----------
    endpoint, variant
        Whose it is: for folder and log stream.
    """

    def __init__(
        self, platform: Platform, runner: Runner, container: Container, endpoint: str, variant: str
    ) -> None:
        self._platform = platform
        self._runner = runner
        self._container = container
        instance = f"i-{secrets.token_hex(8)}"
        self._folder = platform.folder / "endpoints" / f"{endpoint}-{instance}"
        self.log_group = f"/aws/sagemaker/Endpoints/{endpoint}"
        self.log_stream = f"{variant}/{instance}"
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._settled = threading.Event()
        self._grace = GRACE
        self._reason = ""
        self._failures = 0
        self._pool: urllib3.HTTPConnectionPool | None = None
        self._calls = 0
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
        self._settled.wait()
        if self._reason:
            raise ServerFailed(self._reason)

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """Pass a request on to `/invocations`.

        Raises
        ------
        Unavailable
            If the container is being replaced.
        TimeoutError
            If it does not answer in time.
        """
        with self._idle:
            pool = self._pool
            self._calls += 1
        try:
            if pool is None:
                raise Unavailable("the container is being replaced")
            return _post(pool, body, headers)
        finally:
            with self._idle:
                self._calls -= 1
                self._idle.notify_all()

    def close(self, drain: float, grace: float = GRACE) -> None:
        """Let requests in flight be answered, up to `drain` seconds; then stop the program."""
        with self._idle:
            self._idle.wait_for(lambda: self._calls == 0, drain)
        self._grace = grace
        self._closing.set()
        self._changed.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            lay_out(self._platform, self._container, self._folder / "ml")
            while not self._closing.wait(self._backoff()):
                self._live()
        except (ServerFailed, RunnerError, UnknownImage, OSError) as error:
            self._reason = str(error)
        finally:
            if not self._settled.is_set():
                self._reason = self._reason or "the platform could not start the server"
            self._settled.set()
            remove(self._folder)

    def _live(self) -> None:
        """Start the program, and stay with it until it ends or has to."""
        self._changed.clear()
        program, port = launch(
            self._platform, self._runner, self._container, self._folder, self._sink
        )
        program.when_done(self._changed.set)
        began = time.monotonic()
        with urllib3.HTTPConnectionPool(LOOPBACK, port, maxsize=CONNECTIONS, retries=False) as pool:
            try:
                if self._await_health(program, pool, began + self._container.timeout):
                    self._failures = 0
                    self._pool = pool
                    self._settled.set()
                    self._watch(program, pool)
                else:
                    self._note_failure(program, began)
            finally:
                self._pool = None
                program.stop(self._grace)

    def _await_health(
        self, program: Program, pool: urllib3.HTTPConnectionPool, deadline: float
    ) -> bool:
        pause = FIRST_PAUSE
        while program.wait(0) is None and not self._closing.is_set():
            if _ping(pool):
                return True
            if time.monotonic() + pause > deadline:
                return False
            self._changed.wait(pause)
            pause = min(PING_TIMEOUT, pause * 1.2)
        return False

    def _watch(self, program: Program, pool: urllib3.HTTPConnectionPool) -> None:
        failed = 0
        while failed < FAILED_PINGS:
            self._changed.wait(PING_PERIOD)
            if program.wait(0) is not None or self._closing.is_set():
                return
            failed = 0 if _ping(pool) else failed + 1

    def _note_failure(self, program: Program, began: float) -> None:
        self._failures += 1
        if self._closing.is_set():
            raise ServerFailed("the endpoint is being ended")
        code = program.wait(0)
        if self._settled.is_set() or (code is not None and self._failures < LAUNCHES):
            return
        what = (
            f"the program ended with exit code {code}"
            if code is not None
            else f"/ping did not answer 200 within {time.monotonic() - began:.0f} s"
        )
        tail = "\n".join(program.tail())
        raise ServerFailed(f"{what}. Its last lines:\n{tail}")

    def _backoff(self) -> float:
        """Return the seconds to wait before the next launch: none while all goes well."""
        return min(LONGEST_BACKOFF, 0.25 * 2**self._failures) if self._failures else 0.0

    def _sink(self, lines: Sequence[str]) -> None:
        self._platform.logs.append(self.log_group, self.log_stream, lines)


def _ping(pool: urllib3.HTTPConnectionPool) -> bool:
    try:
        return pool.request("GET", "/ping", timeout=PING_TIMEOUT).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _post(
    pool: urllib3.HTTPConnectionPool, body: bytes, headers: Mapping[str, str]
) -> urllib3.BaseHTTPResponse:
    """Send a request; once more if a kept connection was closed before it could be used."""
    timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=ANSWER_TIMEOUT)
    for last in (False, True):
        try:
            return pool.request(
                "POST",
                "/invocations",
                body=body,
                headers=headers,
                timeout=timeout,
                decode_content=False,
            )
        except urllib3.exceptions.ReadTimeoutError:
            raise TimeoutError(f"no answer within {ANSWER_TIMEOUT:g} s") from None
        except urllib3.exceptions.ProtocolError as error:
            if last:
                raise Unavailable(str(error)) from None
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(str(error)) from None
    raise AssertionError("the second round returns or raises")
