"""The table transform and the record transform agree bit for bit."""

import struct
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from boostline.features.contract import FeatureContract, fitted
from boostline.features.errors import FeatureError
from boostline.features.record import RecordError, RecordTransform
from boostline.features.spec import FeatureSpec
from boostline.features.table import transform
from tests.features.conftest import fit_table

NASTY = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    1e-46,
    1.401298464324817e-45,
    1.1754943508222875e-38,
    3.4028235677973362e38,
    -3.4028235677973362e38,
    16777217.0,
    1 / 3,
    float("nan"),
]
floats = st.one_of(st.sampled_from(NASTY), st.floats(-3.4028235677973362e38, 3.4028235677973362e38))
integers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(2**53 - 3, 2**53 + 3))
blanks = st.sampled_from(["", " ", "\t", " \t"])
digits = st.text("0123456789", min_size=1, max_size=40)
decimals = st.builds(
    lambda sign, whole, fraction, exponent: sign + whole + fraction + exponent,
    st.sampled_from(["", "+", "-"]),
    digits.map(lambda text: text[:30]),
    st.one_of(st.just(""), st.just("."), digits.map(lambda text: "." + text)),
    st.one_of(st.just(""), st.integers(-400, 3).map(lambda power: f"e{power}")),
)
number_texts = st.builds(
    lambda left, text, right: left + text + right,
    blanks,
    st.one_of(decimals, floats.map(lambda x: "" if x != x else repr(x)), integers.map(str)),
    blanks,
)
words = st.one_of(
    st.sampled_from(["415", "415.0", " 415 ", "007", "7", "-0", "true", "", "0.5", "1e3"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5),
    integers.map(str),
)
KINDS: dict[str, tuple[Any, Any]] = {
    "text": (number_texts, pl.String),
    "float": (floats, pl.Float64),
    "integer": (integers, pl.Int64),
}
CATEGORY_KINDS: dict[str, tuple[Any, Any]] = {
    "text": (words, pl.String),
    "float": (floats, pl.Float64),
    "integer": (integers, pl.Int64),
    "boolean": (st.booleans(), pl.Boolean),
}
missing_texts = st.lists(
    st.sampled_from(["", "NA", "?", "-999", "0", "415.0", "007", "true"]), max_size=3
)


operators = st.sampled_from("+-*/")


def expressions(names: list[str]) -> st.SearchStrategy[str]:
    leaves = st.one_of(
        st.sampled_from([f"col({quoted(name)})" for name in names]),
        st.sampled_from(["0", "1", "2.5", "1e30", "1e-30", "0.1", ".5", "3", "7", "49", "1e-5"]),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            # One unit in the last place of what cancels is the whole result.
            st.builds("1 / (({0} {1} {2}) - ({0} {1} {3}))".format, inner, operators, inner, inner),
            st.builds("(({0} / {1}) * {1} - {0}) * 1e20".format, inner, leaves),
            st.builds("{} {} {}".format, inner, operators, inner),
            st.builds("({})".format, inner),
            st.builds("-{}".format, inner),
        ),
        max_leaves=8,
    )


def quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def cases(draw: st.DrawFn) -> tuple[FeatureSpec, pl.DataFrame, list[dict[str, Any]]]:
    rows = draw(st.integers(1, 6))
    name = st.text(min_size=1, max_size=6).filter(lambda text: text != "label")
    names = draw(st.lists(name, min_size=2, max_size=5, unique=True))
    split = draw(st.integers(1, len(names)))
    numeric, categorical = names[:split], names[split:]
    columns: dict[str, list[Any]] = {}
    series = []
    for group, kinds in ((numeric, KINDS), (categorical, CATEGORY_KINDS)):
        for column in group:
            values, dtype = kinds[draw(st.sampled_from(sorted(kinds)))]
            cell = st.one_of(st.none(), values)
            # The first row has a value, so that no categorical column is without categories.
            columns[column] = draw(st.lists(cell, min_size=rows, max_size=rows))
            series.append(pl.Series(column, columns[column], dtype=dtype))
    derived: dict[str, str] = {}
    for place in range(draw(st.integers(0, 3))):
        derived[f"derived {place}"] = draw(expressions([*numeric, *derived]))
    spec = FeatureSpec(
        label="label",
        objective="regression",
        numeric=numeric,
        categorical=categorical,
        derived=derived,
        missing=draw(missing_texts),
    )
    table = pl.DataFrame([*series, pl.Series("label", [1.0] * rows)])
    records = [{key: column[row] for key, column in columns.items()} for row in range(rows)]
    return spec, table, records


def packed(row: list[float]) -> bytes:
    return struct.pack(f"{len(row)}f", *row)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(cases())
def test_rows_of_a_table_and_records_agree(
    case: tuple[FeatureSpec, pl.DataFrame, list[dict[str, Any]]],
) -> None:
    spec, table, records = case
    try:
        contract = fit_table(spec, table)
    except FeatureError as error:
        assert "has no values" in str(error)  # noqa: PT017
        return
    contract = FeatureContract.from_json(contract.to_json())
    rows = transform(contract, table, unknown="error")
    assert rows.columns == contract.columns
    assert set(rows.dtypes) == {pl.Float32}
    of_record = RecordTransform(contract).transform
    for record, row in zip(records, rows.rows(), strict=True):
        assert packed(of_record(record)) == packed(list(row))


