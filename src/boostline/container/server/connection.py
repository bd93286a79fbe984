"""HTTP/1.1 on an asyncio transport: parsing, order, limits and time."""

import asyncio
import fcntl
import termios
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, cast

import httptools

from boostline.container.server.messages import Answer, HttpRequest, path_of

if TYPE_CHECKING:
    from boostline.container.server.http import HttpServer

MAX_HEAD = 65_536  # bytes of a request line with its headers
_STALLED = 30.0  # seconds without a byte in the midst of a request
_SLOW = 300.0  # seconds for a whole request
_IDLE = 75.0  # seconds between requests; longer than clients that pool connections wait
_SMALL = 4_096  # bytes of a body that is bounded well enough by how many there can be
_LINGER = 5.0  # seconds for a client to read why it is refused while it still sends
_WAITING = 16  # requests of one client that came before the answer to its first


class _Message(NamedTuple):
    """What is next in a connection: a request, or the refusal of what is none, which ends it."""

    content: HttpRequest | Answer
    connection: bytes  # the line that says whether it stays
    closes: bool
    counted: int  # bytes that all bodies' bound knows of


_CLOSE = b"Connection: close\r\n"
_KEEP = b"Connection: keep-alive\r\n"  # what HTTP/1.0 wants to be told


class HttpConnection(asyncio.Protocol):
    """One connection; its requests are answered in their order."""

    def __init__(self, server: "HttpServer") -> None:
        self._server = server
        self._bodies = server.bodies
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[_Message] = deque()
        self._current: _Message | None = None
        self._reading = False  # in the midst of a request
        self._in_head = False
        self._refused = False  # nothing more is parsed
        self._half_closed = False
        self._blocked = False  # the client does not read
        self._held = False  # its body has to wait for others
        self._head_size = 0  # bytes since the last one of a body, or the last request
        self._size = self._counted = 0  # bytes of a body; those that all bodies' bound knows of
        self._foreign = False  # asks for another protocol
        self._began = self._seen = server.now

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.made(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """End; an answer under way has nobody to go to."""
        self._refused = True
        self._forget()
        self._server.lost(self)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._seen = self._server.now
        if self._refused:
            return
        room = MAX_HEAD - self._head_size
        if len(data) > room and (self._in_head or not self._reading):
            self.data_received(data[:room])  # the rest may be of the body
            if self._head_size >= MAX_HEAD:
                self._head_too_large()
            else:
                self.data_received(data[room:])
            return
        self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._end(400, "bad_request", f"the request is not HTTP/1.1: {error}")
        if self._head_size > MAX_HEAD:
            self._head_too_large()
        elif self._counted and self._bodies.too_many:
            self._bodies.wait(self)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Parse a request again as if it asked for no other protocol, and what comes after it."""
        method, fields = self._parser.get_method(), self._headers
        if method == b"CONNECT":
            self._end(400, "bad_request", "this is no proxy: send no CONNECT")
            return
        fields.pop(b"upgrade")
        lines = b"".join(b"%b: %b\r\n" % field for field in fields.items())
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, self._url, lines)
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def eof_received(self) -> bool:
        """Keep the other half open while an answer is due."""
        self._half_closed, self._reading = True, False
        return self._current is not None or bool(self._waiting)

    def pause_writing(self) -> None:
        """Take no more requests from a client that does not read its answers."""
        self._blocked = True
        self._flow()

    def resume_writing(self) -> None:
        """Go on."""
        self._blocked = False
        self._seen = self._server.now
        self._flow()
        self._next()

    def hold(self) -> None:
        """Read no more of a body until there is room."""
        self._held = True
        self._flow()

    def go_on(self) -> None:
        """Read on."""
        self._held = False
        self._began = self._seen = self._server.now  # it was not the client who took the time
        self._flow()

    def _flow(self) -> None:
        if self._blocked or self._held or len(self._waiting) >= _WAITING:
            self._transport.pause_reading()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    # The parser

    def on_message_begin(self) -> None:
        """Expect a head."""
        self._reading = self._in_head = True
        self._began = self._server.now
        self._headers: dict[bytes, bytes] = {}
        self._url = b""
        self._chunks: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """Take the target, or a part of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; the first of a name counts, and none that comes after the body."""
        if self._in_head:
            self._headers.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        """Refuse what says that it is too large, before it is sent."""
        self._in_head, self._head_size = False, 0
        self._foreign = self._parser.should_upgrade()
        if self._foreign:
            return
        length = self._headers.get(b"content-length", b"0")
        if len(length) > 15 or int(length) > self._server.limit:
            self._too_large()
        elif b"expect" in self._headers and self._current is None and not self._refused:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._refused:
            return
        self._head_size = 0
        self._size += len(body)
        if self._size > _SMALL:
            self._bodies.add(self._size - self._counted)
            self._counted = self._size
        if self._size > self._server.limit:
            self._too_large()
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Answer, or let the request wait for those before it."""
        self._reading, self._head_size = False, 0
        if self._refused or self._foreign:
            return
        counted, self._counted = self._counted, 0
        if counted:
            self._bodies.complete(self, counted)
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks = []
        request = HttpRequest(self._parser.get_method(), path_of(self._url), self._headers, body)
        keeps = self._parser.should_keep_alive()
        old = self._parser.get_http_version() != "1.1"
        line = (_KEEP if old else b"") if keeps else _CLOSE
        self._waiting.append(_Message(request, line, not keeps, counted))
        if self._current is None and not self._blocked:
            self._next()
        elif len(self._waiting) >= _WAITING:
            self._flow()

    # What is answered

    def _next(self) -> None:
        while self._waiting and self._current is None and not self._blocked:
            full = len(self._waiting) >= _WAITING
            self._current = message = self._waiting.popleft()
            if full:
                self._flow()
            if isinstance(message.content, HttpRequest):
                self._server.handler(message.content, self._respond)
            else:
                self._respond(message.content)

    def _respond(self, answer: Answer) -> None:
        message, self._current = self._current, None
        if message is None:
            return
        if message.counted:
            self._bodies.answered(message.counted)
        if self._transport.is_closing():
            return
        last = not self._waiting and not self._reading
        closes = message.closes or (last and (self._server.draining or self._half_closed))
        head = self._server.head(answer, _CLOSE if closes else message.connection)
        bodyless = isinstance(message.content, HttpRequest) and message.content.method == b"HEAD"
        body = b"" if bodyless else answer.body
        self._transport.write(b"%b%d\r\n\r\n%b" % (head, len(answer.body), body))
        if closes:
            self._close(lingers=isinstance(message.content, Answer))
        elif self._waiting:
            # Not from here: the stack would grow with what waits.
            asyncio.get_running_loop().call_soon(self._next)

    def _head_too_large(self) -> None:
        self._end(431, "head_too_large", f"the headers are larger than {MAX_HEAD} bytes")

    def _too_large(self) -> None:
        limit = self._server.limit
        self._end(413, "too_large", f"the body is larger than {limit} bytes: send fewer rows")

    def _end(self, status: int, code: str, message: str) -> None:
        """Refuse what comes, after the answers to what came before it."""
        if self._refused:
            return
        self._refused, self._reading = True, False
        self._leave_body()
        refusal = self._server.refuse(status, code, message)
        self._waiting.append(_Message(refusal, _CLOSE, True, 0))
        if self._current is None:
            self._next()

    def _close(self, lingers: bool) -> None:
        """Close; a client that still sends would miss the answer if it were reset."""
        self._refused = True
        self._forget()
        if lingers and not self._half_closed and self._transport.can_write_eof():
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(_LINGER, self._transport.abort)
        else:
            self._transport.close()

    def _forget(self) -> None:
        """Let go of what nobody will be told about."""
        while self._waiting:
            self._bodies.answered(self._waiting.popleft().counted)
        self._leave_body()

    def _leave_body(self) -> None:
        self._chunks, counted, self._counted = [], self._counted, 0
        self._bodies.drop(self, counted)
        if self._held:
            self.go_on()

    # Time

    def check_time(self) -> None:
        """End a connection that takes too long."""
        now = self._server.now
        quiet = now - self._seen
        if self._blocked:
            if quiet > _STALLED:
                self._transport.abort()
        elif self._reading and not self._held:
            if quiet > _STALLED or now - self._began > _SLOW:
                self._end(408, "timeout", "the request did not come in time")
        elif self._current is None and quiet > _IDLE:
            self._transport.close()

    def end_if_idle(self) -> None:
        """Close unless a request is under way, be it that nothing of it was read yet."""
        if self._current is None and not self._waiting and not self._reading and not self._unread():
            self._transport.close()

    def _unread(self) -> bool:
        """Say whether the client sent what the event loop has not come to."""
        if self._refused or self._transport.is_closing():
            return False
        number = self._transport.get_extra_info("socket").fileno()
        return any(fcntl.ioctl(number, termios.FIONREAD, bytes(4)))
