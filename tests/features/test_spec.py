from typing import Any

import msgspec
import pytest

from boostline.features.spec import FeatureSpec, SpecError, quote


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"label": ""}, "data.label", "is empty"),
        ({"numeric": [], "categorical": [], "derived": {}}, "features", "no columns"),
        ({"categorical": ["State", "Left?"]}, "features.categorical", "is the label"),
        ({"categorical": ["Mins"]}, "features.categorical", "in features.numeric already"),
        ({"ignore": ["Phone", "Phone"]}, "features.ignore", "in features.ignore already"),
        ({"numeric": ["Mins", "Calls", ""]}, "features.numeric", "empty column name"),
        ({"derived": {"Mins": "1"}}, "features.derived.Mins", "in features.numeric already"),
        ({"derived": {"A B": "1 +"}}, 'features.derived."A B"', r"at character 4"),
        ({"derived": {"x": 'col("Day")'}}, "features.derived.x", "unknown column 'Day'"),
        ({"derived": {"x": 'col("State")'}}, "features.derived.x", "categorical"),
        ({"derived": {"x": 'col("x")'}}, "features.derived.x", "earlier"),
        ({"derived": {"x": 'col("y")', "y": "1"}}, "features.derived.x", "earlier"),
        ({"classes": ["no"]}, "data.classes", "takes two"),
        ({"classes": ["no", "yes", "maybe"]}, "data.classes", "takes two"),
        ({"classes": ["1", "1.0"]}, "data.classes", "twice"),
        ({"classes": ["NA", "yes"]}, "data.classes", "missing"),
        ({"classes": ["a"], "objective": "multiclass"}, "data.classes", "at least two"),
        ({"objective": "regression"}, "data.classes", "no meaning"),
    ],
)
def test_mistakes_have_a_key(
    spec: FeatureSpec, changes: dict[str, Any], key: str, message: str
) -> None:
    wrong = msgspec.structs.replace(spec, **changes)
    with pytest.raises(SpecError, match=message) as caught:
        wrong.check()
    assert caught.value.key == key


def test_all_mistakes_are_listed(spec: FeatureSpec) -> None:
    wrong = msgspec.structs.replace(spec, label="Mins", derived={"a": "1 +", "b": "nope"})
    assert [problem.key for problem in wrong.problems()] == [
        "features.numeric",
        "features.derived.a",
        "features.derived.b",
    ]


def test_a_good_specification_has_no_problems(spec: FeatureSpec) -> None:
    assert spec.problems() == []


def test_undeclared_columns(spec: FeatureSpec) -> None:
    assert spec.unknown_columns(["Mins", "Phone", "Left?", "New"]) == ["New"]


@pytest.mark.parametrize(
    ("name", "key"),
    [("plain_1", "plain_1"), ("a b", '"a b"'), ('a"\\', '"a\\"\\\\"'), ("é", '"é"')],
)
def test_keys_are_quoted_as_toml(name: str, key: str) -> None:
    assert quote(name) == key
