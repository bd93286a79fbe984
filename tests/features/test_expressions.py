import math
from itertools import zip_longest

import pytest

from boostline.features.contract import fitted
from boostline.features.expressions import (
    MAX_DEPTH,
    MAX_LENGTH,
    ExpressionError,
    columns,
    parse,
)
from boostline.features.record import RecordTransform
from boostline.features.spec import FeatureSpec

NAMES = ["a", "b", 'odd "name"']


def evaluate(text: str, *values: float) -> float:
    spec = FeatureSpec(label="y", objective="regression", numeric=NAMES, derived={"found": text})
    record = dict(zip_longest(NAMES, values))
    return RecordTransform(fitted(spec, {}, None)).transform(record)[-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("8 - 4 - 2", 2.0),
        ("8 / 4 / 2", 1.0),
        ("--2", 2.0),
        ("-2 * -3", 6.0),
        ("2 - -1", 3.0),
        ("1e2 + .5", 100.5),
        ('col("a") + col( "b" )', 7.0),
        ('col(\'a\') - col("odd \\"name\\"")', -6.0),
    ],
)
def test_values(text: str, expected: float) -> None:
    assert evaluate(text, 3.0, 4.0, 9.0) == expected


@pytest.mark.parametrize(
    "text",
    [
        "col('a') / 0",
        "0 / 0",
        "1 / (1 / 0)",
        "col('b') * col('b')",
        "1 / (" + " * ".join(["col('b')"] * 9) + ")",
        "1e38 * 10",
    ],
)
def test_what_is_not_finite_is_missing(text: str) -> None:
    assert math.isnan(evaluate(text, 1.0, 3e38))


def test_missing_stays_missing() -> None:
    assert math.isnan(evaluate("col('a') * 0", math.nan))


def test_a_zero_has_no_sign() -> None:
    assert math.copysign(1.0, evaluate("-col('a')", 0.0)) == 1.0


def test_columns_are_named_once_in_order() -> None:
    assert columns(parse("col('b') + col('a') * -col('b')")) == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 1, "found the end"),
        ("1 +", 4, "found the end"),
        ("1 2", 3, "expected an operator"),
        ("(1", 3, "expected ')'"),
        ("1 + ) 2", 5, "expected a value"),
        ("a + b", 1, "only col"),
        ('col("a").x', 9, "unexpected '.'"),
        ("__import__('os')", 1, "only col"),
        ("col(a)", 1, "only col"),
        ('1 + col("a', 5, "only col"),
        ("2 ** 3", 4, "expected a value"),
        ("1e999", 1, "beyond the range"),
        ("1 + \u0661", 5, "unexpected"),
        ("1 ; 2", 3, "unexpected ';'"),
    ],
)
def test_mistakes_have_a_position(text: str, position: int, message: str) -> None:
    with pytest.raises(
        ExpressionError, match=message.replace("(", r"\(").replace(")", r"\)")
    ) as caught:
        parse(text)
    assert caught.value.position == position


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500 + "1" + ")" * 500,
        "-" * 500 + "1",
        "+".join("1" * (MAX_DEPTH + 2)),
        "1" * (MAX_LENGTH + 1),
    ],
)
def test_limits(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_a_long_sum_is_fine() -> None:
    assert evaluate("+".join("1" * MAX_DEPTH)) == MAX_DEPTH


def test_what_is_nested_as_deep_as_may_be_is_computed() -> None:
    depth = MAX_DEPTH - 2
    assert evaluate("1 + (" * depth + "2" + ")" * depth) == MAX_DEPTH
