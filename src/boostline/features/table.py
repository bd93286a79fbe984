"""The transform of a table, in Polars; its fit, and the values of its label."""

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

import polars as pl

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
    absent = [name for name in spec.inputs if name not in table.columns]
    if absent:
        raise TableError(
            f"the table has no column {_quoted(absent)}; it has {_quoted(table.columns)}"
        )
    columns: dict[str, pl.Series | Coded] = {}
    for name in (*spec.inputs, spec.label):
        numeric = name in spec.numeric or (name == spec.label and spec.objective == "regression")
        if name in table.columns:
            one = read_numbers if numeric else read_coded
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
    features = pl.DataFrame(inputs)
    for derived in contract.derived:
        expression = _finite(_polars(parse(derived.expression)))
        features = features.with_columns(expression.alias(derived.name))
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


def _polars(node: Node) -> pl.Expr:
    if node.kind == "column":
        return pl.col(str(node.value))
    if node.kind == "number":
        return pl.lit(node.value, dtype=pl.Float64)
    return _OPERATIONS[node.kind](*map(_polars, node.operands))


def _divide(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    return pl.when(right.is_finite() & (right != 0.0)).then(left / right).otherwise(NAN)


_OPERATIONS: Mapping[str, Callable[..., pl.Expr]] = {
    "negative": operator.neg,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
}


def _finite(result: pl.Expr) -> pl.Expr:
    # The sign of a zero is dropped: Polars simplifies `x + 0`, which would keep it.
    usable = result.is_finite() & (result.abs() < TOO_LARGE)
    return pl.when(result == 0.0).then(0.0).when(usable).then(result).otherwise(NAN)


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
