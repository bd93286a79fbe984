"""The process that decodes Parquet, see :mod:`boostline.container.programs.parquet`."""

import resource
import signal
import sys
from multiprocessing.connection import Connection

import msgspec
import polars as pl

from boostline.container.programs.forms import Forms
from boostline.container.programs.parquet import Refusal
from boostline.container.programs.refusals import ScoringError
from boostline.container.programs.tables import read_parquet
from boostline.features.contract import FeatureContract


def main(connection: Connection, memory: int) -> None:
    """Answer requests until there are no more."""
    # The server ends first, also when a terminal tells both to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    try:
        forms = Forms(FeatureContract.from_json(connection.recv_bytes()))
        while True:
            transformed = connection.recv_bytes() == b"\x01"
            _answer(connection, forms, transformed)
    except (EOFError, OSError, MemoryError, pl.exceptions.PanicException):
        return  # the server sees that the connection is closed


def _answer(connection: Connection, forms: Forms, transformed: bool) -> None:
    try:
        rows = read_parquet(connection.recv_bytes(), forms, transformed)
        connection.send_bytes(rows.tobytes())
    except ScoringError as error:
        refusal: Refusal = (error.status, error.code, error.message, error.problems)
        connection.send_bytes(b"")
        connection.send_bytes(msgspec.json.encode(refusal))


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])), int(sys.argv[2]))
