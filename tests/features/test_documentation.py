"""The examples in docs/features.md are what the grammar does."""

import json
import math
from pathlib import Path

import pytest

from boostline.features.values import category_parser, number_parser

PAGE = Path(__file__).parents[2] / "docs" / "features.md"
ROWS = [
    [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8")
    .split("| JSON value |")[1]
    .split("\n\n")[0]
    .splitlines()
    if line.startswith("| `")
]


def number(value: object) -> str:
    try:
        found = number_parser()(value)
    except ValueError:
        return "malformed"
    return "missing" if math.isnan(found) else repr(found + 0.0)


def category(value: object) -> str:
    try:
        return category_parser()(value) or "missing"
    except ValueError:
        return "malformed"


@pytest.mark.parametrize(("text", "as_number", "as_category"), ROWS)
def test_examples(text: str, as_number: str, as_category: str) -> None:
    value = json.loads(text)
    assert (number(value), category(value)) == (as_number, as_category)
