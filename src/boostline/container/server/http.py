"""What all HTTP connections of a process share; it knows no route."""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus

from boostline.container.server.bodies import Bodies
from boostline.container.server.connection import HttpConnection
from boostline.container.server.messages import Answer, Handler, Refuse


class HttpServer:
    """All connections of a process.

    Parameters
    ----------
    handler
        Answers a request by its second argument: at once, or later from the event loop's thread.
    refuse
        Writes the answer to what is no request: status, code, message.
    limit
        The largest body, in bytes.
    note
        Called with how many connections there are, whenever that changes.
    """

    def __init__(
        self, handler: Handler, refuse: Refuse, limit: int, note: Callable[[int], object]
    ) -> None:
        self.handler = handler
        self.refuse = refuse
        self.limit = limit
        self.bodies = Bodies()
        self._note = note
        self.connections: set[HttpConnection] = set()
        self.draining = False
        self.now = time.monotonic()
        self._heads: dict[tuple[int, str, bytes, bytes], bytes] = {}
        self._empty = asyncio.Event()

    def tick(self) -> None:
        """Take the time and end what is over it; called about once a second."""
        self.now = time.monotonic()
        self._heads.clear()  # they hold the date
        self.bodies.tidy()
        for connection in list(self.connections):
            connection.check_time()

    def head(self, answer: Answer, connection: bytes) -> bytes:
        """Return an answer's head, up to the value of its length."""
        key = (answer.status, answer.media_type, answer.headers, connection)
        found = self._heads.get(key)
        if found is None:
            kind = f"Content-Type: {answer.media_type}\r\n" if answer.media_type else ""
            line = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
            text = f"{line}Date: {formatdate(usegmt=True)}\r\n{kind}"
            found = text.encode("ascii") + answer.headers + connection + b"Content-Length: "
            self._heads[key] = found
        return found

    def made(self, connection: HttpConnection) -> None:
        """Take a connection in."""
        self.connections.add(connection)
        self._note(len(self.connections))

    def lost(self, connection: HttpConnection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        self._note(len(self.connections))
        if not self.connections:
            self._empty.set()

    async def drain(self) -> None:
        """Answer what is under way, close all connections, and return when they are closed."""
        self.draining = True
        for connection in list(self.connections):
            connection.end_if_idle()
        while self.connections:
            self._empty.clear()
            await self._empty.wait()
