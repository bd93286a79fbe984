"""What a request holds: one raw record, and whether to explain; read strictly."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from boostline.gateway.errors import ApiError

JSON = "application/json"
MOST_DIGITS = 400  # more than any float64 has before its point
MOST_CONTRIBUTIONS = 100  # the container's own limit

_COUNT = re.compile("[1-9][0-9]{0,2}")


class Body(NamedTuple):
    """A record, and the very text that it was read from."""

    record: dict[str, object]
    text: str


class _BadJson(ValueError):
    """JSON that is well formed, and ambiguous or not portable."""


def read(event: Mapping[str, Any]) -> Body:
    """Return the raw record of a proxy event.

    Parameters
    ----------
    event
        API Gateway's proxy event, format 1.0.

    Raises
    ------
    ApiError
        With status 415 for another media type, else 400: an empty body, text that is not JSON or
        not one object, a key that occurs twice (it is named).
    """
    _check_type(event)
    text = _text(event)
    if not text.strip():
        raise ApiError(400, "empty_body", "the body is empty: send one record as a JSON object")
    try:
        record = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer
        )
    except ApiError:
        raise
    except RecursionError:
        raise _broken("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise _broken(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise _broken(str(error)) from None
    if not isinstance(record, dict):
        raise ApiError(400, "not_an_object", "send one record: an object with a value a column")
    return Body(record, text)


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
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body)
    try:
        return base64.b64decode(body, validate=True).decode()
    except ValueError:
        raise _broken("it is not UTF-8 text") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = [name for name in found if names.count(name) > 1]
        fields = [(name, "occurs more than once") for name in twice]
        raise ApiError(400, "duplicate_key", "the record has a key more than once", fields)
    return found


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise _BadJson(f"an integer of {len(digits)} digits is no value of a record")
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise _BadJson(f"{name} is not a JSON value")


def _broken(reason: str) -> ApiError:
    return ApiError(400, "broken_json", f"the body is not JSON: {reason}")
