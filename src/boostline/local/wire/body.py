"""Bodies that are files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class FileRange(NamedTuple):
    """A part of a file, as the body of an answer: `start` and `length` in bytes."""

    path: Path
    start: int
    length: int
