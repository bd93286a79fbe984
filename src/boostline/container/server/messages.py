"""What the transport and the routes hand each other."""

from collections.abc import Callable
from typing import NamedTuple

import httptools


class HttpRequest(NamedTuple):
    """A request; names of headers are in lower case."""

    method: bytes
    path: bytes
    headers: dict[bytes, bytes]
    body: bytes


class Answer(NamedTuple):
    """An answer; ``headers`` are whole lines."""

    status: int
    body: bytes = b""
    media_type: str = ""
    headers: bytes = b""


Respond = Callable[[Answer], None]
Handler = Callable[[HttpRequest, Respond], None]
Refuse = Callable[[int, str, str], Answer]


def path_of(target: bytes) -> bytes:
    """Return the path of a request's target, without its query."""
    if target.startswith(b"/"):
        return target.partition(b"?")[0]
    try:
        return httptools.parse_url(target).path or b"/"
    except httptools.HttpParserInvalidURLError:
        return target
