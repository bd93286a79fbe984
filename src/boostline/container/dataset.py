"""The Parquet splits that process writes, and train and evaluate read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from boostline.container.errors import ContainerError
from boostline.container.paths import data_files
from boostline.features.contract import FeatureContract
from boostline.features.files import read_table

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Dataset:
    """Feature rows with their labels.

    Attributes
    ----------
    features
        Float32, shape (rows, columns), in the contract's order, NaN for missing.
    labels
        Float32, shape (rows,): the code of the class, or the number for regression.
    """

    features: FloatArray
    labels: FloatArray


def read_dataset(folder: Path, contract: FeatureContract) -> Dataset:
    """Read one split.

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
    ContainerError, TableError
        The files are missing, or have other columns than the contract.
    """
    files: Sequence[Path] = data_files(folder)
    table = read_table(files)
    expected = [*contract.columns, contract.label]
    if table.columns != expected:
        raise ContainerError(
            f"{files[0]}: its columns are not those of the feature contract and the label: "
            f"expected {expected}, found {table.columns}"
        )
    odd = [name for name in expected if table[name].dtype != pl.Float32]
    if odd:
        raise ContainerError(f"{files[0]}: column {odd[0]!r} is not Float32: use process's output")
    features = np.ascontiguousarray(table.select(contract.columns).to_numpy())
    labels = table[contract.label].to_numpy()
    if not np.isfinite(labels).all():
        raise ContainerError(f"{files[0]}: a label is missing")
    return Dataset(features, labels)
