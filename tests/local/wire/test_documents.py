"""JSON that clients send: what is none, or too deep, is refused and breaks nothing."""

from __future__ import annotations

import pytest

from boostline.local.wire.documents import DEEPEST, read_json


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        (b"[]", []),
        ("1.5", 1.5),
        ("-1e308", -1e308),
        ('"' + "[" * 5_000 + '"', "[" * 5_000),
    ],
)
def test_json_is_read(text: str | bytes, means: object) -> None:
    assert read_json(text) == means


NONE = ["", "{", "NaN", '{"a": -Infinity}', b"\xff", "1" * 5_000, "1e309", "[-1e999]"]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (in Python's words, but for the constants)
        read_json(text)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_what_is_nested_too_deeply_is_refused(opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> str:
        return opening * depth + "1" + closing * depth

    assert read_json(nested(DEEPEST))
    for text in (nested(DEEPEST + 1), nested(100_000), opening * 100_000):
        with pytest.raises(ValueError, match=f"more than {DEEPEST} deep"):
            read_json(text)
