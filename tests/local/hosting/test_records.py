from __future__ import annotations

import io
from typing import Any

import pytest

from boostline.local.hosting.records import BadRecords, Processing, batches, select, steps

ROW = {"id": 7, "features": [1, 2, 3], "deep": {"a": {"b": "x"}}}


@pytest.mark.parametrize(
    ("path", "value", "selected"),
    [
        ("$", ROW, ROW),
        ("$.id", ROW, 7),
        ("$.features[1:]", ROW, [2, 3]),
        ("$.deep.a['b']", ROW, "x"),
        ("$['id','deep']", ROW, {"id": 7, "deep": ROW["deep"]}),
        ('$["features"][-1]', ROW, 3),
        ("$.deep.*", ROW, {"a": {"b": "x"}}),
        ("$[0,5:]", list("abcdefg"), ["a", "f", "g"]),
        ("$[ 0 , 2 ]", list("abc"), ["a", "c"]),
        ("$[::2]", list("abcd"), ["a", "c"]),
        ("$[*]", list("ab"), ["a", "b"]),
    ],
)
def test_paths_select(path: str, value: Any, selected: Any) -> None:
    assert select(value, steps(path)) == selected


@pytest.mark.parametrize("path", ["", "id", "$id", "$..id", "$[?(@.a)]", "$[0", "$[]", "$ "])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        steps(path)


@pytest.mark.parametrize(
    ("path", "value"),
    [("$[9]", ["a"]), ("$.a", {"b": 1}), ("$.a", ["a"]), ("$['a']", ["a"]), ("$[0]", 5)],
)
def test_what_is_not_there_is_named(path: str, value: Any) -> None:
    with pytest.raises(BadRecords, match="is not in"):
        select(value, steps(path))


def cut(body: bytes, split: bool = True, single: bool = False, limit: int = 0) -> list[list[bytes]]:
    return list(batches(io.BytesIO(body), split, single, limit))


def test_lines_are_cut_into_requests() -> None:
    assert cut(b"a\r\nb\n\nc") == [[b"a", b"b", b"c"]]
    assert cut(b"a\nb\n", single=True) == [[b"a"], [b"b"]]
    assert cut(b"aa\nbb\ncc\n", limit=6) == [[b"aa", b"bb"], [b"cc"]]
    assert cut(b"aa\nbb\ncc\n", limit=5) == [[b"aa", b"bb"], [b"cc"]]
    assert cut(b"aa\nbb\n", limit=2) == [[b"aa"], [b"bb"]]
    assert cut(b"") == cut(b"\n\n") == cut(b"", split=False) == []
    assert cut(b"a\n\nb\n", split=False) == [[b"a\n\nb\n"]]
    with pytest.raises(BadRecords, match="line 2 has 4 bytes; MaxPayloadInMB allows 3"):
        cut(b"a\nbbbb\n", limit=3)


def processing(kind: str, split: str = "Line", **members: str) -> Processing:
    source = {"ContentType": kind, "SplitType": split}
    return Processing({"TransformInput": source, "DataProcessing": members})


def test_json_lines_are_filtered_and_joined() -> None:
    found = processing("application/jsonlines", InputFilter="$.x", JoinSource="Input")
    records = [b'{"id": 1, "x": [5]}', b'{"id": 2, "x": [6]}']
    assert found.request(records) == b"[5]\n[6]"
    assert found.result(records, b'{"score": 0.5}\n{"score": 0.6}\n') == (
        b'{"id": 1, "x": [5], "SageMakerOutput": {"score": 0.5}}\n'
        b'{"id": 2, "x": [6], "SageMakerOutput": {"score": 0.6}}\n'
    )


def test_a_whole_json_object_is_one_record() -> None:
    found = processing("application/json", "None", JoinSource="Input")
    assert found.result([b"[1,\n2]"], b"[3,\n4]") == (
        b'{"SageMakerInput": [1, 2], "SageMakerOutput": [3, 4]}\n'
    )


def test_filter_of_the_answer_alone() -> None:
    found = processing("text/csv", OutputFilter="$[1]")
    assert found.request([b"1,2"]) == b"1,2"
    assert found.result([b"1,2"], b"no,0.25\n") == b"0.25\n"


def test_answers_that_do_not_fit_are_refused() -> None:
    found = processing("text/csv", JoinSource="Input")
    with pytest.raises(BadRecords, match="1 records answer 2"):
        found.result([b"1", b"2"], b"0.5\n")
    found = processing("application/jsonlines", JoinSource="Input")
    with pytest.raises(BadRecords, match="cannot be read"):
        found.result([b"{}"], b"oops")
    with pytest.raises(ValueError, match="ContentType must be text/csv or"):
        processing("application/x-npy", JoinSource="Input")
