"""The server: uvicorn on a loopback socket, with the platform's life around it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn
from starlette.routing import Router

from boostline.local.platform import Platform
from boostline.local.wire.app import Api

# How long answers under way may take once the platform was told to stop.
GRACE_SECONDS = 5
KEEP_ALIVE_SECONDS = 75  # longer than clients that pool connections wait between two calls
LIFE = "platform"


class PortInUse(Exception):
    """Another program listens on the port."""


def serve(platform: Platform, ready: Callable[[int], None] | None = None) -> None:
    """Run a platform until SIGINT or SIGTERM.

    Parameters
    ----------
    platform
        A platform that is not started; it is stopped at the end, however that comes.
    ready
        Called with the port, once requests are answered.

    Raises
    ------
    PortInUse
        If the port of its settings is taken.
    """
    Server(platform, ready).run()


@contextlib.contextmanager
def running(platform: Platform) -> Iterator[int]:
    """Serve a platform in a thread while the block runs, and give its port.

    Raises
    ------
    Exception
        What kept the platform from starting.
    """
    started = threading.Event()
    server = Server(platform, lambda _: started.set())
    thread = threading.Thread(target=server.run_in_thread, args=(started,), name="platform")
    thread.start()
    try:
        started.wait()
        if server.error is not None:
            raise server.error
        yield platform.port
    finally:
        server.stop()
        thread.join()


class Server(uvicorn.Server):
    """A uvicorn server of one platform."""

    def __init__(self, platform: Platform, ready: Callable[[int], None] | None) -> None:
        self.error: BaseException | None = None
        self._platform = platform
        self._ready = ready
        self._socket = _bind(platform.settings.port)
        self._api = Api(platform)
        self._stopping = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                Router(default=self._api, lifespan=self._lifespan),
                loop="uvloop",
                http="httptools",
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop; raise what kept the platform from starting."""
        try:
            super().run([self._socket, *(sockets or [])])
        except SystemExit:
            if self.error is None:
                raise
        finally:
            self._socket.close()
        if self.error is not None:
            raise self.error

    def run_in_thread(self, started: threading.Event) -> None:
        """Serve in a thread that is not the main one; `error` holds what went wrong."""
        try:
            self.run()
        except BaseException as error:
            self.error = error
        finally:
            started.set()

    def stop(self) -> None:
        """Ask for the end, from any thread or signal handler."""
        self.should_exit = True
        if self._platform.loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._platform.loop.call_soon_threadsafe(self._stopping.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at a signal; at a second one, without grace."""
        super().handle_exit(sig, frame)
        self.stop()

    async def main_loop(self) -> None:
        """Wait for the end: woken once a second, for the date of the answers, not ten times."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, then say so."""
        await super().startup(sockets)
        if self._ready is not None:
            self._ready(self._platform.port)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM, and then end as if all were well: it is."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        stops = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in stops}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Any) -> AsyncIterator[None]:
        self._platform.loop = asyncio.get_running_loop()
        try:
            await self._api.run(LIFE, self._platform.start, self._socket.getsockname()[1])
            yield
        except BaseException as error:
            self.error = error
            raise
        finally:
            await self._api.run(LIFE, self._platform.stop)
            self._api.close()


def _bind(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by each connection
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        bound.close()
        raise PortInUse(
            f"port {port} on 127.0.0.1 is taken ({error.strerror}): "
            "stop what listens there, or give another with --port"
        ) from None
    bound.listen(2_048)
    bound.set_inheritable(False)
    return bound
