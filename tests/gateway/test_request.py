from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from boostline.deploy import openapi
from boostline.gateway.errors import ApiError
from boostline.gateway.request import LARGEST_BATCH, checked, read, read_list


def refusal(event: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        checked(read(event))
    return caught.value


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"content-type": "application/json"},
        {"Content-Type": "Application/JSON; charset=UTF-8"},
        {"CONTENT-TYPE": 'application/json;charset="utf-8"'},
    ],
)
def test_a_record_is_read(headers: dict[str, str] | None) -> None:
    text = '{"a": 1, "b": "ü", "c": null, "d": 12345678901234567890}'
    record = read({"headers": headers, "body": text, "isBase64Encoded": False})
    assert record == {"a": 1, "b": "ü", "c": None, "d": 12345678901234567890}


def test_base64_is_read_too() -> None:
    encoded = base64.b64encode('{"a": "ü"}'.encode()).decode()
    assert read({"body": encoded, "isBase64Encoded": True}) == {"a": "ü"}


@pytest.mark.parametrize(
    "sent", ["text/csv", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
def test_another_type_is_refused(sent: str) -> None:
    error = refusal({"headers": {"content-type": sent}, "body": "{}"})
    assert (error.status, error.code) == (415, "unsupported_media_type")
    assert sent in error.message


@pytest.mark.parametrize("body", [None, "", " \n"])
def test_an_empty_body_is_named(body: str | None) -> None:
    error = refusal({"body": body})
    assert (error.status, error.code) == (400, "empty_body")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"a": }', "line 1, column 7"),
        ('{"a": 1', "line 1, column 8"),
        ('{"a": 1} {"a": 2}', "Extra data"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "-Infinity"),
        ("{'a': 1}", "line 1"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5_000 + "}", "5000 digits"),
    ],
)
def test_broken_json_says_where(body: str, said: str) -> None:
    error = refusal({"body": body})
    assert (error.status, error.code) == (400, "broken_json")
    assert said in error.message


@pytest.mark.parametrize("body", ["%%%", base64.b64encode(b"\xff\xfe{}").decode()])
def test_bytes_that_are_no_text_are_broken(body: str) -> None:
    assert refusal({"body": body, "isBase64Encoded": True}).code == "broken_json"


@pytest.mark.parametrize("body", ["[]", "1", '"text"', "null", '[{"a": 1}]'])
def test_one_object_is_asked_for(body: str) -> None:
    assert refusal({"body": body}).code == "not_an_object"


def test_a_key_twice_is_named() -> None:
    error = refusal({"body": '{"a": 1, "b": 2, "a": 3, "c": 4, "b": 5}'})
    assert (error.status, error.code) == (400, "duplicate_key")
    assert [each["field"] for each in error.fields] == ["a", "b"]
    assert refusal({"body": '{"a": {"b": {"c": 1, "c": 2}}}'}).fields[0]["field"] == "c"


def test_a_list_holds_what_was_sent() -> None:
    records = read_list({"body": '[{"a": 1}, {"a": 1, "a": 2}, 3, null]'})
    assert records[0] == checked(records[0]) == {"a": 1}
    for record in records[1:]:
        with pytest.raises(ApiError):
            checked(record)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ('{"a": 1}', 400, "not_a_list"),
        ('{"instances": [{"a": 1}]}', 400, "not_a_list"),
        ("[]", 400, "empty_list"),
        ("", 400, "empty_body"),
        ("[{}", 400, "broken_json"),
        (f"[{'{},' * LARGEST_BATCH}{{}}]", 413, "too_many_records"),
    ],
)
def test_a_list_is_asked_for(body: str, status: int, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_list({"body": body})
    assert (caught.value.status, caught.value.code) == (status, code)


def test_a_batch_is_as_large_as_the_api_says() -> None:
    most = json.dumps([{}] * LARGEST_BATCH)
    assert len(read_list({"body": most})) == LARGEST_BATCH == openapi.LARGEST_BATCH
