"""A small table of every kind of column, and what is fitted on it."""

import polars as pl
import pytest

from boostline.features.columns import Coded
from boostline.features.contract import FeatureContract
from boostline.features.spec import FeatureSpec
from boostline.features.table import fit, read


def fit_table(spec: FeatureSpec, table: pl.DataFrame) -> FeatureContract:
    """Fit a contract on training rows."""
    columns = read(spec, table).items()
    return fit(spec, {name: found.texts for name, found in columns if isinstance(found, Coded)})


@pytest.fixture
def spec() -> FeatureSpec:
    return FeatureSpec(
        label="Left?",
        classes=["no", "yes"],
        numeric=["Mins", "Calls"],
        categorical=["State", "Area"],
        ignore=["Phone"],
        derived={"Mins per Call": 'col("Mins") / col("Calls")'},
        missing=["", "NA"],
    )


@pytest.fixture
def table() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "Mins": ["10", "2.5", "NA", "0"],
            "Calls": ["4", "0", "3", None],
            "State": ["OH", "KS", "OH", None],
            "Area": ["415", "415.0", "007", "510"],
            "Phone": ["1", "2", "3", "4"],
            "Left?": ["no", "yes", "no", "no"],
        }
    )


@pytest.fixture
def contract(spec: FeatureSpec, table: pl.DataFrame) -> FeatureContract:
    return fit_table(spec, table)
