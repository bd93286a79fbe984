"""The two forms of a request's rows: features, and raw records."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from boostline.container.flavors.base import Rows
from boostline.container.programs.refusals import (
    MAX_ROWS,
    SHOWN_PROBLEMS,
    RowProblem,
    empty_body,
    invalid_rows,
    too_many_rows,
)
from boostline.features.contract import FeatureContract, fitted
from boostline.features.record import RecordError, RecordTransform
from boostline.features.spec import FeatureSpec

HEADER: Final = 0  # as the number of a row


class Wrong(NamedTuple):
    """Stands for a row that could not be read."""

    field: str
    message: str


class Form:
    """Rows with the columns of one contract.

    Attributes
    ----------
    contract
        It makes features of the rows; that of rows that are features already only checks them.
    inputs, known
        The names of the columns that a row must have, and may have.
    plain
        Whether the rows are features already.
    """

    def __init__(self, contract: FeatureContract, plain: bool) -> None:
        self.contract = contract
        self.plain = plain
        self.inputs = [column.name for column in contract.inputs]
        self.known = frozenset([*self.inputs, *contract.ignored, contract.label])
        self._row = np.dtype((np.float32, (len(contract.columns),)))

    @cached_property
    def _pack(self) -> Callable[[Mapping[str, object]], bytes]:
        # Made for the first rows: most servers get rows of one form only.
        return RecordTransform(self.contract).pack

    def collect(self, rows: Iterable[object]) -> Rows:
        """Make features of rows, by the names of their columns.

        Parameters
        ----------
        rows
            Mappings; or ``Wrong`` in the place of a row.

        Raises
        ------
        ScoringError
            With the problems found, not many more than can be told.
        """
        packed = bytearray()
        problems: list[RowProblem] = []
        for number, row in enumerate(rows, 1):
            if number > MAX_ROWS:
                raise too_many_rows()
            try:
                packed += self._pack(row)  # type: ignore[arg-type]
                continue
            except RecordError as error:
                found = [row] if isinstance(row, Wrong) else error.problems
            problems += [RowProblem(number, *problem) for problem in found]
            if len(problems) >= SHOWN_PROBLEMS:
                break
        if problems:
            raise invalid_rows(problems)
        if not packed:
            raise empty_body("there are no rows: send at least one")
        return np.frombuffer(packed, self._row)


class Forms:
    """What the rows of a table are, by the names of its columns."""

    def __init__(self, contract: FeatureContract) -> None:
        numbers = FeatureSpec(
            label=contract.label,
            objective="regression",
            numeric=contract.columns,
            ignore=contract.ignored,
        )
        self.records = Form(contract, False)
        self.features = Form(fitted(numbers, {}, None), True)
        self._derived = {column.name for column in contract.derived}

    def is_header(self, fields: Sequence[str]) -> bool:
        """Say whether a line of CSV names columns: a name that is a number cannot be told."""
        known = self.records.known | self._derived
        return any(field in known and not _is_number(field) for field in fields)

    def of(self, names: Sequence[str], transformed: bool) -> Form:
        """Choose the form of rows with columns of these names.

        Parameters
        ----------
        names
            The names of all columns.
        transformed
            Whether the request names the contract that made the rows: then they are features, as
            they are where the name of a derived column is there.

        Raises
        ------
        ScoringError
            A column is missing, unknown, or there twice.
        """
        form = self.features if transformed or self._derived & {*names} else self.records
        found = Counter(names)
        wrong = {
            "is missing": (name for name in form.inputs if name not in found),
            "is not a column of this model": (name for name in found if name not in form.known),
            "is there more than once": (name for name in found if found[name] > 1),
        }
        problems = [RowProblem(HEADER, name, why) for why in wrong for name in wrong[why]]
        if problems:
            raise invalid_rows(problems)
        return form


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
