"""Bodies that come in chunks, each with its length, with headers after the last one.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable

from boostline.local.wire.errors import AwsError
from boostline.local.wire.refusals import Refused
from boostline.local.wire.signature import BadSignature

Signer = Callable[..., str]
_NOTHING = hashlib.sha256(b"").hexdigest()
_LONGEST_LINE = 8_192


class Chunks:
    """One `aws-chunked` body: what it holds, and then its trailing headers.

    Parameters
    ----------
    stream
        The body as it comes.
    signature, sign
        That of the request, with which the first chunk's is made, and what makes signatures: None
        where chunks are not signed.
    """

    def __init__(self, stream: AsyncIterator[bytes], signature: str, sign: Signer | None) -> None:
        self.trailers: dict[str, str] = {}
        self._stream = stream
        self._buffer = bytearray()
        self._last = signature
        self._sign = sign

    async def content(self) -> AsyncIterator[bytes]:
        """Give the body without its chunks' frames.

        Raises
        ------
        AwsError
            `IncompleteBody` if it is none.
        BadSignature
            If a chunk or the trailing headers are not signed as they should be.
        """
        size = -1
        while size:
            line, _, signature = (await self._line()).partition(";chunk-signature=")
            try:
                size = left = int(line, 16)
            except ValueError:
                raise _incomplete(f"{line[:20]!r} is no chunk's length") from None
            digest = hashlib.sha256()
            while left > 0:
                piece = await self._piece(left)
                digest.update(piece)
                left -= len(piece)
                yield piece
            self._check(signature, "-PAYLOAD", _NOTHING, digest.hexdigest())
            if size and await self._line():
                raise _incomplete("a chunk is longer than it says")
        await self._trail()

    async def _trail(self) -> None:
        lines = []
        while line := await self._line(last=True):
            lines.append(line)
            name, _, value = line.partition(":")
            self.trailers[name.strip().lower()] = value.strip()
        signature = self.trailers.pop("x-amz-trailer-signature", "")
        if self.trailers:
            signed = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
            self._check(signature, "-TRAILER", hashlib.sha256(signed.encode()).hexdigest())

    def _check(self, signature: str, kind: str, *lines: str) -> None:
        if self._sign is not None:
            self._last = self._sign(kind, self._last, *lines)
            if not hmac.compare_digest(self._last.encode(), signature.encode()):
                raise BadSignature(Refused.SIGNATURE, "(of a chunk)")

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
