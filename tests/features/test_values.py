import math

import pytest

from boostline.features.values import category_parser, number_parser


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5.0),
        ("5", 5.0),
        (" +5.\t", 5.0),
        (".5e1", 5.0),
        ("-1E-2", -0.01),
        (9007199254740993, 9007199254740992.0),
        ("9007199254740993", 9007199254740992.0),
        (9007199254740995, 9007199254740996.0),
        (3.4028235677973362e38, 3.4028235677973362e38),
    ],
)
def test_numbers(value: object, expected: float) -> None:
    assert number_parser()(value) == expected


@pytest.mark.parametrize("value", [None, "", "  ", float("nan"), "NA", -999, "-999", "-999.0"])
def test_missing_numbers(value: object) -> None:
    assert math.isnan(number_parser(["NA", "-999"])(value))


@pytest.mark.parametrize(
    "value",
    [
        "1_000",
        "1,5",
        "0x10",
        "inf",
        "nan",
        "1e",
        ".",
        "- 1",
        "\uff11",
        "\u0661",
        "\u00a01",
        True,
        [],
        {},
        float("inf"),
        1e39,
        "1e39",
        10**400,
        3.4028235677973366e38,
    ],
)
def test_malformed_numbers(value: object) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        number_parser()(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (415, "415"),
        ("415", "415"),
        (415.0, "415"),
        ("415.0", "415"),
        (" 415.00 ", "415"),
        ("007", "007"),
        ("007.0", "007.0"),
        ("-0", "0"),
        (-0.0, "0"),
        (0.5, "0.5"),
        ("1e3", "1e3"),
        (True, "true"),
        ("True.", "True."),
        (2**80 + 1, str(2**80 + 1)),
        (str(2**80 + 1), str(2**80 + 1)),
        ("New  York", "New  York"),
    ],
)
def test_categories(value: object, expected: str) -> None:
    assert category_parser()(value) == expected


@pytest.mark.parametrize("value", [None, "", " \t", float("nan"), "NA", 9, "9", 9.0])
def test_missing_categories(value: object) -> None:
    assert category_parser(["NA", "9.0"])(value) is None


@pytest.mark.parametrize("value", [float("inf"), [], {}, b"x"])
def test_malformed_categories(value: object) -> None:
    with pytest.raises(ValueError, match="must be a"):
        category_parser()(value)


def test_an_endless_integer_is_no_category() -> None:
    with pytest.raises(ValueError, match="reasonable length"):
        category_parser()(10**5000)