DIVISORS = [3, 7, 10, 49, 0.1, 1e-5]
# Each is zero, or nearly all that is left of it is the rounding of its operations.
CANCELLING = [
    *(f'(col("a") / {number} - col("by {number}")) * 1e30' for number in DIVISORS),
    *(f'(col("a") * {number} - col("b")) * 1e20' for number in (1, 0.1, 3, -1)),
    '1 / (col("a") / 10 - col("b"))',
    '1 / (col("a") / col("b") - col("a") * (1 / col("b")))',
    '1 / (49 / col("a") - 49 * (1 / col("a")))',
    '(col("a") + col("b") - col("a") - col("b")) * 1e20',
    '(0.1 + 0.2 - 0.3) * 1e20 + col("a") * 0',
    '1 / (1 / 49 * col("a") - col("a") / 49)',
    '1 / (col("a") * col("b") + col("c") - (col("c") + col("a") * col("b")))',
    '1 / ((col("a") * col("b") + col("c")) - col("a") * col("b") - col("c"))',
    '1 / (col("a") * col("a") * col("a") - col("a") * (col("a") * col("a")))',
    '1 / (col("a") - 0 - col("a") * 1 + 1 / (0 - 3) / 1e9)',
]


def test_not_one_unit_in_the_last_place_differs() -> None:
    values = [447.0, 1.1, -3.3, *(number / 7 - 123.4 for number in range(2_000))]
    columns = {name: values[start:] + values[:start] for start, name in enumerate("abc")}
    columns |= {f"by {by}": [a / by for a in columns["a"]] for by in DIVISORS}
    spec = FeatureSpec(
        label="label",
        objective="regression",
        numeric=list(columns),
        derived={f"derived {place}": text for place, text in enumerate(CANCELLING)},
    )
    contract = fitted(spec, {}, None)
    table = pl.DataFrame(columns)
    of_record = RecordTransform(contract).pack
    expected = [of_record(record) for record in table.to_dicts()]
    assert [packed(list(row)) for row in transform(contract, table).rows()] == expected
    for place in range(20):  # a column of one row is no constant either
        (row,) = transform(contract, table.slice(place, 1)).rows()
        assert packed(list(row)) == expected[place]


ANY_TEXT = st.one_of(
    st.text(max_size=8),
    st.text("0123456789+-.eE_ \t\r\nxinfa\u0661\uff11\u00a0\x0b", max_size=8),
    decimals,
    st.builds(lambda text, power: f"{text}e{power}", digits, st.integers(-400, 400)),
)
VALUES = {
    pl.String: ANY_TEXT,
    pl.Float64: st.floats(),
    pl.Int64: integers,
    pl.Boolean: st.booleans(),
}


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(sorted(VALUES, key=str)).flatmap(
        lambda kind: st.tuples(st.just(kind), VALUES[kind])
    ),
    missing_texts,
)
@example((pl.String, "1_000"), [])
@example((pl.String, "\uff11"), [])
@example((pl.String, "inf"), [])
@example((pl.String, "3.4028235677973366e38"), [])
@example((pl.String, "3.4028235677973362e38"), [])
@example((pl.String, "9007199254740993"), [])
@example((pl.String, "9" * 400), [])
@example((pl.Float64, float("inf")), [])
@example((pl.Boolean, True), ["true"])
def test_both_refuse_the_same_numbers(cell: tuple[Any, Any], missing: list[str]) -> None:
    dtype, value = cell
    spec = FeatureSpec(label="y", objective="regression", numeric=["x"], missing=missing)
    contract = fit_table(spec, pl.DataFrame({"x": [1.0], "y": [1.0]}))
    table = pl.DataFrame([pl.Series("x", [value], dtype=dtype)])
    try:
        expected = packed(RecordTransform(contract).transform({"x": value}))
    except RecordError:
        expected = None
    try:
        found = packed(transform(contract, table)["x"].to_list())
    except FeatureError:
        found = None
    assert found == expected


@settings(max_examples=400, deadline=None)
@given(st.one_of(ANY_TEXT, words), st.one_of(ANY_TEXT, words), missing_texts)
@example("415", "415.0", [])
@example("-0", "0.0", [])
@example("007", "7", [])
def test_both_see_the_same_category(first: str, second: str, missing: list[str]) -> None:
    spec = FeatureSpec(label="y", objective="regression", categorical=["c"], missing=missing)
    known = pl.DataFrame({"c": ["other", first], "y": [1.0, 2.0]})
    contract = fit_table(spec, known)
    found = packed(transform(contract, pl.DataFrame({"c": [second]}))["c"].to_list())
    try:
        expected = packed(RecordTransform(contract).transform({"c": second}))
    except RecordError:
        expected = packed([float("nan")])
    assert found == expected
