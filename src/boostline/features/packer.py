"""The packer: a Python function that is written for its contract, from a record to its features.

Nearly all values that arrive are numbers within range and known categories. These are taken where
they stand, without a loop; for any other the field is asked, which knows the whole grammar.

Variables are named by places: no text of a contract becomes code, its names and categories are
values that the code uses.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from boostline.features.contract import FeatureContract
from boostline.features.expressions import parse, to_python
from boostline.features.fields import Field
from boostline.features.values import NAN, TOO_LARGE, TOO_SMALL, missing_numbers

# The function of a wide contract is cut into pieces of about so many lines. The pieces of like
# columns have one text, so few are compiled: that takes a hundred times as long as to run.
_LINES = 96

Packer = Callable[[Mapping[str, object]], bytes]


def compile_packer(
    contract: FeatureContract, fields: Sequence[Field], pack: Callable[..., bytes]
) -> Packer:
    """Write and compile the function that packs the features of a record.

    Parameters
    ----------
    contract
        Has the columns.
    fields
        Those of its inputs.
    pack
        Makes bytes of all features: float64 values, NaN where one is missing.

    Returns
    -------
    Packer
        It takes values by the names of their columns. For what is malformed it raises
        ``ValueError``, ``KeyError``, ``TypeError`` or ``OverflowError``, without saying what is
        wrong.
    """
    written: dict[str, Callable[..., Any]] = {}
    *others, last = _cut(contract, fields)
    run = [piece.function(f"values += {piece.names},", written) for piece in others]
    earlier = "*values, " if others else ""
    end = last.function(f"return pack({earlier}{last.names})", written, pack=pack)
    if not others:
        return end

    def pack_record(record: Mapping[str, object]) -> bytes:
        values: list[float] = []
        for step in run:
            step(record, values)
        packed: bytes = end(record, values)
        return packed

    return pack_record


class _Piece:
    """Some consecutive columns: the lines that make them, and the values that these use."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._count = 0
        self._lines: list[str] = []
        self._uses: dict[str, object] = {}

    @property
    def end(self) -> int:
        """The place of the column that comes next."""
        return self._start + self._count

    @property
    def full(self) -> bool:
        """Whether the next column is for another piece."""
        return len(self._lines) >= _LINES

    @property
    def names(self) -> str:
        """The variables of the columns."""
        return ", ".join(f"x{number}" for number in range(self._count))

    def take(self, field: Field, absent: Collection[float]) -> None:
        """Add an input."""
        x = self._next()
        self._uses |= {f"name_{x}": field.name, f"convert_{x}": field.convert}
        self._lines.append(f"{x} = record[name_{x}]")
        if field.codes is not None:
            self._uses[f"codes_{x}"] = field.codes
            self._lines.append(f"{x} = codes_{x}[{x}] if {x} in codes_{x} else convert_{x}({x})")
            return
        self._uses["absent"] = absent
        more = f" or {x} in absent" if absent else ""
        # Adding zero makes a float of an integer, and drops the sign of a zero as the table's
        # transform does.
        self._lines += [
            f"{x} = ({x} if type({x}) is float or type({x}) is int else convert_{x}({x})) + 0.0",
            f"if not {TOO_SMALL} < {x} < {TOO_LARGE}{more}: {x} = convert_{x}({x})",
        ]

    def derive(self, expression: str, places: Mapping[str, int]) -> None:
        """Add a derived column."""

        def variable(name: str) -> str:
            number = places[name] - self._start
            return f"x{number}" if number >= 0 else f"values[{places[name]}]"

        self._lines += to_python(parse(expression), variable, self._next())

    def function(
        self, result: str, written: dict[str, Callable[..., Any]], **uses: object
    ) -> Callable[..., Any]:
        """Make the function of a record, and of the values of the pieces before."""
        uses |= self._uses
        body = "".join(f"        {line}\n" for line in (*self._lines, result))
        head = f"def make({', '.join(uses)}):\n    def piece(record, values=()):\n"
        text = f"{head}{body}    return piece"
        if text not in written:
            space: dict[str, Any] = {"nan": NAN}
            exec(text, space)  # noqa: S102
            written[text] = space["make"]
        return written[text](**uses)  # type: ignore[no-any-return]

    def _next(self) -> str:
        self._count += 1
        return f"x{self._count - 1}"


def _cut(contract: FeatureContract, fields: Sequence[Field]) -> list[_Piece]:
    absent = missing_numbers(contract.missing)
    places = {name: place for place, name in enumerate(contract.columns)}
    pieces = [_Piece(0)]

    def last() -> _Piece:
        if pieces[-1].full:
            pieces.append(_Piece(pieces[-1].end))
        return pieces[-1]

    for field in fields:
        last().take(field, absent)
    for column in contract.derived:
        last().derive(column.expression, places)
    return pieces
