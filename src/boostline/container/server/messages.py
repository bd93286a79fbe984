"""What the transport and the routes hand each other."""

from collections.abc import Callable
from typing import NamedTuple


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
