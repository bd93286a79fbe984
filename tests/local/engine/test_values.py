from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from boostline.contracts.pipeline import ConditionUnion, Parameter, Processing, get, join, json_get
from boostline.local.engine.paths import ResolveError
from boostline.local.engine.values import Resolver, arguments, holds
from boostline.local.store.objects import NoSuchKey
from boostline.local.wire.errors import AwsError

FILES = {
    "s3://b/out/report.json": {
        "auc": 0.9,
        "count": 3,
        "text": "0.9",
        "flag": True,
        "nan": float("nan"),
    }
}
EVALUATE = msgspec.convert(
    {
        "Type": "Processing",
        "Name": "Evaluate",
        "Arguments": {},
        "PropertyFiles": [
            {"PropertyFileName": "Report", "OutputName": "out", "FilePath": "report.json"},
            {"PropertyFileName": "Lost", "OutputName": "out", "FilePath": "lost.json"},
        ],
    },
    Processing,
)
DESCRIBED = {
    "ProcessingOutputConfig": {
        "Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": "s3://b/out/"}}]
    }
}


def read(uri: str) -> bytes:
    if uri not in FILES:
        raise NoSuchKey(uri)
    return json.dumps(FILES[uri]).encode()


RESOLVER = Resolver(
    {"Rounds": 3, "Bound": 0.5, "On": True, "Name": "x"},
    {"PipelineName": "pipe"},
    lambda step: {"Evaluate": DESCRIBED}[step],
    {"Evaluate": EVALUATE},
    read,
)


def report(path: str, file: str = "Report") -> Any:
    return json_get("Evaluate", file, path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (get("Parameters.Rounds"), 3),
        ({"a": [get("Execution.PipelineName")]}, {"a": ["pipe"]}),
        (
            join("/", "s3:/", get("Parameters.Name"), 1, 0.5, get("Parameters.On")),
            "s3://x/1/0.5/true",
        ),
        (get("Steps.Evaluate.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"), "s3://b/out/"),
        (report("auc"), 0.9),
        ({"Std:JsonGet": {"S3Uri": join("", "s3://b/out/", "report.json"), "Path": "count"}}, 3),
        ({"Get": 1, "Other": 2}, {"Get": 1, "Other": 2}),
    ],
)
def test_value_is_computed(value: Any, expected: Any) -> None:
    assert RESOLVER.resolve(value) == expected


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (get("Execution.Nothing"), "Execution.Nothing: 'Nothing' leads nowhere at its beginning"),
        (get("Steps.Evaluate.Nothing"), "Steps.Evaluate.Nothing: 'Nothing' leads nowhere"),
        (report("f1"), "s3://b/out/report.json: 'f1' leads nowhere"),
        (report("auc", "Lost"), "s3://b/out/lost.json: there is no such file to read 'auc' in"),
    ],
)
def test_value_that_cannot_be_computed_is_named(value: Any, problem: str) -> None:
    with pytest.raises(ResolveError) as error:
        RESOLVER.resolve(value)
    assert problem in str(error.value)


def condition(**members: Any) -> ConditionUnion:
    found: ConditionUnion = msgspec.convert(members, ConditionUnion)
    return found


def compare(kind: str, left: Any, right: Any) -> ConditionUnion:
    return condition(Type=kind, LeftValue=left, RightValue=right)


@pytest.mark.parametrize(
    ("kind", "left", "right", "expected"),
    [
        ("Equals", 1, 1.0, True),
        ("Equals", "1", 1, False),
        ("Equals", True, 1, False),
        ("GreaterThan", report("auc"), get("Parameters.Bound"), True),
        ("GreaterThanOrEqualTo", 2, 2, True),
        ("LessThan", 2, 2, False),
        ("LessThanOrEqualTo", report("auc"), 0.9, True),
    ],
)
def test_comparison(kind: str, left: Any, right: Any, expected: bool) -> None:
    assert holds(compare(kind, left, right), RESOLVER) is expected
    inverse = {"Type": "Not", "Condition": {"Type": kind, "LeftValue": left, "RightValue": right}}
    assert holds(condition(**inverse), RESOLVER) is not expected


def test_or_and_in() -> None:
    either = {
        "Type": "Or",
        "Conditions": [
            {"Type": "Equals", "LeftValue": 1, "RightValue": 2},
            {"Type": "In", "QueryValue": get("Parameters.Name"), "Values": ["y", "x"]},
        ],
    }
    assert holds(condition(**either), RESOLVER)
    assert not holds(condition(Type="In", QueryValue="z", Values=["y"]), RESOLVER)


@pytest.mark.parametrize("path", ["nan", "text", "flag", "absent"])
@pytest.mark.parametrize("kind", ["GreaterThan", "LessThan"])
def test_what_is_no_number_is_neither_more_nor_less(kind: str, path: str) -> None:
    with pytest.raises(ResolveError, match=f"report.json: '{path}'"):
        holds(compare(kind, report(path), 0.5), RESOLVER)
    either = {
        "Type": "Or",
        "Conditions": [
            {"Type": "Equals", "LeftValue": 1, "RightValue": 1},
            {"Type": kind, "LeftValue": report(path), "RightValue": 0.5},
        ],
    }
    with pytest.raises(ResolveError):
        holds(condition(**either), RESOLVER)


def parameter(kind: Any, **members: Any) -> Parameter:
    return Parameter(name="P", type=kind, **members)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("String", "1", "1"),
        ("Integer", "-3", -3),
        ("Float", "1e3", 1000.0),
        ("Boolean", "True", True),
        ("Boolean", "false", False),
    ],
)
def test_argument_is_read_by_its_type(kind: str, text: str, expected: Any) -> None:
    (value,) = arguments([parameter(kind)], {"P": text}).values()
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("declared", "given", "problem"),
    [
        (parameter("Integer"), {}, "'P' has no default"),
        (parameter("Integer"), {"P": "1.5"}, "'1.5' is not of type Integer"),
        (parameter("Boolean"), {"P": "yes"}, "'yes' is not of type Boolean"),
        (parameter("String", enum_values=["a"]), {"P": "b"}, "'b' is not one of ['a']"),
        (parameter("String"), {"Q": "b"}, "Unknown pipeline parameter 'Q'; there are: P"),
    ],
)
def test_argument_that_does_not_fit_is_refused(
    declared: Parameter, given: dict[str, str], problem: str
) -> None:
    with pytest.raises(AwsError) as error:
        arguments([declared], given)
    assert problem in str(error.value)
