"""The fast reader of JSON and the careful one take the same, and the same as Python's own."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boostline.container.flavors.base import Rows
from boostline.container.programs.csv_rows import LARGE
from boostline.container.programs.forms import Form
from boostline.container.programs.json_records import read_json, read_json_lines
from boostline.container.programs.refusals import ScoringError
from boostline.features.contract import fitted
from boostline.features.record import RecordError, RecordTransform
from boostline.features.spec import FeatureSpec

SPEC = FeatureSpec(label="y", numeric=["a"], categorical=["k"], ignore=["note"])
CONTRACT = fitted(SPEC, {"k": ["0", "x:y"]}, ["no", "yes"])
FORM = Form(CONTRACT, plain=False)
TRANSFORM = RecordTransform(CONTRACT).transform
GOOD = {"a": 1.5, "k": "x:y", "note": None}


def refused(read: Callable[[Form, bytes], Rows], body: str | bytes) -> ScoringError:
    with pytest.raises(ScoringError) as caught:
        read(FORM, body.encode() if isinstance(body, str) else body)
    return caught.value


def outcome(body: bytes) -> tuple[str, bytes, list[Any]]:
    """Return the features, or what is refused: but for the place in the text."""
    try:
        return "", read_json(FORM, body).tobytes(), []
    except ScoringError as error:
        return error.code, b"", error.problems


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.sampled_from(["x:y", 0, "0.0", '":{[', "\ud800"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ak:"), inner, max_size=2)
    ),
    max_leaves=4,
)
records = st.one_of(
    st.fixed_dictionaries({"a": st.one_of(st.floats(-1e9, 1e9), st.none()), "k": st.just("x:y")}),
    st.dictionaries(st.sampled_from(["a", "k", "note", "b:", '"']), values, max_size=4),
    values,
)
contents = st.one_of(
    records,
    st.lists(records, max_size=4),
    st.fixed_dictionaries({"instances": st.lists(records, max_size=3)}),
)


@given(contents, st.sampled_from([None, 2]))
@example({"instances": [GOOD]}, None)
@example({"instances": [GOOD], "a": 1}, None)
@example({"instances": 1}, None)
@example({"instances": []}, None)
def test_both_readers_agree(content: Any, indent: int | None) -> None:
    body = json.dumps(content, indent=indent).encode()
    padded = body + b" " * LARGE  # large bodies are read carefully
    assert outcome(body) == outcome(padded)


@given(st.lists(records, min_size=1, max_size=4))
def test_records_are_transformed_or_named(content: list[Any]) -> None:
    wrong = {}
    rows = []
    for number, record in enumerate(content, 1):
        try:
            rows.append(TRANSFORM(record))
        except RecordError as error:
            wrong[number] = {problem.field for problem in error.problems}
    lines = "\n".join(map(json.dumps, content)).encode()
    for read, body in ((read_json, json.dumps(content).encode()), (read_json_lines, lines)):
        if wrong:
            found: dict[int, set[str]] = {}
            for problem in refused(read, body).problems:
                found.setdefault(problem.row, set()).add(problem.field)
            assert found == wrong
        else:
            assert np.array_equal(read(FORM, body), np.array(rows, np.float32), equal_nan=True)


@given(st.one_of(st.binary(max_size=40), st.text('{}[]":,0 \nak\\u', max_size=40)))
def test_any_bytes_are_records_or_refused(body: bytes | str) -> None:
    content = body if isinstance(body, bytes) else body.encode()
    assert outcome(content) == outcome(content + b" " * LARGE)
    try:
        status = bool(read_json_lines(FORM, content).size)
    except ScoringError as error:
        status = error.status == 400
    assert status


@pytest.mark.parametrize("read", [read_json, read_json_lines])
@pytest.mark.parametrize(
    ("body", "column", "said"),
    [
        ('{"a": 1, "k": 0, "a": 2}', "a", "more than once"),
        ('{"a": 1, "k": 0, "\\u0061": 2}', "a", "more than once"),
        ('{"a": 1, "k": 0, "note": {"b": 1, "b": 2}, "c": 0}', "c", "not a column"),
        ('{"a": 1e400, "k": 0}', "a", "range of float32"),
        ('{"a": ' + "9" * 50_000 + ', "k": 0}', "a", "range of float32"),
        ('{"a": 1, "k": ' + "9" * 50_000 + "}", "k", "must be a finite number"),
        ('{"a": 1, "k": "\\ud800"}', "k", "unknown category"),
    ],
)
def test_what_is_wrong_is_named(
    read: Callable[[Form, bytes], Rows], body: str, column: str, said: str
) -> None:
    problem = refused(read, body).problems[0]
    assert (problem.row, problem.field) == (1, column)
    assert said in problem.message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"a": NaN, "k": 0}', "NaN is not a value of JSON"),
        ('[{"a": 1, "k": 0}', "Expecting ']'"),
        ('{"instances": [{"a": 1, "k": 0}], "more": 1}', "Expecting '}'"),
        ('{"a": 1, "k": 0} {}', "Extra data"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_broken_json_says_why(body: str, said: str) -> None:
    error = refused(read_json, body)
    assert (error.status, error.code) == (400, "bad_json")
    assert said in error.message


def test_a_line_that_is_no_json_has_its_number() -> None:
    good = json.dumps(GOOD)
    error = refused(read_json_lines, f"{good}\n{{\n{good}\n\n[1]")
    assert [(p.row, p.field) for p in error.problems] == [(2, ""), (4, ""), (5, "")]


def test_a_colon_in_a_text_is_no_name() -> None:
    rows = read_json(FORM, json.dumps([GOOD, GOOD]).encode())
    assert rows.tolist() == [[1.5, 1.0], [1.5, 1.0]]


@pytest.mark.parametrize("name", ["a" * 10_000_000, "\ud800"])
def test_a_refusal_is_small_and_text(name: str) -> None:
    body = json.dumps({**GOOD, name: 1, **{f"c{n}": n for n in range(10_000)}})
    answer = refused(read_json, body).to_json()
    assert len(answer) <= 2_048
    assert json.loads(answer)["error"]["column"]
