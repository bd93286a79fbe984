"""Bodies that come in chunks, each with its length, with headers after the last one.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from boostline.local.wire.errors import AwsError

_LONGEST_LINE = 8_192


class Chunks:
    """One `aws-chunked` body, as it comes: what it holds, and then its trailing headers."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self.trailers: dict[str, str] = {}
        self._stream = stream
        self._buffer = bytearray()

    async def content(self) -> AsyncIterator[bytes]:
        """Give the body without its chunks' frames.

        Raises
        ------
        AwsError
            `IncompleteBody` if it is none.
        """
        while left := await self._size():
            while left > 0:
                piece = await self._piece(left)
                left -= len(piece)
                yield piece
            if await self._line():
                raise _incomplete("a chunk is longer than it says")
        while line := await self._line(last=True):
            name, _, value = line.partition(":")
            self.trailers[name.strip().lower()] = value.strip()

    async def _size(self) -> int:
        line = await self._line()
        try:
            return int(line, 16)
        except ValueError:
            raise _incomplete(f"{line[:20]!r} is no chunk's length") from None

    async def _line(self, last: bool = False) -> str:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise _incomplete("a line of a chunk is too long")
            if not await self._more():
                if last and not self._buffer:  # some leave out the empty line at the end
                    return ""
                raise _incomplete("the body ends within a chunk")
        line = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 2]
        return line

    async def _piece(self, most: int) -> bytes:
        if not self._buffer and not await self._more():
            raise _incomplete("the body ends within a chunk")
        piece = bytes(self._buffer[:most])
        del self._buffer[:most]
        return piece

    async def _more(self) -> bool:
        async for data in self._stream:
            if data:
                self._buffer += data
                return True
        return False


def _incomplete(message: str) -> AwsError:
    return AwsError("IncompleteBody", f"The request body is no aws-chunked one: {message}")
