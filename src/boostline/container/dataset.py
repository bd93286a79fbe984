"""The rows that train and evaluate read: process's Parquet splits, or SageMaker's classic CSV."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from boostline.container.errors import ContainerError
from boostline.container.paths import data_files, shown
from boostline.features.contract import FeatureContract

FloatArray = NDArray[np.float32]

BATCH_ROWS = 262_144  # the rows of a row group as Polars writes them


class Dataset:
    """Feature rows with their labels, read when they are asked for.

    Parameters
    ----------
    source
        What messages call it.
    table
        Float32 columns.
    columns
        The features, in the contract's order.
    label
        The column of the label.
    """

    def __init__(
        self, source: str, table: pl.LazyFrame, columns: Sequence[str], label: str
    ) -> None:
        self.source = source
        self._table = table
        self._columns = list(columns)
        self._label = label

    @cached_property
    def labels(self) -> FloatArray:
        """Float32, shape (rows,): the code of the class, or the number for regression."""
        labels: FloatArray = self._collect(self._table.select(self._label)).to_series().to_numpy()
        if len(labels) == 0:
            raise ContainerError(f"{self.source}: no rows")
        if not np.isfinite(labels).all():
            raise ContainerError(f"{self.source}: a label is missing")
        return labels

    @cached_property
    def features(self) -> FloatArray:
        """Float32, shape (rows, columns), NaN for missing: all rows, kept in memory."""
        return self._matrix(self._table)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[FloatArray]:
        """Yield the features some rows at a time, in their order, holding only these."""
        for start in range(0, len(self.labels), rows):
            yield self._matrix(self._table.slice(start, rows))

    def _matrix(self, table: pl.LazyFrame) -> FloatArray:
        return np.ascontiguousarray(self._collect(table.select(self._columns)).to_numpy())

    def _collect(self, table: pl.LazyFrame) -> pl.DataFrame:
        try:
            return table.collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise ContainerError(f"{self.source}: not readable: {error}") from None


def read_dataset(folder: Path, contract: FeatureContract) -> Dataset:
    """Open one split of process.

    Parameters
    ----------
    folder
        Holds Parquet files of float32 features in the contract's order, and the label.
    contract
        The contract that the features were made with.

    Returns
    -------
    Dataset
        Its rows.

    Raises
    ------
    ContainerError
        The files are missing, or have other columns or labels than the contract.
    """
    files = data_files(folder)
    expected = [*contract.columns, contract.label]
    for file in files:
        _check_columns(file, expected)
    dataset = Dataset(shown(files[0]), pl.scan_parquet(files), contract.columns, contract.label)
    check_labels(dataset, contract)
    return dataset


def check_labels(dataset: Dataset, contract: FeatureContract) -> None:
    """Refuse labels that are not codes of the contract's classes.

    Raises
    ------
    ContainerError
        Which label it is.
    """
    if contract.classes is None:
        return
    odd = dataset.labels[~np.isin(dataset.labels, np.arange(len(contract.classes)))]
    if len(odd):
        raise ContainerError(
            f"{dataset.source}: label {odd[0]:g} is not the code of a class: "
            f"expected 0 to {len(contract.classes) - 1}"
        )


def read_classic(folder: Path) -> Dataset:
    """Read a channel as SageMaker's built-in XGBoost takes it.

    Parameters
    ----------
    folder
        Holds CSV files of numbers, of any name, without a header, the label first; an empty field
        is missing.

    Returns
    -------
    Dataset
        With columns ``f0``, ``f1``, …

    Raises
    ------
    ContainerError
        A file is missing or something else; which, and what was expected.
    """
    files = data_files(folder)
    tables = [_read_numbers(file) for file in files]
    for file, table in zip(files, tables, strict=True):
        if table.width != tables[0].width or table.width < 2:
            raise ContainerError(
                f"{shown(file)}: {table.width} columns, {files[0].name} has {tables[0].width}: "
                "expected the label and at least one feature"
            )
    columns = [f"f{place}" for place in range(tables[0].width - 1)]
    whole = pl.concat(tables)
    whole.columns = ["label", *columns]
    return Dataset(shown(files[0]), whole.lazy(), columns, "label")


def _read_numbers(file: Path) -> pl.DataFrame:
    try:
        table = pl.read_csv(file, has_header=False, infer_schema=False)
        return table.select(pl.all().str.strip_chars().cast(pl.Float32))
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ContainerError(
            f"{shown(file)}: not CSV of numbers without a header, the label first: {reason} (there "
            "is no channel 'contract', so this layout is expected)"
        ) from None


def _check_columns(file: Path, expected: list[str]) -> None:
    try:
        schema = pl.read_parquet_schema(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ContainerError(f"{shown(file)}: not a readable Parquet file: {error}") from None
    if list(schema) != expected:
        raise ContainerError(
            f"{shown(file)}: its columns are not those of the feature contract and the label: "
            f"expected {expected}, found {list(schema)}"
        )
    odd = [name for name in expected if schema[name] != pl.Float32]
    if odd:
        raise ContainerError(
            f"{shown(file)}: column {odd[0]!r} is not Float32: use process's output"
        )
