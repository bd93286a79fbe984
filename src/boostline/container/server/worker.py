"""A worker's loop: it listens and answers until whoever started it ends, or wants it to."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

import uvloop

from boostline.container.server.app import App, refuse
from boostline.container.server.http import HttpConnection, HttpServer

_TICK = 1.0  # seconds
_BACKLOG = 2_048


class Acceptor:
    """Takes connections from a socket that is shared with other workers.

    One at a time: so workers share what comes, and the one that is busy takes less.
    """

    def __init__(self, server: HttpServer, listener: socket.socket) -> None:
        self._server = server
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        listener.listen(_BACKLOG)
        self._loop.add_reader(listener, self._accept)

    async def close(self) -> None:
        """Take what has come, then refuse what comes: for all workers."""
        self._loop.remove_reader(self._listener)
        while self._accept():
            pass
        with contextlib.suppress(OSError):  # another worker did it
            self._listener.shutdown(socket.SHUT_RDWR)
        if self._opening:
            await asyncio.wait(self._opening)

    def _accept(self) -> bool:
        try:
            taken, _ = self._listener.accept()
        except OSError:  # another worker has it, or the client is gone
            return False
        taken.setblocking(False)
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._connection, taken))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return True

    def _connection(self) -> HttpConnection:
        return HttpConnection(self._server)


def serve(
    app: App, limit: int, listener: socket.socket, alive: int, ready: Callable[[], None]
) -> None:
    """Serve, then drain: requests under way are answered, connections refused.

    Parameters
    ----------
    app
        Answers.
    limit
        The largest body, in bytes.
    listener
        A bound socket that does not block.
    alive
        A pipe's end that can be read, at its end, once there is to be no more service.
    ready
        Called when connections are accepted.
    """
    uvloop.run(_serve(HttpServer(app.handle, refuse, limit), listener, alive, ready))


async def _serve(
    server: HttpServer, listener: socket.socket, alive: int, ready: Callable[[], None]
) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    acceptor = Acceptor(server, listener)
    loop.add_reader(alive, ended.set)
    ready()
    ticking = loop.create_task(_tick(server))
    await ended.wait()
    loop.remove_reader(alive)
    await acceptor.close()
    await server.drain()
    ticking.cancel()


async def _tick(server: HttpServer) -> None:
    while True:
        server.tick()
        await asyncio.sleep(_TICK)
