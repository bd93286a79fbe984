from __future__ import annotations

import json
from typing import Any

import pytest

from boostline.contracts import pipeline
from boostline.contracts.definition import decode, encode
from boostline.contracts.pipeline import DefinitionError

PROCESS: dict[str, Any] = {
    "Name": "Process",
    "Type": "Processing",
    "Arguments": {"Environment": {"A": {"Get": "Parameters.Input"}}},
    "PropertyFiles": [{"PropertyFileName": "F", "OutputName": "o", "FilePath": "f.json"}],
}
FAIL: dict[str, Any] = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
CHECK: dict[str, Any] = {
    "Name": "Check",
    "Type": "Condition",
    "Arguments": {
        "Conditions": [
            {
                "Type": "Or",
                "Conditions": [
                    {
                        "Type": "Not",
                        "Condition": {
                            "Type": "LessThan",
                            "LeftValue": pipeline.json_get("Process", "F", "a.b"),
                            "RightValue": 0.5,
                        },
                    },
                    {"Type": "In", "QueryValue": {"Get": "Parameters.Input"}, "Values": ["x"]},
                ],
            }
        ],
        "IfSteps": [],
        "ElseSteps": [FAIL],
    },
}


def definition(*steps: dict[str, Any]) -> dict[str, Any]:
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [{"Name": "Input", "Type": "String", "DefaultValue": "s3://b/k"}],
        "Steps": list(steps),
    }


def test_reads_and_writes_the_same_definition() -> None:
    decoded = decode(json.dumps(definition(PROCESS, CHECK)))
    again = decode(encode(decoded))
    assert again == decoded
    assert [(step.name, branch) for step, branch in again.walk()] == [
        ("Process", None),
        ("Check", None),
        ("No", "Check"),
    ]


def test_a_condition_depends_on_what_its_conditions_read_not_on_its_branches() -> None:
    inner = {**PROCESS, "Name": "Inner", "DependsOn": ["Process"], "PropertyFiles": []}
    check = {
        **CHECK,
        "DependsOn": ["Process"],
        "Arguments": {**CHECK["Arguments"], "IfSteps": [inner]},
    }
    decoded = decode(json.dumps(definition(PROCESS, check)))
    assert pipeline.dependencies(decoded.steps[1]) == {"Process"}


def test_references_inside_functions_are_found() -> None:
    value = pipeline.join("/", "s3:/", pipeline.get("Execution.PipelineName"), ["x"])
    assert list(pipeline.references({"a": [value]})) == ["Execution.PipelineName"]


@pytest.mark.parametrize(
    ("reference", "step"),
    [
        ("Steps.Train.ModelArtifacts.S3ModelArtifacts", "Train"),
        ("Steps.P.ProcessingOutputConfig.Outputs['a.b'].S3Output.S3Uri", "P"),
        ("Parameters.X", None),
    ],
)
def test_step_of_a_reference(reference: str, step: str | None) -> None:
    assert pipeline.step_of(reference) == step


def changed(step: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**step, **members}


def retried(**members: Any) -> dict[str, Any]:
    policy = {"ExceptionType": ["Step.THROTTLING"], **members}
    check = {"Name": "Inside", "Type": "Condition"}
    inner = changed(PROCESS, RetryPolicies=[policy])
    return {**check, "Arguments": {"Conditions": [], "IfSteps": [inner]}}


@pytest.mark.parametrize(
    ("expire_after", "seconds"),
    [("P30D", 30 * 86_400), ("PT1H30M", 5_400), ("P1Y2M1W", 432 * 86_400), ("PT0S", 0), (None, 0)],
)
def test_time_that_a_cache_keeps(expire_after: str | None, seconds: float) -> None:
    given = {} if expire_after is None else {"ExpireAfter": expire_after}
    step = changed(PROCESS, CacheConfig={"Enabled": True, **given})
    (decoded,) = decode(json.dumps(definition(step))).steps
    assert isinstance(decoded, pipeline.Processing)
    assert isinstance(decoded.cache_config, pipeline.CacheConfig)
    assert decoded.cache_config.seconds() == seconds


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([changed(PROCESS, Type="Tuning")], "step Process: type 'Tuning' does not run here"),
        ([PROCESS, PROCESS], "step Process: 2 steps have this name"),
        ([changed(PROCESS, Name="a b")], "step 'a b'"),
        ([changed(PROCESS, DependsOn=["X"])], "step Process: there is no step 'X'"),
        ([changed(PROCESS, DependsOn=["Process"])], "steps depend on each other"),
        ([FAIL, changed(PROCESS, DependsOn=["No"])], "nothing can depend on the Fail step No"),
        (
            [changed(PROCESS, Arguments={"A": {"Get": "Parameters.Y"}})],
            "step Process: there is no parameter 'Y'",
        ),
        (
            [changed(PROCESS, Arguments={"A": {"Get": "Step.Y"}})],
            "step Process: 'Step.Y' is not Parameters.X",
        ),
        (
            [changed(PROCESS, PropertyFiles=[]), CHECK],
            "step Check: step Process has no property file 'F'",
        ),
        (
            [
                PROCESS,
                changed(CHECK, Arguments={"Conditions": [], "IfSteps": [changed(CHECK, Name="I")]}),
            ],
            "step I: a Condition cannot stand inside another one",
        ),
        (
            [
                PROCESS,
                changed(
                    CHECK,
                    Arguments={"Conditions": [], "ElseSteps": [changed(PROCESS, Type="EMR")]},
                ),
            ],
            "type 'EMR' does not run here",
        ),
        ([changed(PROCESS, Arguments="none")], r"step Process: .*\$.Steps\[0\].Arguments"),
        ([retried(ExceptionType=["Step.ANY"])], r"step Process: .*Invalid enum value 'Step.ANY'"),
        ([retried(MaxAttempts=21)], "step Process: .*Expected `int` <= 20"),
        ([retried(MaxAttempts=1, ExpireAfterMin=1)], "MaxAttempts or ExpireAfterMin, not both"),
        (
            [changed(PROCESS, CacheConfig={"Enabled": True, "ExpireAfter": "30 days"})],
            "step Process: .*Expected `str` matching regex",
        ),
        (
            [{"Name": "Call", "Type": "Lambda", "FunctionArn": {"Get": "Parameters.Y"}}],
            "step Call: there is no parameter 'Y'",
        ),
    ],
)
def test_what_cannot_run_is_refused_by_name(steps: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        decode(json.dumps(definition(*steps)))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"Steps": 1}', '{"Steps": [1]}'])
def test_what_is_no_definition_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError):
        decode(text)


def test_null_is_not_set() -> None:
    """The SageMaker SDK v3 sends `MlflowConfig` so."""
    plain = {**definition(PROCESS), "MlflowConfig": None, "PipelineExperimentConfig": None}
    assert decode(json.dumps(plain)) == decode(json.dumps(definition(PROCESS)))


def test_two_parameters_of_one_name_are_refused() -> None:
    twice = definition(PROCESS)
    twice["Parameters"] *= 2
    with pytest.raises(DefinitionError, match="parameter Input: 2 parameters"):
        decode(json.dumps(twice))
