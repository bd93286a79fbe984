"""Checkpoints of a training that SageMaker may interrupt (spot) or stop."""

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec

EXIT_CODE = 128 + signal.SIGTERM  # of a training that ended on SIGTERM: not a failure, no model
_GRACE_SECONDS = 60.0  # to reach the next checkpoint; SageMaker kills 120 s after SIGTERM


class Interrupted(Exception):
    """SIGTERM came; what can be resumed is in the checkpoint."""


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a training is: the rounds done, and what early stopping remembers of them."""

    rounds: int = 0
    best_round: int = -1
    best_score: float | None = None


class Checkpoints:
    """One file that is replaced as a whole, so that a kill at any moment leaves the last one.

    Parameters
    ----------
    folder
        SageMaker keeps it in S3 and brings it back; where it is not there, nothing is kept.
    key
        Identifies the training: a checkpoint of another one is not resumed.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._path = folder / "training.checkpoint"
        self._key = key
        self._asked: float | None = None

    @property
    def kept(self) -> bool:
        """Whether there is a folder to keep them in."""
        return self._path.parent.is_dir()

    def load(self) -> tuple[State, bytes]:
        """Read the state and the model; the first state where there is none to resume."""
        try:
            content = self._path.read_bytes()
        except OSError:
            return State(), b""
        head, _, rest = content.partition(b"\n")
        state, _, model = rest.partition(b"\n")
        if head.decode(errors="replace") != _digest(self._key.encode() + rest):
            print("the checkpoint is of another training: starting anew", flush=True)
            return State(), b""
        return msgspec.json.decode(state, type=State), model

    def save(self, state: State, model: bytes) -> None:
        """Replace the checkpoint, durably."""
        if not self.kept:
            return
        rest = msgspec.json.encode(state) + b"\n" + model
        head = _digest(self._key.encode() + rest).encode() + b"\n"
        # Hidden from SageMaker's upload by neither name nor place: it is renamed in an instant.
        partial = self._path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(head + rest)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take SIGTERM as a request to end at the next checkpoint."""
        if not self.kept:
            yield
            return
        before = signal.signal(signal.SIGTERM, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def check(self, rounds: int, *, saved: bool) -> None:
        """End where SIGTERM came and a checkpoint was just saved, or is too far away.

        Raises
        ------
        Interrupted
            After how many rounds.
        """
        if self._asked is None:
            return
        if saved or time.monotonic() - self._asked > _GRACE_SECONDS:
            raise Interrupted(f"SIGTERM: stopped after round {rounds}, to resume from {self._path}")

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = time.monotonic()


def digest_files(folders: list[Path]) -> str:
    """Digest the names and contents of all files below some folders."""
    whole = hashlib.sha256()
    for folder in folders:
        for path in sorted(found for found in folder.rglob("*") if found.is_file()):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{path.relative_to(folder)}\0{content}\n".encode())
    return whole.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
