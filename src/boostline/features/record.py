"""The transform of one raw record: plain Python over look-up tables, a few microseconds a call."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from struct import Struct
from typing import NamedTuple

from boostline.features.contract import FeatureContract, Input
from boostline.features.errors import FeatureError
from boostline.features.expressions import compile_python, parse
from boostline.features.values import NAN, category_parser, number_parser

# Strangers send records: what is wrong with one is told in bounded time.
_MOST_UNEXPECTED, _MOST_GUESSED, _LONGEST_GUESSED = 100, 200, 100

_Convert = Callable[[object], float]


class Problem(NamedTuple):
    """What is wrong with one field of a record."""

    field: str
    message: str


class RecordError(FeatureError):
    """A record that cannot be transformed; ``problems`` holds all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(
            "; ".join(f"{p.field}: {p.message}" if p.field else p.message for p in problems)
        )
        self.problems = list(problems)


class RecordTransform:
    """Turns raw records into feature rows, as the contract says."""

    def __init__(self, contract: FeatureContract) -> None:
        self._fields = [(column.name, _converter(contract, column)) for column in contract.inputs]
        index = {name: place for place, name in enumerate(contract.columns)}
        self._derived = [
            compile_python(parse(column.expression), index) for column in contract.derived
        ]
        names = [column.name for column in contract.inputs]
        self._known = frozenset([*names, *contract.ignored, contract.label])
        self._float32 = Struct(f"{len(contract.columns)}f")

    def transform(self, record: Mapping[str, object]) -> list[float]:
        """Transform one record: an object with all inputs, null where a value is missing.

        Returns
        -------
        list[float]
            The features in the contract's order, each rounded to float32; NaN is missing.

        Raises
        ------
        RecordError
            With every problem of the record.
        """
        return list(self._float32.unpack(self.pack(record)))

    def pack(self, record: Mapping[str, object]) -> bytes:
        """Do as `transform`, and return the features as float32 in memory."""
        try:
            # Adding zero drops the sign of a zero: the table's transform has none either.
            row = [convert(record[name]) + 0.0 for name, convert in self._fields]
            # All inputs are there: as many names as inputs are no others.
            known = len(record) == len(row) or self._known.issuperset(record)
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise RecordError(self._problems(record))
        for evaluate in self._derived:
            row.append(evaluate(row))
        return self._float32.pack(*row)

    def _problems(self, record: object) -> list[Problem]:
        if not isinstance(record, Mapping):
            return [Problem("", "a record must be an object with one value for each column")]
        problems: list[Problem] = []
        for name, convert in self._fields:
            try:
                convert(record[name])
            except KeyError:
                problems.append(Problem(name, "is required: send null if the value is missing"))
            except ValueError as error:
                problems.append(Problem(name, str(error)))
        extra = (str(name) for name in record if name not in self._known)
        return problems + [
            Problem(name, self._unexpected(name)) for name in islice(extra, _MOST_UNEXPECTED)
        ]

    def _unexpected(self, name: str) -> str:
        near = get_close_matches(name[:_LONGEST_GUESSED], sorted(self._known), n=1)
        return "is not a column of this model" + (f": did you mean {near[0]!r}?" if near else "")


def _converter(contract: FeatureContract, column: Input) -> _Convert:
    if column.kind == "numeric":
        return number_parser(contract.missing)
    return _category_converter(contract, column.categories)


def _category_converter(contract: FeatureContract, categories: list[str]) -> _Convert:
    canonical = category_parser(contract.missing)
    codes: dict[str | None, float] = {name: float(code) for code, name in enumerate(categories)}
    codes[None] = NAN
    refuse = contract.unknown_category == "error"

    def convert(value: object) -> float:
        # Most values are texts that are canonical already: one look-up.
        if type(value) is str and value in codes:
            return codes[value]
        text = canonical(value)
        code = codes.get(text)
        if code is not None:
            return code
        if refuse:
            raise ValueError(_unknown(str(text), categories))
        return NAN

    return convert


def _unknown(text: str, categories: list[str]) -> str:
    guessed = categories[:_MOST_GUESSED]
    near = get_close_matches(text[:_LONGEST_GUESSED], guessed, n=3) or categories[:5]
    shown = ", ".join(repr(name) for name in near)
    more = f" or one of {len(categories) - len(near)} more" if len(categories) > len(near) else ""
    found = text if len(text) <= 40 else text[:37] + "..."
    return f"unknown category {found!r}: allowed are {shown}{more}"
