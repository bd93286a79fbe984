import math
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boostline.features.contract import FeatureContract, fitted
from boostline.features.record import RecordError, RecordTransform
from boostline.features.spec import FeatureSpec
from boostline.features.values import category_parser, number_parser

RECORD: dict[str, Any] = {"Mins": 10, "Calls": "4", "State": "OH", "Area": 415.0}


def problems(contract: FeatureContract, record: Any) -> dict[str, str]:
    with pytest.raises(RecordError) as caught:
        RecordTransform(contract).transform(record)
    return dict(caught.value.problems)


def test_a_record_becomes_a_row(contract: FeatureContract) -> None:
    assert RecordTransform(contract).transform(RECORD) == [10.0, 4.0, 1.0, 1.0, 2.5]


def test_the_order_of_keys_does_not_matter(contract: FeatureContract) -> None:
    turned = dict(reversed(RECORD.items()))
    transform = RecordTransform(contract).transform
    assert transform(turned) == transform(RECORD)


def test_ignored_columns_and_the_label_may_be_there(contract: FeatureContract) -> None:
    more = RECORD | {"Phone": object(), "Left?": "nonsense"}
    transform = RecordTransform(contract).transform
    assert transform(more) == transform(RECORD)


def test_null_is_missing(contract: FeatureContract) -> None:
    row = RecordTransform(contract).transform(dict.fromkeys(RECORD))
    assert all(math.isnan(value) for value in row)


def test_values_are_float32(contract: FeatureContract) -> None:
    row = RecordTransform(contract).transform(RECORD | {"Mins": 0.1})
    assert row[0] == 0.10000000149011612


def test_all_problems_are_told_at_once(contract: FeatureContract) -> None:
    found = problems(contract, {"Mins": "ten", "State": "TX", "Area": [], "Areas": 1, "zz": 2})
    assert found == {
        "Mins": "must be a number, not 'ten'",
        "Calls": "is required: send null if the value is missing",
        "State": "unknown category 'TX': allowed are 'KS', 'OH'",
        "Area": "must be a text or a number, not a list",
        "Areas": "is not a column of this model: did you mean 'Area'?",
        "zz": "is not a column of this model",
    }


@pytest.mark.parametrize("record", [None, 1, "text", [1, 2], []])
def test_what_is_no_object_is_a_problem(contract: FeatureContract, record: Any) -> None:
    assert "must be an object" in problems(contract, record)[""]


class Unsteady(dict[str, Any]):
    """A record whose first value cannot be read at once."""

    tried = 0

    def __getitem__(self, name: str) -> Any:
        self.tried += 1
        if self.tried == 1:
            raise OverflowError("not now")
        return super().__getitem__(name)


def test_a_failure_without_a_problem_is_not_the_record_s(contract: FeatureContract) -> None:
    with pytest.raises(OverflowError, match="not now"):
        RecordTransform(contract).pack(Unsteady(RECORD))


def test_few_names_are_compared_with_those_of_a_wide_contract() -> None:
    """Comparing takes long, and a record has as many unexpected names as a stranger likes."""
    numeric = [f"c{place}" for place in range(1_000)]
    spec = FeatureSpec(label="y", objective="regression", numeric=numeric)
    record = dict.fromkeys(numeric, 1.0) | {f"c{place}x": 1.0 for place in range(50)}
    found = problems(fitted(spec, {}, None), record)
    assert "did you mean 'c0'?" in found["c0x"]
    assert sum("did you mean" in message for message in found.values()) == 9
    assert len(found) == 50


def test_unknown_categories_may_be_missing(contract: FeatureContract) -> None:
    lenient = msgspec.structs.replace(contract, unknown_category="missing")
    assert math.isnan(RecordTransform(lenient).transform(RECORD | {"State": "TX"})[2])


def test_few_of_many_categories_are_shown(contract: FeatureContract) -> None:
    inputs = [
        msgspec.structs.replace(column, categories=[f"c{i}" for i in range(50)])
        if column.name == "State"
        else column
        for column in contract.inputs
    ]
    wide = msgspec.structs.replace(contract, inputs=inputs)
    message = problems(wide, RECORD | {"State": "x" * 1000})["State"]
    assert "or one of 45 more" in message
    assert len(message) < 200


MISSING = ["", "NA", "-999"]
CATEGORIES = ["x", "0", "1", "true", "0.5"]
SPEC = FeatureSpec(
    label="y", objective="regression", numeric=["n"], categorical=["c"], missing=MISSING
)
TRANSFORM = RecordTransform(fitted(SPEC, {"c": CATEGORIES}, None))
NUMBER, CATEGORY = number_parser(MISSING), category_parser(MISSING)


def by_the_grammar(number: Any, category: Any) -> bytes | set[str]:
    """Return the row, or the columns that are malformed, read one value after the other."""
    row, wrong = [math.nan, math.nan], set()
    try:
        row[0] = NUMBER(number) + 0.0
    except ValueError:
        wrong.add("n")
    try:
        text = CATEGORY(category)
        row[1] = math.nan if text is None else float(CATEGORIES.index(text))
    except ValueError:
        wrong.add("c")
    return wrong or struct.pack("2f", *row)


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-1, 1),
    st.floats(),
    st.sampled_from([*CATEGORIES, *MISSING, -999, -999.0, " 7 ", " x", "TX"]),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=1),
    st.dictionaries(st.just("x"), st.just(1), max_size=1),
)


@given(values, values)
@example(1.5, "x")
@example(10**400, "x")
@example(math.inf, "x")
@example(3.4028235677973366e38, "x")
@example(-(2**128), "x")
@example(-0.0, -0.0)
@example(True, True)
@example(-999, 1)
@example(9007199254740993, 1.0)
def test_values_are_what_their_grammar_says(number: Any, category: Any) -> None:
    try:
        found: bytes | set[str] = TRANSFORM.pack({"n": number, "c": category})
    except RecordError as error:
        found = {problem.field for problem in error.problems}
    assert found == by_the_grammar(number, category)
