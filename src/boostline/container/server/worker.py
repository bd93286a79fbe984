"""A worker's loop: it listens and answers until whoever started it ends, or wants it to."""

import asyncio
import contextlib
import errno
import socket
import sys
from collections.abc import Callable

import uvloop

from boostline.container.server.app import App, refuse
from boostline.container.server.connection import HttpConnection
from boostline.container.server.http import HttpServer

_TICK = 1.0  # seconds
_BACKLOG = 2_048
_HEAD_START = 0.002  # seconds for workers with fewer connections to take the next one
_PAUSE = 0.1  # seconds until another attempt, where the system has nothing left
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Takes connections from a socket that is shared with other workers.

    One at a time, and late where another worker has fewer: clients keep their connections, so how
    these are shared is how the work is shared.
    """

    def __init__(
        self, server: HttpServer, listener: socket.socket, busier: Callable[[], bool]
    ) -> None:
        self._server = server
        self._listener = listener
        self._busier = busier
        self._open = True
        self._warned = False
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        listener.listen(_BACKLOG)
        self._loop.add_reader(listener, self._arrived)

    async def close(self) -> None:
        """Take what has come, then refuse what comes: for all workers."""
        self._open = False
        self._loop.remove_reader(self._listener)
        while self._accept():
            pass
        with contextlib.suppress(OSError):  # another worker did it
            self._listener.shutdown(socket.SHUT_RDWR)
        if self._opening:
            await asyncio.wait(self._opening)

    def _arrived(self) -> None:
        if self._busier():
            self._leave(_HEAD_START)
        else:
            self._accept()

    def _leave(self, seconds: float) -> None:
        """Look away for a while."""
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._take_what_is_left)

    def _take_what_is_left(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener, self._arrived)
            self._accept()

    def _accept(self) -> bool:
        try:
            taken, _ = self._listener.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED and self._open:
                self._warn(error)
                self._leave(_PAUSE)  # it would be told of the same client again and again
            return False  # or another worker has it, or the client is gone
        taken.setblocking(False)
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._connection, taken))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return True

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            text = f"warning: no more connections can be taken ({error.strerror}): new ones wait"
            print(text, file=sys.stderr, flush=True)

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
    uvloop.run(_serve(app, limit, listener, alive, ready))


async def _serve(
    app: App, limit: int, listener: socket.socket, alive: int, ready: Callable[[], None]
) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    app.counters.connect(0)  # a worker that died may have left others
    server = HttpServer(app.handle, refuse, limit, app.counters.connect)
    acceptor = Acceptor(server, listener, lambda: app.counters.busier)
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
