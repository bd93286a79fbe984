"""The transform of a table, by Polars and NumPy; its fit, and the values of its label."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from boostline.features.columns import (
    Coded,
    Report,
    TableError,
    read_coded,
    read_numbers,
    refuse,
)
from boostline.features.contract import FeatureContract, fitted
from boostline.features.expressions import Node, parse
from boostline.features.spec import FeatureSpec
from boostline.features.values import NAN, TOO_LARGE, category_parser

Declared = FeatureSpec | FeatureContract
Columns = Mapping[str, pl.Series | Coded]
Unknown = Literal["error", "missing"]
Numbers = NDArray[np.float64]


def read(declared: Declared, table: pl.DataFrame, report: Report = refuse) -> Columns:
    """Read the raw values of a table by the grammar of :mod:`boostline.features.values`.

    Returns
    -------
    Columns
        The inputs and, where it is there, the label: numbers as Float64, NaN where missing; what is
        malformed is missing, after ``report``.

    Raises
    ------
    TableError
        A column is missing; or from ``report``.
    """
    spec = declared if isinstance(declared, FeatureSpec) else declared.spec()
    numeric, there = {*spec.numeric}, {*table.columns}
    if spec.objective == "regression":
        numeric.add(spec.label)
    absent = [name for name in spec.inputs if name not in there]
    if absent:
        raise TableError(
            f"the table has no column {_quoted(absent)}; it has {_quoted(table.columns)}"
        )
    columns: dict[str, pl.Series | Coded] = {}
    for name in (*spec.inputs, spec.label):
        if name in there:
            one = read_numbers if name in numeric else read_coded
            columns[name] = one(table[name], spec.missing, report)
    return columns


def decode(columns: Columns) -> pl.DataFrame:
    """Write categories as text again."""
    return pl.DataFrame(
        [
            _texts(*column).alias(name) if isinstance(column, Coded) else column.alias(name)
            for name, column in columns.items()
        ]
    )


def fit(spec: FeatureSpec, found: Mapping[str, Collection[str]]) -> FeatureContract:
    """Fit the contract on the distinct texts of training rows.

    Parameters
    ----------
    spec
        The declaration.
    found
        Those of each categorical column, and of the label unless it is a number.

    Returns
    -------
    FeatureContract
        Its categories are sorted.

    Raises
    ------
    TableError
        A column has no values, or the label not as many as the objective needs.
    """
    for name in spec.categorical:
        if not found[name]:
            raise TableError(f"column {name!r} has no values in the training rows: ignore it")
    categories = {name: sorted(found[name]) for name in spec.categorical}
    return fitted(spec, categories, _classes(spec, found))


def transform(
    contract: FeatureContract, table: pl.DataFrame, unknown: Unknown = "missing"
) -> pl.DataFrame:
    """Transform raw rows to features.

    Parameters
    ----------
    contract, table
        The fitted contract; raw rows.
    unknown
        What a category that training never saw is. A split of a table keeps such rows, the
        category ``missing``; ``error`` refuses the table. (A single record follows the contract's
        own ``unknown_category``.)

    Returns
    -------
    pl.DataFrame
        Float32 columns in the contract's order, NaN for missing: bit for bit what
        :class:`boostline.features.record.RecordTransform` makes of each row.

    Raises
    ------
    TableError
        A column is missing or values are malformed.
    """
    return encode(contract, read(contract, table), unknown)


def encode(
    contract: FeatureContract, columns: Columns, unknown: Unknown = "missing"
) -> pl.DataFrame:
    """Transform rows that were read to features, as :func:`transform` does."""
    inputs = []
    for column in contract.inputs:
        values = columns[column.name]
        if isinstance(values, Coded):
            codes = _recoded(values, column.categories)
            if unknown == "error" and (unseen := codes.is_nan() & values.codes.is_not_null()).any():
                texts = _texts(*values).alias(column.name)
                refuse(texts, unseen, lambda _: "is an unknown category")
            values = codes
        inputs.append(values.alias(column.name))
    height = len(inputs[0])
    numbers = {column.name: column.to_numpy() for column in inputs}
    for derived in contract.derived:
        numbers[derived.name] = _derive(parse(derived.expression), numbers, height)
    made = [pl.Series(derived.name, numbers[derived.name]) for derived in contract.derived]
    features = pl.DataFrame([*inputs, *made])
    # Every missing value has the same bits: those that come from a file or a division may differ.
    return features.cast(pl.Float32).select(pl.all().fill_nan(pl.lit(NAN, dtype=pl.Float32)))


def labels(contract: FeatureContract, table: pl.DataFrame) -> pl.Series:
    """Read the label of raw rows.

    Returns
    -------
    pl.Series
        Float32: the code of the class, or the number itself for regression.

    Raises
    ------
    TableError
        The label's column or a value is missing, or is not one of the classes.
    """
    columns = read(contract, table)
    check_labels(contract, table, columns)
    return encode_labels(contract, columns)


def check_labels(
    declared: Declared, table: pl.DataFrame, columns: Columns, report: Report = refuse
) -> None:
    """Report the rows of a table whose label is missing, or is not one of the classes declared.

    Raises
    ------
    TableError
        The table has no such column; or from ``report``.
    """
    name, classes = declared.label, declared.classes
    if name not in columns:
        raise TableError(f"the table has no label column {name!r}; it has {_quoted(table.columns)}")
    column = columns[name]
    if isinstance(column, Coded):
        codes = (
            column.codes if classes is None else _recoded(column, _known(declared)).fill_nan(None)
        )
        wrong = codes.is_null()
    else:
        wrong = column.is_nan()
    if wrong.any():
        allowed = f" (classes are {_quoted(classes)})" if classes else ""
        report(table[name], wrong, lambda value: f"is no label{allowed}: {value!r}")


def encode_labels(contract: FeatureContract, columns: Columns) -> pl.Series:
    """Read the labels of rows as :func:`labels` does; they have been checked."""
    column = columns[contract.label]
    codes = _recoded(column, _known(contract)) if isinstance(column, Coded) else column
    return codes.cast(pl.Float32).alias(contract.label)


def _known(declared: Declared) -> list[str | None]:
    canonical_text = category_parser(declared.missing)
    return [canonical_text(name) for name in declared.classes or []]


def _recoded(column: Coded, names: Sequence[str | None]) -> pl.Series:
    """Give each row the place of its text in ``names``, NaN where it is missing or not there."""
    place = {name: float(code) for code, name in enumerate(names)}
    codes = pl.Series([place.get(text, NAN) for text in column.texts], dtype=pl.Float64)
    return codes.gather(column.codes).fill_null(NAN)


def _texts(codes: pl.Series, texts: list[str]) -> pl.Series:
    return pl.Series(texts, dtype=pl.String).gather(codes)


def _derive(node: Node, columns: Mapping[str, Numbers], height: int) -> Numbers:
    # By NumPy: it computes each operation as Python does. Polars divides by a single value by
    # multiplying with its reciprocal, which is another number.
    with np.errstate(all="ignore"):
        result = np.broadcast_to(_computed(node, columns), height)
        # Adding zero drops the sign of a zero.
        return np.where(np.abs(result) < TOO_LARGE, result + 0.0, NAN)


def _computed(node: Node, columns: Mapping[str, Numbers]) -> Numbers:
    if node.kind == "column":
        return columns[str(node.value)]
    if node.kind == "number":
        return np.array(node.value, dtype=np.float64)
    parts = [_computed(part, columns) for part in node.operands]
    return _OPERATIONS[node.kind](*parts)


def _divide(left: Numbers, right: Numbers) -> Numbers:
    return np.where(np.isfinite(right) & (right != 0.0), left / right, NAN)


_OPERATIONS: Mapping[str, Callable[..., Numbers]] = {
    "negative": np.negative,
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
}


def _classes(spec: FeatureSpec, found: Mapping[str, Collection[str]]) -> list[str] | None:
    if spec.objective == "regression" or spec.classes is not None:
        return spec.classes
    if spec.label not in found:
        raise TableError(f"the table has no label column {spec.label!r}")
    classes = sorted(found[spec.label])
    if len(classes) < 2 or (spec.objective == "binary" and len(classes) != 2):
        wanted = "two classes" if spec.objective == "binary" else "two classes or more"
        raise TableError(
            f"label {spec.label!r} has {len(classes)} distinct values ({_quoted(classes[:5])}): "
            f"the objective {spec.objective!r} needs {wanted}"
        )
    return classes


def _quoted(names: Sequence[str] | None) -> str:
    return ", ".join(repr(name) for name in names or [])
