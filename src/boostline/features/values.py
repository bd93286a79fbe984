"""The one grammar of raw values, for a cell of a table and a field of a record alike.

Number
    A JSON or column number, or text in ASCII decimal notation: optional sign, digits with an
    optional fraction, optional exponent, surrounded by blanks (space, tab, CR, LF). Not
    ``1_000``, ``0x10``, ``inf``, never a boolean. It is rounded to the nearest float64,
    ties to even, integers of any length included. A number whose float32 is infinite is malformed.
Category
    Any text, without the blanks around it. ``415``, ``415.0``, ``"415"`` and ``"415.0"`` are one
    category; ``"007"`` is not ``7``. Integers of any length are kept exactly. Booleans are ``true``
    and ``false``; a number with a fraction is its shortest text (``0.5``).
Missing
    null, the number NaN, the empty text, and the texts that the specification lists; a listed text
    that is a number also stands for that number.
"""

import re
from collections.abc import Callable, Iterable
from math import isinf, isnan

BLANKS = " \t\r\n"
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
NAN = float("nan")
# The smallest magnitude that rounds to an infinite float32: half a step above the largest one.
TOO_LARGE = 2.0**128 - 2.0**103
TOO_SMALL = -TOO_LARGE

_is_number = re.compile(NUMBER).fullmatch
_is_integral = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+").fullmatch

NumberParser = Callable[[object], float]
CategoryParser = Callable[[object], str | None]


def number_parser(missing: Iterable[str] = ()) -> NumberParser:
    """Make the parser of a numeric field; the texts ``missing``, null and "" are missing.

    It answers a float64 within the range of float32, or NaN where the value is missing, and raises
    ``ValueError`` with what is wrong for anything else.
    """
    texts = {text.strip(BLANKS) for text in missing} | {""}
    numbers = missing_numbers(texts)

    def parse(value: object) -> float:
        kind = type(value)
        if kind is float:
            number: float = value  # type: ignore[assignment]
        elif kind is int:
            try:
                number = float(value)  # type: ignore[arg-type]
            except OverflowError:
                number = TOO_LARGE
        elif value is None:
            return NAN
        elif kind is str:
            number = _from_text(value, texts)  # type: ignore[arg-type]
        else:
            raise ValueError(f"must be a number, not {_describe(value)}")
        if TOO_SMALL < number < TOO_LARGE:
            return NAN if number in numbers else number
        if isnan(number):
            return NAN
        raise ValueError("must be a number within the range of float32")

    return parse


def missing_numbers(missing: Iterable[str]) -> frozenset[float]:
    """Return the numbers among the texts that mean a missing value."""
    texts = (text.strip(BLANKS) for text in missing)
    return frozenset(float(text) for text in texts if _is_number(text))


def category_parser(missing: Iterable[str] = ()) -> CategoryParser:
    """Make the parser of a categorical field, as :func:`number_parser`.

    It answers the canonical text, or None where the value is missing.
    """
    absent = {_canonical_text(text) for text in missing} | {""}

    def parse(value: object) -> str | None:
        if value is None:
            return None
        text = _canonical(value)
        return None if text is None or text in absent else text

    return parse


def _from_text(value: str, missing: set[str]) -> float:
    if _is_number(value):  # most have no blanks; the numbers that mean missing are looked up later
        return float(value)
    text = value.strip(BLANKS)
    if text in missing:
        return NAN
    if _is_number(text) is None:
        raise ValueError(f"must be a number, not {_describe(value)}")
    return float(text)


def _canonical(value: object) -> str | None:
    if isinstance(value, str):
        return _canonical_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _digits(value)
    if isinstance(value, float):
        return _canonical_float(value)
    raise ValueError(f"must be a text or a number, not {_describe(value)}")


def _canonical_text(value: str) -> str:
    text = value.strip(BLANKS)
    integral = _is_integral(text)
    if integral is not None:
        text = integral[1]
    return "0" if text == "-0" else text


def _canonical_float(value: float) -> str | None:
    if isnan(value):
        return None
    if isinf(value):
        raise ValueError("must be a finite number")
    return _digits(int(value)) if value.is_integer() else repr(value)


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to write integers beyond some thousands of digits
        raise ValueError("must be an integer of reasonable length") from None


def _describe(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:37] + "...")
    names: dict[type, str] = {dict: "an object", list: "a list"}
    return names.get(type(value), type(value).__name__)
