"""What a request holds: raw records, and whether to explain; read strictly."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any, NoReturn

from boostline.gateway.errors import ApiError

JSON = "application/json"
MOST_DIGITS = 400  # more than any float64 has before its point
MOST_TOLD = 100  # keys that occur more than once
MOST_CONTRIBUTIONS = 100  # the container's own limit
LARGEST_BATCH = 1000  # as the API's document says

_COUNT = re.compile("[1-9][0-9]{0,2}")


class Twice(list[str]):
    """What stands for an object that has, at any depth, keys more than once: these."""


class _BadJson(ValueError):
    """JSON that is well formed, and ambiguous or not portable."""


def read(event: Mapping[str, Any]) -> object:
    """Return the raw record of a proxy event, which has still to be `checked`.

    Parameters
    ----------
    event
        API Gateway's proxy event, format 1.0.

    Raises
    ------
    ApiError
        With status 415 for another media type, else 400: an empty body, text that is not JSON.
    """
    return _parsed(_text(event))


def read_list(event: Mapping[str, Any]) -> list[object]:
    """Return the raw records of a proxy event, each of which has still to be `checked`.

    Raises
    ------
    ApiError
        As `read` does; with status 400 for what is no list, or empty, and with 413 for more than
        `LARGEST_BATCH` records.
    """
    found = read(event)
    if not isinstance(found, list):
        raise ApiError(400, "not_a_list", "send a list of records")
    if not found:
        raise ApiError(400, "empty_list", "the list is empty: send at least one record")
    if len(found) > LARGEST_BATCH:
        message = f"send at most {LARGEST_BATCH:,} records in a request, not {len(found):,}"
        raise ApiError(413, "too_many_records", message)
    return found


def checked(record: object) -> dict[str, object]:
    """Return what was read of a record, if it is one.

    Raises
    ------
    ApiError
        With status 400: it is not one object, or a key occurs twice.
    """
    if isinstance(record, Twice):
        fields = [(name, "occurs more than once") for name in record]
        raise ApiError(400, "duplicate_key", "the record has a key more than once", fields)
    if not isinstance(record, dict):
        raise ApiError(400, "not_an_object", "send one record: an object with a value a column")
    return record


def explained(event: Mapping[str, Any]) -> int:
    """Return how many contributions the query asks for by `explain`; 0 for no explanation.

    Raises
    ------
    ApiError
        With status 400: it is no whole number of 1 to 100.
    """
    text = (event.get("queryStringParameters") or {}).get("explain")
    if text is None:
        return 0
    if not _COUNT.fullmatch(text) or int(text) > MOST_CONTRIBUTIONS:
        reason = f"must be a whole number of 1 to {MOST_CONTRIBUTIONS}"
        raise ApiError(400, "bad_parameter", f"explain {reason}", [("explain", reason)])
    return int(text)


def _check_type(event: Mapping[str, Any]) -> None:
    headers = event.get("headers") or {}
    sent = next((value for name, value in headers.items() if name.lower() == "content-type"), JSON)
    kind, _, parameters = sent.partition(";")
    charset = parameters.replace(" ", "").lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != JSON or charset not in {"", "utf-8"}:
        raise ApiError(415, "unsupported_media_type", f"send Content-Type: {JSON}, not {sent!r}")


def _text(event: Mapping[str, Any]) -> str:
    _check_type(event)
    body = event.get("body") or ""
    try:
        encoded = event.get("isBase64Encoded")
        text = base64.b64decode(body, validate=True).decode() if encoded else str(body)
    except ValueError:
        raise _broken("it is not UTF-8 text") from None
    if not text.strip():
        raise ApiError(400, "empty_body", "the body is empty: send a record as a JSON object")
    return text


def _parsed(text: str) -> object:
    try:
        return _decode(text)
    except RecursionError:
        raise _broken("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise _broken(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise _broken(str(error)) from None


def _object(pairs: list[tuple[str, object]]) -> object:
    found = dict(pairs)
    if len(found) == len(pairs):
        within = Twice in map(type, found.values())
        return next(each for each in found.values() if type(each) is Twice) if within else found
    counts = Counter(name for name, _ in pairs)
    return Twice(islice((name for name in counts if counts[name] > 1), MOST_TOLD))


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise _BadJson(f"an integer of {len(digits)} digits is no value of a record")
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise _BadJson(f"{name} is not a JSON value")


def _broken(reason: str) -> ApiError:
    return ApiError(400, "broken_json", f"the body is not JSON: {reason}")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer
).decode
