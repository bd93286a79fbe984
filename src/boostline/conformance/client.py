"""Requests as SageMaker sends them, and answers as they come."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from boostline.conformance.bench import Fails
from boostline.conformance.inputs import Request
from boostline.contracts.ports import LOOPBACK

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
Body = bytes | Iterable[bytes]


class NoAnswer(Fails):
    """A request that was not answered; the text says how it ended."""


@dataclass(frozen=True)
class Answer:
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def shown(self) -> str:
        """The answer in a few words."""
        return f"{self.status} {self.body[:120].decode(errors='replace')}".strip()


def ask(
    port: int,
    method: str,
    path: str,
    body: Body = b"",
    headers: Mapping[str, str] | None = None,
    seconds: float = 60.0,
) -> Answer:
    """Send one request on a connection of its own.

    A body that is not taken to its end is no mistake if an answer comes: 413 does so.

    Raises
    ------
    NoAnswer
        No answer came in time, or none at all.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=seconds)
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have answered
            connection.request(method, path, body or None, dict(headers or {}))
        return _read(connection.getresponse())
    except TimeoutError:
        raise NoAnswer(f"no answer within {seconds:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"the connection ended without an answer ({error!r})") from None
    finally:
        connection.close()


def invoke(
    port: int,
    request: Request,
    seconds: float = 60.0,
    headers: Mapping[str, str] | None = None,
    *,
    chunked: bool = False,
) -> Answer:
    """Send a request to `/invocations`, perhaps with further headers, or in two chunks."""
    body: Body = request.body
    if chunked:
        middle = len(request.body) // 2
        body = iter([part for part in (request.body[:middle], request.body[middle:]) if part])
    return ask(port, "POST", "/invocations", body, {**head(request), **(headers or {})}, seconds)


def head(request: Request) -> dict[str, str]:
    """Return the headers that say what a request is."""
    found = {"Content-Type": request.content_type, "Accept": request.accept}
    return {name: text for name, text in found.items() if text}


def taken(port: int) -> bool:
    """Say whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


class Half:
    """A request whose head and first half of a body are sent: it is in flight until it is ended."""

    def __init__(self, port: int, request: Request, seconds: float) -> None:
        self._rest = request.body[len(request.body) // 2 :]
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=seconds)
        self._connection.putrequest("POST", "/invocations")
        for name, text in head(request).items():
            self._connection.putheader(name, text)
        self._connection.putheader("Content-Length", str(len(request.body)))
        self._connection.endheaders(request.body[: len(request.body) // 2])

    def end(self) -> Answer | NoAnswer:
        """Send the other half and return the answer, or why there was none."""
        try:
            self._connection.send(self._rest)
            return _read(self._connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            return NoAnswer(f"the connection ended without an answer ({error!r})")
        finally:
            self._connection.close()


def connect(port: int, seconds: float) -> socket.socket | None:
    """Open a connection; None if it is not accepted in time."""
    try:
        return socket.create_connection((LOOPBACK, port), timeout=seconds)
    except OSError:
        return None


def as_json(answer: Answer) -> object:
    """Return an answer's body as JSON, or None if it is none."""
    try:
        found: object = json.loads(answer.body)
    except ValueError:
        return None
    return found


def _read(response: http.client.HTTPResponse) -> Answer:
    headers = {name.lower(): text for name, text in response.getheaders()}
    return Answer(response.status, headers, response.read())
