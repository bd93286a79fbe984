"""The transform of one raw record: plain Python, a microsecond or two a call."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from struct import Struct
from typing import NamedTuple

from boostline.features.contract import FeatureContract
from boostline.features.errors import FeatureError
from boostline.features.fields import LONGEST_GUESSED, fields
from boostline.features.packer import compile_packer

# Strangers send records: what is wrong with one is told in bounded time.
_MOST_UNEXPECTED, _MOST_COMPARED = 100, 10_000


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
        self._fields = fields(contract)
        names = [field.name for field in self._fields]
        self._known = frozenset([*names, *contract.ignored, contract.label])
        self._inputs = len(names)
        self._float32 = Struct(f"{len(contract.columns)}f")
        self._pack = compile_packer(contract, self._fields, self._float32.pack)

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
            packed = self._pack(record)
            # All inputs are there: as many names as inputs are no others.
            if len(record) == self._inputs or self._known.issuperset(record):
                return packed
        except (ValueError, KeyError, TypeError, OverflowError):
            problems = self._problems(record)
            if not problems:  # then the mistake is not the record's
                raise
        else:
            problems = self._problems(record)
        raise RecordError(problems)

    def _problems(self, record: object) -> list[Problem]:
        if not isinstance(record, Mapping):
            return [Problem("", "a record must be an object with one value for each column")]
        problems: list[Problem] = []
        for name, convert, _ in self._fields:
            try:
                convert(record[name])
            except KeyError:
                problems.append(Problem(name, "is required: send null if the value is missing"))
            except ValueError as error:
                problems.append(Problem(name, str(error)))
        extra = islice((name for name in record if name not in self._known), _MOST_UNEXPECTED)
        guessed = _MOST_COMPARED // len(self._known)
        return problems + [
            Problem(str(name), self._unexpected(str(name), place < guessed))
            for place, name in enumerate(extra)
        ]

    def _unexpected(self, name: str, guess: bool) -> str:
        known = sorted(self._known) if guess else []
        near = get_close_matches(name[:LONGEST_GUESSED], known, n=1)
        return "is not a column of this model" + (f": did you mean {near[0]!r}?" if near else "")
