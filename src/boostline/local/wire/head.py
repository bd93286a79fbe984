"""The head of a request: all but its body."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Scope


class Head(NamedTuple):
    """Method, path and query as sent (percent-encoded), and headers."""

    method: str
    path: str
    query: str
    headers: Headers

    @classmethod
    def of(cls, scope: Scope) -> Head:
        """Return the head of an ASGI request."""
        return cls(
            scope["method"],
            scope["raw_path"].decode("latin-1") or "/",
            scope["query_string"].decode("latin-1"),
            Headers(scope=scope),
        )

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query's names and values, decoded, in their order."""
        return parse_qsl(self.query, keep_blank_values=True)

    @property
    def target(self) -> str:
        """The operation of the JSON protocols, or an empty string."""
        return self.headers.get("x-amz-target", "")
