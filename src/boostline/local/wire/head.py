"""The head of a request: all but its body."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Scope

from boostline.local.wire.errors import AwsError


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

    def unframed(self, trailers: dict[str, str]) -> Head:
        """Return the head that a body in chunks stands for, with the headers that came after it.

        Raises
        ------
        AwsError
            `MalformedTrailerError` if one that was announced did not come.
        """
        announced = self.headers.get("x-amz-trailer", "").lower().replace(" ", "").split(",")
        if missing := set(filter(None, announced)) - trailers.keys():
            raise AwsError("MalformedTrailerError", f"The trailers {sorted(missing)} did not come.")
        headers = {**self.headers, **trailers}
        codings = [each.strip() for each in headers.pop("content-encoding", "").split(",")]
        if others := [each for each in codings if each not in {"", "aws-chunked"}]:
            headers["content-encoding"] = ", ".join(others)
        return self._replace(headers=Headers(headers))

    @property
    def target(self) -> str:
        """The operation of the JSON protocols, or an empty string."""
        return self.headers.get("x-amz-target", "")
