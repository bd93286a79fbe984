"""The transform of a table, in Polars; its fit, and the values of its label."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import polars as pl

from boostline.features.columns import TableError, offence, read_categories, read_numbers
from boostline.features.contract import FeatureContract, Input, fitted
from boostline.features.expressions import Binary, Column, Negative, Node, Number, parse
from boostline.features.spec import FeatureSpec
from boostline.features.values import NAN, TOO_LARGE, category_parser

Declared = FeatureSpec | FeatureContract
Unknown = Literal["error", "missing"]


def canonical(declared: Declared, table: pl.DataFrame) -> pl.DataFrame:
    """Read the raw values of a table by the grammar of :mod:`boostline.features.values`.

    Parameters
    ----------
    declared
        The specification or the contract: which columns to read, and as what.
    table
        Raw rows.

    Returns
    -------
    pl.DataFrame
        The inputs and, where it is there, the label: Float64 with NaN for missing numbers, String
        with null for missing categories. Reading it again changes nothing.

    Raises
    ------
    TableError
        A column is missing, or values are malformed: with column, rows and what was found.
    """
    spec = declared if isinstance(declared, FeatureSpec) else declared.spec()
    wanted = [*spec.numeric, *spec.categorical]
    absent = [name for name in wanted if name not in table.columns]
    if absent:
        raise TableError(
            f"the table has no column {_quoted(absent)}; it has {_quoted(table.columns)}"
        )
    columns = [read_numbers(table[name], spec.missing) for name in spec.numeric]
    columns += [read_categories(table[name], spec.missing) for name in spec.categorical]
    if spec.label in table.columns:
        read = read_numbers if spec.objective == "regression" else read_categories
        columns.append(read(table[spec.label], spec.missing))
    return pl.DataFrame(columns)


def fit(spec: FeatureSpec, table: pl.DataFrame) -> tuple[FeatureContract, dict[str, Any]]:
    """Fit the contract on the training rows.

    Parameters
    ----------
    spec
        The declaration.
    table
        Raw training rows, the label among them.

    Returns
    -------
    tuple[FeatureContract, dict]
        The contract, its categories sorted; and statistics of the raw columns: ``missing``, and
        ``min, max, mean`` of numeric or ``counts`` of categorical ones.

    Raises
    ------
    SpecError, TableError
        The declaration or the table is not usable.
    """
    spec.check()
    rows = canonical(spec, table)
    categories = {name: _distinct(rows[name]) for name in spec.categorical}
    for name, found in categories.items():
        if not found:
            raise TableError(f"column {name!r} has no values in the training rows: ignore it")
    contract = fitted(spec, categories, _classes(spec, rows))
    return contract, {name: _statistics(rows[name]) for name in (*spec.numeric, *spec.categorical)}


def transform(
    contract: FeatureContract, table: pl.DataFrame, unknown: Unknown = "missing"
) -> pl.DataFrame:
    """Transform raw rows to features.

    Parameters
    ----------
    contract
        The fitted contract.
    table
        Raw rows.
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
    rows = canonical(contract, table)
    features = rows.select(
        _codes(rows[column.name], column, unknown)
        if column.kind == "categorical"
        else rows[column.name]
        for column in contract.inputs
    )
    for column in contract.derived:
        features = features.with_columns(
            _finite(_polars(parse(column.expression))).alias(column.name)
        )
    # Every missing value has the same bits: those that come from a file or a division may differ.
    return features.cast(pl.Float32).select(pl.all().fill_nan(pl.lit(NAN, dtype=pl.Float32)))


def labels(contract: FeatureContract, table: pl.DataFrame) -> pl.Series:
    """Read the label of raw rows.

    Parameters
    ----------
    contract
        The fitted contract.
    table
        Raw rows, the label among them.

    Returns
    -------
    pl.Series
        Float32: the code of the class, or the number itself for regression.

    Raises
    ------
    TableError
        The label's column or a value is missing, or is not one of the classes.
    """
    if contract.label not in table.columns:
        raise TableError(f"the table has no label column {contract.label!r}")
    values = canonical(contract, table)[contract.label]
    if contract.classes is None:
        codes = values
    else:
        known = category_parser(contract.missing)
        classes = [known(name) for name in contract.classes]
        codes = _coded(values, classes).fill_null(NAN)
    bad = codes.is_nan()
    if bad.any():
        allowed = f" (classes are {_quoted(contract.classes)})" if contract.classes else ""
        raise TableError(offence(table[contract.label], bad, "is no label" + allowed))
    return codes.cast(pl.Float32)


def _codes(values: pl.Series, column: Input, unknown: Unknown) -> pl.Series:
    codes = _coded(values, column.categories)
    if unknown == "error":
        unseen = codes.is_null() & values.is_not_null()
        if unseen.any():
            raise TableError(offence(values, unseen, "is an unknown category"))
    return codes.fill_null(NAN)


def _coded(values: pl.Series, names: Sequence[str | None]) -> pl.Series:
    return values.replace_strict(names, range(len(names)), default=None, return_dtype=pl.Float64)


def _polars(node: Node) -> pl.Expr:
    match node:
        case Column(name):
            return pl.col(name)
        case Number(value):
            return pl.lit(value, dtype=pl.Float64)
        case Negative(operand):
            return -_polars(operand)
        case Binary("/", left, right):
            divisor = _polars(right)
            usable = divisor.is_finite() & (divisor != 0.0)
            return pl.when(usable).then(_polars(left) / divisor).otherwise(NAN)
        case Binary(operator, left, right):
            return _OPERATIONS[operator](_polars(left), _polars(right))


_OPERATIONS: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
}


def _finite(result: pl.Expr) -> pl.Expr:
    # The sign of a zero is dropped: Polars simplifies `x + 0`, which would keep it.
    usable = result.is_finite() & (result.abs() < TOO_LARGE)
    return pl.when(result == 0.0).then(0.0).when(usable).then(result).otherwise(NAN)


def _classes(spec: FeatureSpec, rows: pl.DataFrame) -> list[str] | None:
    if spec.objective == "regression":
        return None
    if spec.label not in rows.columns:
        raise TableError(f"the table has no label column {spec.label!r}")
    found = _distinct(rows[spec.label])
    if spec.classes is not None:
        return spec.classes
    if len(found) < 2 or (spec.objective == "binary" and len(found) != 2):
        wanted = "two classes" if spec.objective == "binary" else "two classes or more"
        raise TableError(
            f"label {spec.label!r} has {len(found)} distinct values ({_quoted(found[:5])}): "
            f"the objective {spec.objective!r} needs {wanted}"
        )
    return found


def _distinct(values: pl.Series) -> list[str]:
    return sorted(values.drop_nulls().unique().to_list())


def _statistics(values: pl.Series) -> dict[str, Any]:
    if values.dtype == pl.String:
        present = values.drop_nulls()
        counts = dict(sorted(present.value_counts().iter_rows()))
    else:
        present = values.drop_nans()
    statistics: dict[str, Any] = {"missing": len(values) - len(present)}
    if values.dtype == pl.String:
        return statistics | {"counts": counts}
    return statistics | {"min": present.min(), "max": present.max(), "mean": present.mean()}


def _quoted(names: Sequence[str] | None) -> str:
    return ", ".join(repr(name) for name in names or [])
