from pathlib import Path

import numpy as np
import polars as pl
import pytest

from boostline.container.dataset import read_dataset
from boostline.container.errors import ContainerError
from boostline.features.contract import FeatureContract, fitted
from boostline.features.spec import FeatureSpec

TABLE = pl.DataFrame({"a": [1.0, None], "b": [3.0, 4.0], "y": [0.0, 1.0]}).cast(pl.Float32)


@pytest.fixture
def contract() -> FeatureContract:
    return fitted(FeatureSpec(label="y", numeric=["a", "b"]), {}, ["0", "1"])


def test_features_and_labels(tmp_path: Path, contract: FeatureContract) -> None:
    TABLE.fill_null(float("nan")).write_parquet(tmp_path / "part.parquet")
    dataset = read_dataset(tmp_path, contract)
    assert dataset.features.dtype == np.float32
    assert dataset.features.flags.c_contiguous
    np.testing.assert_array_equal(dataset.features, [[1, 3], [np.nan, 4]])
    assert dataset.labels.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.select("b", "a", "y"), "not those of the feature contract"),
        (TABLE.drop("b"), "not those of the feature contract"),
        (TABLE.cast({"b": pl.Float64}), "'b' is not Float32"),
        (TABLE.with_columns(y=pl.lit(None, pl.Float32)), "a label is missing"),
    ],
)
def test_other_columns_are_refused(
    tmp_path: Path, contract: FeatureContract, table: pl.DataFrame, message: str
) -> None:
    table.write_parquet(tmp_path / "part.parquet")
    with pytest.raises(ContainerError, match=message):
        read_dataset(tmp_path, contract)
