"""Every way of reading CSV gives the same rows, or the same refusal."""

import csv
import io

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boostline.container.flavors.base import Rows
from boostline.container.programs.csv_rows import CsvReader
from boostline.container.programs.forms import Forms
from boostline.container.programs.refusals import ScoringError
from boostline.features.contract import FeatureContract, fitted
from boostline.features.record import RecordError, RecordTransform
from boostline.features.spec import FeatureSpec

SPEC = FeatureSpec(
    label="churn",
    numeric=["day", "eve"],
    categorical=["plan"],
    ignore=["phone"],
    derived={"total": 'col("day") + col("eve")'},
    missing=["", "-999"],
)
CONTRACT = fitted(SPEC, {"plan": ["no", "yes"]}, ["False.", "True."])
FORMS = Forms(CONTRACT)
LINES, TABLE = CsvReader(FORMS, large=10**9), CsvReader(FORMS, large=0)

Outcome = Rows | bytes


def outcome(reader: CsvReader, body: bytes, header: str = "", transformed: bool = False) -> Outcome:
    try:
        return reader.read(body, header, transformed)
    except ScoringError as error:
        return error.to_json()


def same(one: Outcome, other: Outcome) -> bool:
    if isinstance(one, bytes) or isinstance(other, bytes):
        return bool(one is other or (type(one) is type(other) and one == other))
    return np.array_equal(one, other, equal_nan=True)


