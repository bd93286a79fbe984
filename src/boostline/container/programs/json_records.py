"""JSON and JSON lines: raw records.

msgspec reads them fast, and takes a key that is there twice. It is asked first; where it fails, or
where a key may be there twice, Python's own reader decides, one record after the other.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec

from boostline.container.flavors.base import Rows
from boostline.container.programs.csv_rows import BOM, LARGE
from boostline.container.programs.forms import Form, Wrong
from boostline.container.programs.refusals import (
    MAX_ROWS,
    ScoringError,
    bad_encoding,
    empty_body,
    too_many_rows,
)

_MOST_DIGITS = 4_000  # Python reads no integers of more than 4,300

_decode = msgspec.json.Decoder().decode
_list = re.compile(r'[ \t\r\n]*(\{[ \t\r\n]*"instances"[ \t\r\n]*:[ \t\r\n]*)?\[[ \t\r\n]*').match
_blank = re.compile(r"[ \t\r\n]*").match
_between = re.compile(r"[ \t\r\n]*,[ \t\r\n]*").match


def read_json(form: Form, body: bytes) -> Rows:
    """Read one record, a list of records, or ``{"instances": [...]}``.

    Raises
    ------
    ScoringError
        The body is not JSON; or with every problem of the records.
    """
    records = _decoded(body) if len(body) <= LARGE else None
    return form.collect(_scanned(body) if records is None else records)


def read_json_lines(form: Form, body: bytes) -> Rows:
    """Read one record a line.

    Raises
    ------
    ScoringError
        With every problem of the records.
    """
    body = _text(body).rstrip(b"\r\n")
    if body.count(b"\n") >= MAX_ROWS:
        raise too_many_rows()
    return form.collect(map(_line, body.split(b"\n")))


def _decoded(body: bytes) -> list[Any] | None:
    """Read a small body at once; None where that is not certain to be right."""
    try:
        content = _decode(body)
    except (ValueError, RecursionError):
        return None
    names = 0
    if type(content) is dict and len(content) == 1 and "instances" in content:
        content, names = content["instances"], 1
    records = content if isinstance(content, list) else [content]
    for record in records:
        if type(record) is not dict:
            return None
        names += len(record)
    # As many colons as names: none of them stands in a text, and no name is there twice.
    return records if records and body.count(b":") == names else None


def _scanned(body: bytes) -> Iterator[object]:
    """Read records one by one, so that memory holds one of them at a time."""
    body = _text(body)
    if body.count(b"{") + body.count(b"[") > MAX_ROWS:
        raise too_many_rows()
    try:
        yield from _values(body.decode())
    except UnicodeDecodeError:
        raise bad_encoding() from None
    except (ValueError, RecursionError) as error:
        raise ScoringError(400, "bad_json", f"the body is not JSON: {_reason(error)}") from None


def _values(text: str) -> Iterator[object]:
    opening = _list(text)
    if opening is None:
        value, place = _READER.raw_decode(text, _skip(_blank, text, 0))
        yield value
        _end(text, place, "")
        return
    place, closing = opening.end(), "]" + "}" * (opening[1] is not None)
    if not text.startswith("]", place):
        while True:
            value, place = _READER.raw_decode(text, place)
            yield value
            following = _between(text, place)
            if following is None:
                break
            place = following.end()
    _end(text, place, closing)


def _end(text: str, place: int, closing: str) -> None:
    for sign in closing:
        place = _skip(_blank, text, place)
        if not text.startswith(sign, place):
            raise json.JSONDecodeError(f"Expecting {sign!r}", text, place)
        place += 1
    place = _skip(_blank, text, place)
    if place < len(text):
        raise json.JSONDecodeError("Extra data", text, place)


def _skip(pattern: Any, text: str, place: int) -> int:
    end: int = pattern(text, place).end()
    return end


def _line(line: bytes) -> object:
    try:
        record = _decode(line)
        if type(record) is dict and line.count(b":") == len(record):
            return record
    except (ValueError, RecursionError):
        pass  # the careful reader finds out what it is
    if not line.strip():
        return Wrong("", "is blank: leave it out")
    try:
        return _READER.decode(line.decode())
    except (ValueError, RecursionError) as error:
        return Wrong("", f"is not JSON: {_reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _text(body: bytes) -> bytes:
    body = body.removeprefix(BOM)
    if not body.strip():
        raise empty_body("the body is empty: send at least one record")
    return body


def _object(pairs: list[tuple[str, object]]) -> object:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
    return Wrong(twice, "is there more than once")


def _integer(digits: str) -> int | float:
    # Beyond what Python reads it is as good as infinite: the column's own check refuses it.
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a value of JSON: send null if the value is missing")


_READER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)
