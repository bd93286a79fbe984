from __future__ import annotations

from typing import Any

import pytest

from boostline.local.engine.paths import ResolveError, look_up, places

DOCUMENT: dict[str, Any] = {
    "Outputs": [
        {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}},
        {"OutputName": "test", "S3Output": {"S3Uri": "s3://b/test"}},
    ],
    "metrics": {"a-b": {"value": 0.5}, "with.dot": 1, "zero": 0},
    "rows": [[1, 2], [3]],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Outputs['test'].S3Output.S3Uri", "s3://b/test"),
        ('Outputs["train"].OutputName', "train"),
        ("Outputs[1].OutputName", "test"),
        ("metrics.a-b.value", 0.5),
        ("metrics['with.dot']", 1),
        ("metrics.zero", 0),
        ("rows[0][1]", 2),
    ],
)
def test_path_leads_to_its_value(path: str, expected: Any) -> None:
    assert look_up(DOCUMENT, path, "it") == expected


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("metrics.auc", "after 'metrics': there is no 'auc', but a-b, with.dot, zero"),
        ("nothing", "at its beginning: there is no 'nothing'"),
        ("Outputs['none']", "no element is named 'none'"),
        ("rows[2]", r"there are 2 elements, no [2]"),
        ("metrics.zero.value", "there is a int, which has no 'value'"),
        ("metrics..zero", "is not a path"),
        ("", "is not a path"),
        ("rows[x]", "is not a path"),
    ],
)
def test_path_that_leads_nowhere_says_where_it_ends(path: str, problem: str) -> None:
    with pytest.raises(ResolveError) as error:
        look_up(DOCUMENT, path, "it")
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("metrics.zero", [("metrics.zero", 0)]),
        ("metrics.none.deeper", [("metrics.none.deeper", None)]),
        ("Outputs[].OutputName", [("Outputs[train].OutputName", "train")]),
        ("Outputs[].None", [("Outputs[train].None", None)]),
        ("none[].OutputName", []),
    ],
)
def test_places_are_named_by_their_elements(path: str, found: list[tuple[str, Any]]) -> None:
    document = {"metrics": {"zero": 0}, "Outputs": [{"OutputName": "train"}]}
    assert list(places(document, path)) == found
