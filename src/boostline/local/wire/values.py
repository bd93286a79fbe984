"""Scalars as text: what headers, queries and XML hold."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Callable
from email.utils import format_datetime
from typing import Any

from botocore.utils import parse_timestamp

from boostline.contracts.models import AnyShape
from boostline.local.wire.errors import AwsError


def from_text(shape: AnyShape, text: str) -> Any:
    """Return the value that a text means as a scalar of a shape; a time as epoch seconds.

    Raises
    ------
    AwsError
        `SerializationException` if it means none.
    """
    reader = _READERS.get(shape.type_name, str)
    try:
        return reader(text)
    except (ValueError, binascii.Error, OverflowError):
        raise malformed(f"{text[:100]!r} is not of type {shape.type_name}") from None


def to_text(shape: AnyShape, value: Any, time_format: str) -> str:
    """Return a scalar of a shape as text; a time in `time_format` unless its shape names one."""
    match shape.type_name:
        case "boolean":
            return "true" if value else "false"
        case "timestamp":
            return str(to_time(shape, value, time_format))
        case "blob":
            return base64.b64encode(_bytes(value)).decode()
    return str(value)


def to_time(shape: AnyShape, value: Any, time_format: str) -> float | str:
    """Return a time (epoch seconds, datetime or text) in the form its shape wants."""
    if isinstance(value, dt.datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    elif isinstance(value, str):
        moment = parse_timestamp(value)
    else:
        moment = dt.datetime.fromtimestamp(value, dt.UTC)
    match shape.serialization.get("timestampFormat", time_format):
        case "unixTimestamp":
            return round(moment.timestamp(), 3)
        case "rfc822":
            return format_datetime(moment.astimezone(dt.UTC), usegmt=True)
    stamp = moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")


def from_base64(text: str) -> bytes:
    """Return the bytes that a Base64 text means; ValueError if it means none."""
    return base64.b64decode(text, validate=True)


def to_base64(value: Any) -> str:
    """Return bytes, or text as UTF-8, in Base64."""
    return base64.b64encode(_bytes(value)).decode()


def malformed(message: str) -> AwsError:
    """Return the error for a request that cannot be read."""
    return AwsError("SerializationException", message)


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"


def _time(text: str) -> float:
    moment: dt.datetime = parse_timestamp(text)
    return moment.timestamp()


_READERS: dict[str, Callable[[str], Any]] = {
    "boolean": _boolean,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "timestamp": _time,
    "blob": from_base64,
}
