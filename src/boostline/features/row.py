"""The transform of a row: a Python function that is written for its contract, without a loop.

Nearly all values that arrive are numbers within range and known categories. These are taken where
they stand; for any other a converter is called, which knows the whole grammar of values.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from struct import Struct
from typing import Any

from boostline.features.contract import FeatureContract
from boostline.features.expressions import parse, to_python
from boostline.features.values import (
    NAN,
    TOO_LARGE,
    TOO_SMALL,
    category_parser,
    missing_numbers,
    number_parser,
)

# Strangers send values: what is wrong with one is told in bounded time.
LONGEST_GUESSED = 100
_MOST_GUESSED = 200

Convert = Callable[[object], float]
PackRow = Callable[[Mapping[str, object]], bytes]


def converters(contract: FeatureContract) -> list[Convert]:
    """Make what reads any value of each input; ``ValueError`` says what is wrong with one."""
    number = number_parser(contract.missing)
    return [
        number if column.kind == "numeric" else _Category(contract, column.categories)
        for column in contract.inputs
    ]


def compile_row(contract: FeatureContract, converters: Sequence[Convert]) -> PackRow:
    """Write the function that makes features of the values of a row.

    Parameters
    ----------
    contract
        Has the columns.
    converters
        Those of its inputs.

    Returns
    -------
    PackRow
        It takes the values by the names of their columns, and answers all features as float32 in
        memory, NaN where one is missing. It raises ``ValueError``, ``KeyError``, ``TypeError`` or
        ``OverflowError`` for what is malformed, without saying what is wrong.
    """
    # Variables are named by places: no text of the contract becomes code.
    names = {column: f"x{place}" for place, column in enumerate(contract.columns)}
    absent = missing_numbers(contract.missing)
    uses: dict[str, Any] = {"nan": NAN, "pack": Struct(f"{len(names)}f").pack, "absent": absent}
    lines = []
    for column, convert in zip(contract.inputs, converters, strict=True):
        x = names[column.name]
        uses |= {f"name_{x}": column.name, f"convert_{x}": convert}
        if isinstance(convert, _Category):
            uses[f"codes_{x}"] = convert.codes
            lines += _take_category(x)
        else:
            lines += _take_number(x, bool(absent))
    for derived in contract.derived:
        lines += to_python(parse(derived.expression), names, names[derived.name])
    body = "".join(f"    {line}\n" for line in lines)
    exec(f"def pack_row(row):\n{body}    return pack({', '.join(names.values())})", uses)  # noqa: S102
    pack_row: PackRow = uses["pack_row"]
    return pack_row


def _take_number(x: str, absent: bool) -> list[str]:
    # Adding zero makes a float of an integer, and drops the sign of a zero as the table's
    # transform does.
    more = f" or {x} in absent" if absent else ""
    return [
        f"{x} = row[name_{x}]",
        f"{x} = ({x} if type({x}) is float or type({x}) is int else convert_{x}({x})) + 0.0",
        f"if not {TOO_SMALL} < {x} < {TOO_LARGE}{more}: {x} = convert_{x}({x})",
    ]


def _take_category(x: str) -> list[str]:
    return [
        f"{x} = row[name_{x}]",
        f"{x} = codes_{x}[{x}] if {x} in codes_{x} else convert_{x}({x})",
    ]


class _Category:
    """Reads any value of a categorical column; ``codes`` has the known texts, and None."""

    def __init__(self, contract: FeatureContract, categories: list[str]) -> None:
        self._canonical = category_parser(contract.missing)
        self._categories = categories
        self._refuse = contract.unknown_category == "error"
        self.codes: dict[str | None, float] = {
            name: float(code) for code, name in enumerate(categories)
        }
        self.codes[None] = NAN

    def __call__(self, value: object) -> float:
        text = self._canonical(value)
        code = self.codes.get(text)
        if code is not None:
            return code
        if self._refuse:
            raise ValueError(_unknown(str(text), self._categories))
        return NAN


def _unknown(text: str, categories: list[str]) -> str:
    guessed = categories[:_MOST_GUESSED]
    near = get_close_matches(text[:LONGEST_GUESSED], guessed, n=3) or categories[:5]
    shown = ", ".join(repr(name) for name in near)
    more = f" or one of {len(categories) - len(near)} more" if len(categories) > len(near) else ""
    found = text if len(text) <= 40 else text[:37] + "..."
    return f"unknown category {found!r}: allowed are {shown}{more}"
