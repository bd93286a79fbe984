"""The server: uvicorn on a loopback socket, with the platform's life around it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import FrameType
from typing import Any

import uvicorn

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
        What kept the platform from starting, or from ending well.
    """
    started: Future[Any] = Future()
    server = Server(platform, started.set_result)
    with ThreadPoolExecutor(1, thread_name_prefix=LIFE) as thread:
        ended: Future[Any] = thread.submit(server.run)
        try:
            if ended in wait([started, ended], return_when=FIRST_COMPLETED).done:
                ended.result()
            yield platform.port
        finally:
            server.stop()
        ended.result()


class Server(uvicorn.Server):
    """A uvicorn server of one platform."""

    def __init__(self, platform: Platform, ready: Callable[[int], None] | None) -> None:
        self._platform = platform
        self._ready = ready
        self._socket = _bind(platform.settings.port)
        self._api = Api(platform)
        self._stopping = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                self._api,
                lifespan="off",
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
        with self._socket:
            super().run([self._socket, *(sockets or [])])

    def stop(self) -> None:
        """Ask for the end, from any thread or signal handler."""
        self.should_exit = True
        if self._platform.loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._platform.loop.call_soon_threadsafe(self._stopping.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop at a signal; at a second one, without grace. That ends well: uvicorn's would not."""
        self.force_exit = self.should_exit
        self.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the platform and to answer, then say so."""
        self._platform.loop = asyncio.get_running_loop()
        try:
            await self._api.run(LIFE, self._platform.start, self._socket.getsockname()[1])
            await super().startup(sockets)
        except BaseException:
            await self._end()
            raise
        if self._ready is not None:
            self._ready(self._platform.port)

    async def main_loop(self) -> None:
        """Wait for the end: woken once a second, for the date of the answers, not ten times."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer no more, and stop the platform."""
        await super().shutdown(sockets)
        await self._end()

    async def _end(self) -> None:
        await self._api.run(LIFE, self._platform.stop)
        self._api.close()


def _bind(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=2_048)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            reason = os.strerror(error.errno or 0)
            said = f"port {port} on 127.0.0.1 cannot be had ({reason}): give another with --port"
            raise PortInUse(f"{said}, 0 for any") from None
        raise PortInUse(
            f"port {port} on 127.0.0.1 is taken: "
            "stop what listens there, or give another with --port, 0 for any"
        ) from None
