"""The fields of a record: each reads any value of one raw column, or says what is wrong with it."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from boostline.features.contract import FeatureContract
from boostline.features.values import NAN, category_parser, number_parser

# Strangers send values: what is wrong with one is told in bounded time.
LONGEST_GUESSED = 40
_MOST_GUESSED = 200

Convert = Callable[[object], float]
Codes = Mapping[str | None, float]


class Field(NamedTuple):
    """One input of a contract.

    Attributes
    ----------
    name
        The column's.
    convert
        Answers the float64 of any value; ``ValueError`` says what is wrong with one.
    codes
        Of a categorical column, what `convert` answers for each canonical text, and for None.
    """

    name: str
    convert: Convert
    codes: Codes | None


def fields(contract: FeatureContract) -> list[Field]:
    """Make the fields of a contract, in the order of its inputs."""
    number = number_parser(contract.missing)
    return [
        Field(column.name, number, None)
        if column.kind == "numeric"
        else _categorical(contract, column.name, column.categories)
        for column in contract.inputs
    ]


def _categorical(contract: FeatureContract, name: str, categories: list[str]) -> Field:
    canonical = category_parser(contract.missing)
    codes: dict[str | None, float] = {text: float(code) for code, text in enumerate(categories)}
    codes[None] = NAN

    def convert(value: object) -> float:
        text = canonical(value)
        code = codes.get(text)
        if code is not None:
            return code
        if contract.unknown_category == "error":
            raise ValueError(_unknown(str(text), categories))
        return NAN

    return Field(name, convert, codes)


def _unknown(text: str, categories: list[str]) -> str:
    guessed = categories[:_MOST_GUESSED]
    near = get_close_matches(text[:LONGEST_GUESSED], guessed, n=3) or categories[:5]
    shown = ", ".join(repr(name) for name in near)
    more = f" or one of {len(categories) - len(near)} more" if len(categories) > len(near) else ""
    found = text if len(text) <= 40 else text[:37] + "..."
    return f"unknown category {found!r}: allowed are {shown}{more}"
