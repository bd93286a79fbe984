"""The bodies of requests that are in memory, and how they leave it."""

import ctypes
from typing import Protocol

_BOUND = 128 << 20  # bytes of all bodies; one body may be larger
_LARGE = 1 << 20  # bytes of a body after which memory is given back


class Sender(Protocol):
    """A connection on which a body arrives."""

    def hold(self) -> None:
        """Read no more."""

    def go_on(self) -> None:
        """Read on."""


class Bodies:
    """Bounds the memory of a process's requests.

    Over the bound no body goes on arriving before what has arrived is answered; then one at a time
    does, so that there is always one that comes to its end.

    Parameters
    ----------
    bound
        How many bytes there may be.
    """

    def __init__(self, bound: int = _BOUND) -> None:
        self._bound = bound
        self._bytes = 0
        self._whole = 0  # those of them that are of whole bodies
        self._held: dict[Sender, None] = {}
        self._alone: Sender | None = None  # goes on although there are too many
        self._untidy = False

    @property
    def too_many(self) -> bool:
        """Whether there are more bytes than there may be."""
        return self._bytes > self._bound

    def add(self, size: int) -> None:
        """Count a part that arrived."""
        self._bytes += size

    def wait(self, sender: Sender) -> None:
        """Hold a sender in the midst of a body, unless it is the one that may go on."""
        if self._whole or self._alone not in (None, sender):
            self._held[sender] = None
            sender.hold()
        else:
            self._alone = sender

    def complete(self, sender: Sender, size: int) -> None:
        """Note that a body is whole: it is answered before others go on."""
        self._whole += size
        if self._alone is sender:
            self._alone = None

    def answered(self, size: int) -> None:
        """Forget a whole body."""
        self._bytes -= size
        self._whole -= size
        self._untidy |= size > _LARGE
        if self._held:
            self._go_on()

    def drop(self, sender: Sender, size: int) -> None:
        """Forget a part of a body, and who sent it."""
        self._bytes -= size
        self._held.pop(sender, None)
        if self._alone is sender:
            self._alone = None
        if self._held:
            self._go_on()

    def _go_on(self) -> None:
        if not self.too_many:
            held, self._held = self._held, {}
            for sender in held:
                sender.go_on()
        elif not self._whole and self._alone is None:
            self._alone = next(iter(self._held))
            del self._held[self._alone]
            self._alone.go_on()

    def tidy(self) -> None:
        """Give the system back what large bodies left in the allocator's hands."""
        if self._untidy:
            self._untidy = False
            _trim(0)


_trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)  # glibc's alone
