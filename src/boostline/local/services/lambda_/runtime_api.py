"""Lambda's Runtime API, as one worker sees it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import NamedTuple

import httptools

PREFIX = "/2018-06-01/runtime/"
MAX_RESPONSE = 6_291_556  # 6 MB and 100 bytes: what the service's own message says


@dataclass(frozen=True)
class Invocation:
    """An event for a function; `deadline` in epoch milliseconds."""

    request_id: str
    payload: bytes
    arn: str
    deadline: int
    trace: str
    client_context: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that `/invocation/next` answers."""
        headers = {
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(self.deadline),
            "Lambda-Runtime-Invoked-Function-Arn": self.arn,
            "Lambda-Runtime-Trace-Id": self.trace,
        }
        if self.client_context:
            headers["Lambda-Runtime-Client-Context"] = self.client_context
        return headers


class Reply(NamedTuple):
    """What a worker answered; `failed` says that the payload is an error document."""

    payload: bytes
    failed: bool


class RuntimeApi:
    """The listener of one worker, on a loopback port of its own."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.idle = asyncio.Event()
        self.init_error: asyncio.Future[bytes] = loop.create_future()
        self._asking: _Connection | None = None
        self._handed: tuple[Invocation, asyncio.Future[Reply]] | None = None
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> str:
        """Listen, and return the address for `AWS_LAMBDA_RUNTIME_API`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Stop listening; a worker that asks again ends itself."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()

    def hand_out(self, invocation: Invocation) -> asyncio.Future[Reply]:
        """Give the idle worker an event; the future holds its answer."""
        if self._asking is None:
            raise RuntimeError("the worker is not idle")
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._handed = (invocation, reply)
        connection, self._asking = self._asking, None
        self.idle.clear()
        connection.answer(200, invocation.payload, invocation.headers())
        return reply

    def request(self, connection: _Connection, method: str, path: str, body: bytes | None) -> None:
        """Answer a request; `body` is None if it was larger than an answer may be."""
        resource = path.removeprefix(PREFIX)
        if (method, resource) == ("GET", "invocation/next"):
            self._asking = connection
            self.idle.set()
        elif (method, resource) == ("POST", "init/error"):
            if not self.init_error.done():
                self.init_error.set_result(body or b"{}")
            connection.accept()
        elif method == "POST" and resource.startswith("invocation/"):
            self._answered(connection, *resource.split("/")[1:], body=body)
        else:
            connection.refuse(404, "InvalidResource", f"{method} {path}")

    def _answered(
        self, connection: _Connection, request_id: str, kind: str = "", *, body: bytes | None
    ) -> None:
        if self._handed is None or self._handed[0].request_id != request_id:
            connection.refuse(400, "InvalidRequestID", "Invalid request ID")
        elif kind not in {"response", "error"}:
            connection.refuse(404, "InvalidResource", kind)
        elif body is None:
            self._finish(Reply(_too_large(), failed=True))
            connection.refuse(413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size")
        else:
            self._finish(Reply(body, failed=kind == "error"))
            connection.accept()

    def _finish(self, reply: Reply) -> None:
        if self._handed is not None and not self._handed[1].done():
            self._handed[1].set_result(reply)
        self._handed = None

    def opened(self, connection: _Connection) -> None:
        """Remember a connection, so that `close` ends it."""
        self._connections.add(connection)

    def lost(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if self._asking is connection:
            self._asking = None
            self.idle.clear()


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection; httptools calls the `on_…` methods."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._url = b""
        self._body = bytearray()
        self._too_large = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a TCP server's is
        self._transport = transport
        self._api.opened(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._api.lost(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_begin(self) -> None:
        self._url = b""
        self._body.clear()
        self._too_large = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, _: bytes) -> None:
        if name.lower() == b"expect":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if len(self._body) + len(body) > MAX_RESPONSE:
            self._too_large = True
        else:
            self._body += body

    def on_message_complete(self) -> None:
        body = None if self._too_large else bytes(self._body)
        self._api.request(self, self._parser.get_method().decode(), self._url.decode(), body)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        head = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        self._transport.write(f"HTTP/1.1 {status} -\r\n{lines}\r\n".encode("latin-1") + body)

    def accept(self) -> None:
        self.answer(202, b'{"status":"OK"}', {})

    def refuse(self, status: int, kind: str, message: str) -> None:
        body = json.dumps({"errorType": kind, "errorMessage": message}).encode()
        self.answer(status, body, {})

    def close(self) -> None:
        self._transport.close()


def _too_large() -> bytes:
    message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
    return json.dumps(
        {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
    ).encode()