numbers = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e38, max_value=1e38).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["", "+1", "1.", ".5", "1e5", "1E-400", "-0", "00012", "-999"]),
)
odd = st.one_of(
    st.sampled_from(
        [" 1", "1\t", "1\r", "nan", "NaN", "inf", "-Infinity", "1e39", "1e400", "1_0", "0x1", "٣"]
    ),
    st.sampled_from(["x", '"1"', '"', '1"', "\0", "é", "1;2", "True", "#1", "'1'", "9" * 400]),
    st.text(max_size=3),
)
plans = st.sampled_from(["yes", "no", "", " yes", "YES", "maybe", "1"])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Make CSV of the kinds of columns: mostly right."""
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    wrong = draw(st.sampled_from([0, 0, 0, 1, 2]))
    header = draw(
        st.sampled_from([None, None, "day,eve,plan", "plan,phone,eve,day", "total,plan,eve,day"])
    )
    names = header.split(",") if header else ["day", "eve", "code", "total"]
    raw = header is not None and "total" not in names
    fields = [plans if name == "plan" and raw else numbers for name in names]
    rows = draw(st.lists(st.tuples(*fields).map(list), min_size=1, max_size=6))
    for _ in range(wrong):
        row = draw(st.sampled_from(rows))
        place = draw(st.integers(0, max(len(row) - 1, 0)))
        row[place : place + draw(st.integers(0, 1))] = [draw(odd)] * draw(st.integers(0, 2))
    lines = ([header] if header else []) + [",".join(row) for row in rows]
    return (end.join(lines) + draw(st.sampled_from(["", end, end * 2]))).encode()


@given(bodies())
@example(b"1,2,0,3\n4,5,0,9")
@example(b"1,2,0\n,3")
@example(b"1,2,0,3\n\n1,2,0,3")
@example(b"1,2,0,3\n4,5,0\n6,7,0,1,2")
@example(b"1,2,0,3\n1,2,0,3,")
@example(b"1,2,0,nan")
@example(b"1,2,0,-inf")
@example(b"1,2,0,1e39")
@example(b"day,eve,plan\n1,2,maybe")
@example(b"day,eve,plan,plan\n1,2,no,no")
@example(b"day,eve\n1,2")
@example(b"day,eve,plan\n")
def test_lines_and_table_agree(body: bytes) -> None:
    one, other = outcome(LINES, body), outcome(TABLE, body)
    assert same(one, other), (one, other)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=4))
def test_quotes_make_no_difference(rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    quoted = text.getvalue().encode()
    plain = "\n".join(",".join(row) for row in rows).encode()
    expected = outcome(LINES, quoted)
    assert same(outcome(LINES, plain), expected)
    assert same(outcome(TABLE, plain), expected)
    if isinstance(expected, np.ndarray):
        values = [[float(field or "nan") for field in row] for row in rows]
        assert same(expected, np.array(values).astype(np.float32))


@given(st.lists(st.tuples(numbers, plans, numbers), min_size=1, max_size=4))
def test_rows_with_the_raw_columns_are_records(rows: list[tuple[str, ...]]) -> None:
    names = ["eve", "plan", "day"]
    body = "\n".join([",".join(names), *(",".join(row) for row in rows)]).encode()
    transform = RecordTransform(CONTRACT).transform
    try:
        expected = [transform(dict(zip(names, row, strict=True))) for row in rows]
    except RecordError:
        assert isinstance(outcome(LINES, body), bytes)
        assert isinstance(outcome(TABLE, body), bytes)
        return
    for reader in (LINES, TABLE):
        assert same(outcome(reader, body), np.array(expected, dtype=np.float32))


@given(st.one_of(st.binary(max_size=40), st.text('0123456789,.-e\n\r" ', max_size=40)))
@example(b"\0\n\x80")
def test_any_bytes_are_rows_or_refused(body: bytes | str) -> None:
    content = body if isinstance(body, bytes) else body.encode()
    for header in ("", "present", "absent"):
        one, other = (outcome(reader, content, header) for reader in (LINES, TABLE))
        assert same(one, other)


def test_a_header_says_what_rows_are() -> None:
    features = FORMS.features.contract.columns
    assert features == ["day", "eve", "plan", "total"]
    rows = np.array([[1, 2, 1, 9]], dtype=np.float32)
    for reader in (LINES, TABLE):
        assert same(outcome(reader, b"total,plan,day,eve\n9,1,1,2"), rows)
        records = outcome(reader, b"plan,day,eve,phone\nyes,1,2,x")
        assert same(records, np.array([[1, 2, 1, 3]], dtype=np.float32))
        # The same columns with codes: only the request can tell that they are features.
        error = outcome(reader, b"plan,day,eve\n1,1,2")
        assert b"unknown category '1'" in bytes(error)
        missing = outcome(reader, b"plan,day,eve\n1,1,2", transformed=True)
        assert b"column 'total': is missing" in bytes(missing)


@pytest.mark.parametrize("reader", [LINES, TABLE])
def test_a_header_of_numbers_has_to_be_told(reader: CsvReader) -> None:
    spec = FeatureSpec(label="y", objective="regression", numeric=["1", "0"])
    forms = Forms(fitted(spec, {}, None))
    reader = CsvReader(forms, large=0 if reader is TABLE else 10**9)
    assert same(outcome(reader, b"0,1\n5,6"), np.array([[0, 1], [5, 6]], dtype=np.float32))
    told = outcome(reader, b"0,1\n5,6", header="present")
    assert same(told, np.array([[6, 5]], dtype=np.float32))


def test_a_header_can_be_denied() -> None:
    body = b"day,eve,plan,total\n1,2,0,3"
    assert isinstance(outcome(LINES, body), np.ndarray)
    assert b"row 1, column 'day': must be a number" in bytes(outcome(LINES, body, "absent"))


def test_one_column() -> None:
    spec = FeatureSpec(label="y", objective="regression", numeric=["x"])
    forms: Forms = Forms(fitted(spec, {}, None))
    for reader in (CsvReader(forms, large=10**9), CsvReader(forms, large=0)):
        rows = outcome(reader, b'1\n""\n3\n')
        assert same(rows, np.array([[1], [np.nan], [3]], dtype=np.float32))
        assert b"row 2: is blank" in bytes(outcome(reader, b"1\n\n3\n"))


def test_problems_are_told_up_to_a_number(contract: FeatureContract) -> None:
    with pytest.raises(ScoringError) as caught:
        CsvReader(Forms(contract)).read(b"x,1,1,1\n" * 100_000, "", False)
    assert len(caught.value.problems) == 100
    assert len(caught.value.to_json()) <= 2_048
