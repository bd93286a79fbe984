"""Parquet, decoded in a process of its own.

A file of some kilobytes can decode to gigabytes, and a broken one can end the process that decodes
it: Polars asks for whatever memory the file's metadata say. So that is never the server, whose
other requests would fail with it. The process is started by the first request and stays; it ends
when its connection does, however the server ended.
"""

import os
import subprocess
import sys
import weakref
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Lock, Timer
from typing import NamedTuple

import msgspec
import numpy as np

from boostline.container.flavors.base import Rows
from boostline.container.programs.refusals import RowProblem, ScoringError
from boostline.features.contract import FeatureContract

MEMORY = 2 << 30
Refusal = tuple[int, str, str, list[RowProblem]]

_SECONDS = 50  # SageMaker waits 60 s for an answer
_FAILED = "it cannot be decoded, or not within the memory for it: send fewer rows at a time"


class _Decoder(NamedTuple):
    """The process.

    It takes a byte (1 for rows that are features) and a file at a time, and answers features, or
    nothing and a refusal.
    """

    process: "subprocess.Popen[bytes]"
    connection: Connection

    def stop(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()


class ParquetReader:
    """Reads the rows of Parquet, one request at a time.

    Parameters
    ----------
    contract
        The model's.
    memory
        How many bytes decoding may take.
    """

    def __init__(self, contract: FeatureContract, memory: int = MEMORY) -> None:
        self._contract = contract
        self._memory = memory
        self._width = len(contract.columns)
        self._lock = Lock()
        self._decoder: _Decoder | None = None

    def read(self, body: bytes, transformed: bool) -> Rows:
        """Read rows.

        Parameters
        ----------
        body
            The file.
        transformed
            Whether its rows are known to be features.

        Raises
        ------
        ScoringError
            With every problem found.
        """
        with self._lock:
            decoder = self._running()
            timer = Timer(_SECONDS, decoder.process.kill)
            timer.start()
            try:
                decoder.connection.send_bytes(bytes([transformed]))
                decoder.connection.send_bytes(body)
                features = decoder.connection.recv_bytes()
                refusal = b"" if features else decoder.connection.recv_bytes()
            except (OSError, EOFError):
                self._decoder = None
                decoder.stop()
                raise ScoringError(400, "bad_parquet", _FAILED) from None
            finally:
                timer.cancel()
        if refusal:
            raise ScoringError(*msgspec.json.decode(refusal, type=Refusal))
        return np.frombuffer(features, np.float32).reshape(-1, self._width)

    def _running(self) -> _Decoder:
        if self._decoder is None or self._decoder.process.poll() is not None:
            self._decoder = self._start()
        return self._decoder

    def _start(self) -> _Decoder:
        ours, theirs = Pipe()
        with theirs:
            place = theirs.fileno()
            program = "boostline.container.programs.decoder"
            command = [sys.executable, "-m", program, str(place), str(self._memory)]
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=[place],
                env=os.environ | {"RUST_BACKTRACE": "0"},
            )
        decoder = _Decoder(process, ours)
        weakref.finalize(self, decoder.stop)
        ours.send_bytes(self._contract.to_json())
        return decoder
