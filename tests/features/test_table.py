import math

import msgspec
import polars as pl
import pytest

from boostline.features.columns import TableError
from boostline.features.contract import FeatureContract
from boostline.features.spec import FeatureSpec
from boostline.features.table import decode, labels, read, transform
from tests.features.conftest import fit_table


def test_transform(contract: FeatureContract, table: pl.DataFrame) -> None:
    features = transform(contract, table)
    assert features.columns == ["Mins", "Calls", "State", "Area", "Mins per Call"]
    assert set(features.dtypes) == {pl.Float32}
    assert features.row(0) == (10.0, 4.0, 1.0, 1.0, 2.5)
    assert features["Area"].to_list() == [1.0, 1.0, 0.0, 2.0]
    assert features["State"].is_nan().to_list() == [False, False, False, True]
    assert features["Mins per Call"].is_nan().to_list() == [False, True, True, True]


def test_categories_are_sorted(spec: FeatureSpec, table: pl.DataFrame) -> None:
    contract = fit_table(spec, table)
    assert contract.categories == {"State": ["KS", "OH"], "Area": ["007", "415", "510"]}


def test_canonical_rows_are_a_fixed_point(spec: FeatureSpec, table: pl.DataFrame) -> None:
    rows = decode(read(spec, table))
    assert decode(read(spec, rows)).equals(rows)


def test_columns_may_come_in_any_order(contract: FeatureContract, table: pl.DataFrame) -> None:
    shuffled = table.select(sorted(table.columns))
    assert transform(contract, shuffled).equals(transform(contract, table))


@pytest.mark.parametrize(
    "expression",
    [
        'col("Mins") / 0',
        "0 / 0",
        "1 / (1 / 0)",
        "1e38 * 10",
        "1 / (" + " * ".join(["1e38"] * 9) + ")",
        'col("Mins") + 0 / 0',
        'col("Mins") * 2e38',
    ],
)
def test_what_is_not_finite_is_missing(
    spec: FeatureSpec, table: pl.DataFrame, expression: str
) -> None:
    contract = fit_table(msgspec.structs.replace(spec, derived={"x": expression}), table)
    column = transform(contract, table)["x"].head(3)
    assert column.to_numpy().view("uint32").tolist() == [0x7FC00000] * 3


def test_a_zero_has_no_sign(spec: FeatureSpec, table: pl.DataFrame) -> None:
    contract = fit_table(msgspec.structs.replace(spec, derived={"x": '-col("Mins") + 0'}), table)
    zeros = table.with_columns(Mins=pl.lit("0"), Calls=pl.lit("-0"))
    features = transform(contract, zeros)
    for name in ("Mins", "Calls", "x"):
        assert features[name].to_numpy().view("uint32").tolist() == [0] * 4


def test_unseen_categories(contract: FeatureContract, table: pl.DataFrame) -> None:
    other = table.with_columns(pl.lit("TX").alias("State"))
    assert transform(contract, other)["State"].is_nan().all()
    with pytest.raises(TableError, match=r"'State' is an unknown category \(row 1: 'TX'.* 1 more"):
        transform(contract, other, unknown="error")


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("Mins", ["1", "x", "3", "4"], r"column 'Mins' must be a number, not 'x' \(row 2: 'x'\)"),
        ("Mins", ["1", "1e39", "3", "4"], r"range of float32 \(row 2: '1e39'\)"),
        ("Mins", [1.0, 2.0, math.inf, 4.0], r"range of float32 \(row 3: inf\)"),
        ("Mins", [True, False, True, True], "holds Boolean"),
        (
            "Area",
            [1.0, math.inf, 2.0, 3.0],
            r"column 'Area' must be a finite number \(row 2: inf\)",
        ),
    ],
)
def test_malformed_values_are_shown(
    contract: FeatureContract, table: pl.DataFrame, column: str, values: list[object], message: str
) -> None:
    wrong = table.with_columns(pl.Series(column, values))
    with pytest.raises(TableError, match=message):
        transform(contract, wrong)


def test_a_missing_column_is_named(contract: FeatureContract, table: pl.DataFrame) -> None:
    with pytest.raises(TableError, match="no column 'Calls', 'State'; it has 'Mins'"):
        transform(contract, table.drop("Calls", "State"))


def test_a_column_without_values_cannot_be_fitted(spec: FeatureSpec, table: pl.DataFrame) -> None:
    empty = table.with_columns(pl.Series("State", [None, "", "NA", " "]))
    with pytest.raises(TableError, match="'State' has no values"):
        fit_table(spec, empty)


def test_labels(contract: FeatureContract, table: pl.DataFrame) -> None:
    codes = labels(contract, table)
    assert codes.dtype == pl.Float32
    assert codes.to_list() == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("value", ["maybe", None, "NA"])
def test_what_is_no_label_is_refused(
    contract: FeatureContract, table: pl.DataFrame, value: str | None
) -> None:
    wrong = table.with_columns(pl.Series("Left?", ["no", "yes", "no", value]))
    with pytest.raises(TableError, match=r"column 'Left\?' is no label .*row 4"):
        labels(contract, wrong)


def test_a_table_without_label(contract: FeatureContract, table: pl.DataFrame) -> None:
    with pytest.raises(TableError, match="no label column"):
        labels(contract, table.drop("Left?"))


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([0, 1, 0, 0], ["0", "1"]),
        ([False, True, True, True], ["false", "true"]),
        (["b", "a", "b", "b"], ["a", "b"]),
    ],
)
def test_classes_are_found(
    spec: FeatureSpec, table: pl.DataFrame, values: list[object], classes: list[str]
) -> None:
    found = msgspec.structs.replace(spec, classes=None)
    other = table.with_columns(pl.Series("Left?", values))
    contract = fit_table(found, other)
    assert contract.classes == classes
    assert labels(contract, other).to_list() == [
        float(classes.index(str(v).lower())) for v in values
    ]


def test_three_values_are_not_binary(spec: FeatureSpec, table: pl.DataFrame) -> None:
    found = msgspec.structs.replace(spec, classes=None)
    other = table.with_columns(pl.Series("Left?", ["a", "b", "c", "a"]))
    with pytest.raises(TableError, match="3 distinct values"):
        fit_table(found, other)


def test_regression_labels(spec: FeatureSpec, table: pl.DataFrame) -> None:
    number = msgspec.structs.replace(spec, classes=None, objective="regression")
    other = table.with_columns(pl.Series("Left?", ["1.5", "2", "-3", "0"]))
    contract = fit_table(number, other)
    assert labels(contract, other).to_list() == [1.5, 2.0, -3.0, 0.0]


def test_decimal_columns(contract: FeatureContract, table: pl.DataFrame) -> None:
    prices = table.with_columns(
        pl.col("Mins").replace("NA", None).cast(pl.Decimal(10, 2)),
        pl.Series("Area", ["415", "415", "510", "510"]).cast(pl.Decimal(10, 2)),
    )
    features = transform(contract, prices)
    assert features["Mins"].to_list()[:2] == [10.0, 2.5]
    assert features["Area"].to_list() == [1.0, 1.0, 2.0, 2.0]
