"""Parquet is decoded in a process of its own, which is really there."""

import gc
import io
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boostline.container.flavors.base import Rows
from boostline.container.programs.parquet import ParquetReader
from boostline.container.programs.refusals import ScoringError
from boostline.features.contract import FeatureContract, fitted
from boostline.features.spec import FeatureSpec

pytestmark = pytest.mark.slow

SPEC = FeatureSpec(
    label="y",
    numeric=["a", "b"],
    categorical=["k"],
    ignore=["note"],
    derived={"c": 'col("a") / col("b")'},
    missing=["-"],
)
CONTRACT = fitted(SPEC, {"k": ["7", "x"]}, ["no", "yes"])
TABLE = pl.DataFrame({"a": [1.5, None], "b": [2.0, 0.0], "k": ["x", "7.0"]})
ROWS = np.array([[1.5, 2, 1, 0.75], [np.nan, 0, 0, np.nan]], dtype=np.float32)


def written(table: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    table.write_parquet(file)
    return file.getvalue()


@pytest.fixture(scope="module")
def reader() -> ParquetReader:
    return ParquetReader(CONTRACT)


def refused(reader: ParquetReader, body: bytes, transformed: bool = False) -> ScoringError:
    with pytest.raises(ScoringError) as caught:
        reader.read(body, transformed)
    return caught.value


def same(found: Rows, expected: Rows) -> bool:
    return np.array_equal(found, expected, equal_nan=True)


def decoders() -> list[int]:
    """Find our processes that decode."""
    gc.collect()  # those of other tests end now and not when they are found
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if "programs.decoder" in line]


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        TABLE.select("k", "b", "a"),
        TABLE.with_columns(a=pl.Series(["1.50", "-"]), note=pl.lit(1), y=pl.lit("no")),
        TABLE.with_columns(pl.col("a", "b").cast(pl.Float32)),
        TABLE.with_columns(a=pl.Series([1.5, float("nan")]), b=pl.Series([2, 0], dtype=pl.UInt8)),
        TABLE.with_columns(a=pl.Series([Decimal("1.5"), None]), k=pl.col("k").cast(pl.Categorical)),
    ],
)
def test_raw_columns_are_records(reader: ParquetReader, table: pl.DataFrame) -> None:
    assert same(reader.read(written(table), False), ROWS)


def test_derived_columns_and_a_known_contract_tell_features(reader: ParquetReader) -> None:
    features = pl.DataFrame(ROWS, schema=CONTRACT.columns)
    assert same(reader.read(written(features), False), ROWS)
    assert same(reader.read(written(features.select(sorted(features.columns))), True), ROWS)
    error = refused(reader, written(features.drop("c")), transformed=True)
    assert (error.problems[0].row, error.problems[0].field) == (0, "c")


@pytest.mark.parametrize(
    ("change", "row", "column", "said"),
    [
        (pl.Series("a", ["1", "many"]), 2, "a", "must be a number, not 'many'"),
        (pl.Series("a", [1.0, float("inf")]), 2, "a", "range of float32"),
        (pl.Series("a", [True, False]), 1, "a", "must be a number, not true"),
        (pl.Series("a", [date(2026, 1, 1)] * 2), 1, "a", "must be a number"),
        (pl.Series("k", ["x", "other"]), 2, "k", "unknown category 'other'"),
        (pl.Series("k", [["x"], []]), 0, "k", "holds List(String)"),
        (pl.Series("k", [b"x", b""]), 0, "k", "holds Binary"),
        (pl.Series("k", [timedelta(1)] * 2), 0, "k", "holds Duration"),
        (pl.Series("k", ["x", "x" * 200_000]), 0, "k", "more than 131072 bytes"),
        (pl.Series("more", [1, 2]), 0, "more", "not a column"),
    ],
)
def test_a_problem_has_its_row_and_column(
    reader: ParquetReader, change: pl.Series, row: int, column: str, said: str
) -> None:
    error = refused(reader, written(TABLE.with_columns(change)))
    assert (error.status, error.code) == (400, "invalid_rows")
    assert (error.problems[0].row, error.problems[0].field) == (row, column)
    assert said in error.message


def test_unknown_categories_by_the_policy_of_the_contract() -> None:
    lenient = FeatureContract.from_json(CONTRACT.to_json().replace(b'"error"', b'"missing"'))
    table = TABLE.with_columns(k=pl.Series(["other", "7"]))
    assert np.isnan(ParquetReader(lenient).read(written(table), False)[0, 2])


def test_the_process_comes_back_after_its_death(reader: ParquetReader) -> None:
    body = written(TABLE)
    reader.read(body, False)
    for pid in decoders():
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert same(reader.read(body, False), ROWS)


def test_what_decodes_to_more_than_there_is_memory_is_refused() -> None:
    small = ParquetReader(CONTRACT, memory=400 << 20)
    bomb = written(TABLE[:1].with_columns(k=pl.lit("x" * 300_000_000)))
    assert len(bomb) < 100_000
    error = refused(small, bomb)
    assert (error.status, error.code) == (400, "bad_parquet")
    assert same(small.read(written(TABLE), False), ROWS)


def test_threads_get_their_own_answers(reader: ParquetReader) -> None:
    tables = [TABLE.with_columns(a=pl.lit(float(n))) for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda table: reader.read(written(table), False), tables)
    assert [rows[0, 0] for rows in found] == list(range(40))


def test_the_process_ends_with_its_server(tmp_path: Path) -> None:
    (tmp_path / "table.parquet").write_bytes(written(TABLE))
    (tmp_path / "contract.json").write_bytes(CONTRACT.to_json())
    program = (
        "import os, pathlib, signal\n"
        "from boostline.container.programs.parquet import ParquetReader\n"
        "from boostline.features.contract import FeatureContract\n"
        "reader = ParquetReader(FeatureContract.from_json(open('contract.json', 'rb').read()))\n"
        "reader.read(open('table.parquet', 'rb').read(), False)\n"
        "print('read', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    # Its standard output is the decoder's too: it is at its end when both are.
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"read\n")


GOOD = [written(TABLE), written(TABLE[:0]), written(pl.concat([TABLE] * 50))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255), st.booleans()), max_size=4),
)
def test_broken_files_are_rows_or_refused(
    reader: ParquetReader, body: bytes, changes: list[tuple[float, int, bool]]
) -> None:
    broken = bytearray(body)
    for place, byte, cut in changes:
        at = int(place * (len(broken) - 1))
        broken[at : at + 1] = b"" if cut else bytes([byte])
    try:
        rows = reader.read(bytes(broken), False)
    except ScoringError as error:
        status = error.status
    else:
        status = 200
        assert rows.shape[1] == 4
    assert status in (200, 400, 413)
