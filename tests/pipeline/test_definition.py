from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from boostline.contracts import pipeline, strict
from boostline.contracts.definition import decode, encode
from boostline.contracts.pipeline import (
    Condition,
    Fail,
    PipelineDefinition,
    Processing,
    RegisterModel,
    Training,
)
from boostline.pipeline.definition import Place, build
from boostline.project import file
from boostline.project.config import Config

EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"
PLACE = Place(
    role="arn:aws:iam::000000000000:role/r",
    image="000000000000.dkr.ecr.us-east-1.amazonaws.com/boostline-model:1",
    bucket="bucket",
    data_uri="s3://bucket/data/0",
    config_uri="s3://bucket/config/0",
    evaluation_uri="s3://bucket/evaluation/0",
    champion_uri="s3://bucket/champion/0",
    code={},
)
CODE = {"process": "s3://bucket/code-process/0", "train": "s3://bucket/code-train/0"}


@pytest.fixture(scope="module")
def config() -> Config:
    return file.read(EXAMPLE)


@pytest.fixture(scope="module")
def definition(config: Config) -> PipelineDefinition:
    return build(config, PLACE)


def test_it_passes_its_own_reader(definition: PipelineDefinition) -> None:
    assert decode(encode(definition)) == definition


@pytest.mark.parametrize("key", [None, "arn:aws:kms:us-east-1:000000000000:key/0a"])
def test_a_model_has_the_projects_key(config: Config, key: str | None) -> None:
    made = build(config, dataclasses.replace(PLACE, key=key))
    (train,) = (step for step, _ in made.walk() if isinstance(step, Training))
    assert train.arguments["OutputDataConfig"].get("KmsKeyId") == key


def test_nothing_registers_unless_every_gate_holds(
    config: Config, definition: PipelineDefinition
) -> None:
    branches = {step.name: branch for step, branch in definition.walk()}
    registering = [step for step, _ in definition.walk() if isinstance(step, RegisterModel)]
    assert [branches[step.name] for step in registering] == ["All-gates-hold"]
    guard = next(step for step in definition.steps if step.name == "All-gates-hold")
    assert isinstance(guard, Condition)
    assert guard.arguments.if_steps == registering
    assert len(guard.arguments.conditions) == len(config.gate)


def test_each_gate_has_a_fail_that_names_metric_and_bound(
    config: Config, definition: PipelineDefinition
) -> None:
    for gate in config.gate:
        check = next(s for s in definition.steps if s.name == f"Gate-{gate.metric}-{gate.kind}")
        assert isinstance(check, Condition)
        assert not check.arguments.if_steps
        (fail,) = check.arguments.else_steps
        assert isinstance(fail, Fail)
        assert f"{gate.metric} >= {gate.bound:g}" in fail.arguments.error_message


def test_an_upper_bound_is_a_gate_too(config: Config) -> None:
    loss = config.gate[0].model_copy(update={"metric": "log_loss", "min": None, "max": 0.3})
    made = build(config.model_copy(update={"gate": [loss]}), PLACE)
    check = next(step for step in made.steps if step.name == "Gate-log_loss-max")
    assert isinstance(check, Condition)
    assert isinstance(check.arguments.conditions[0], pipeline.LessThanOrEqualTo)


def inputs(made: PipelineDefinition, step: str) -> dict[str, Any]:
    found = next(other for other in made.steps if other.name == step)
    assert isinstance(found, Processing)
    return {
        one["InputName"]: one["S3Input"]["S3Uri"] for one in found.arguments["ProcessingInputs"]
    }


def test_a_gate_against_the_approved_version_reads_it_as_a_parameter(config: Config) -> None:
    drop = config.gate[0].model_copy(update={"metric": "auc", "min": None, "max_drop": 0.01})
    made = build(config.model_copy(update={"gate": [drop]}), PLACE)
    check = next(step for step in made.steps if step.name == "Gate-auc-max_drop")
    assert isinstance(check, Condition)
    (condition,) = check.arguments.conditions
    assert isinstance(condition, pipeline.LessThanOrEqualTo)
    path = condition.left_value["Std:JsonGet"]["Path"]
    assert path == "champion_comparison.auc.drop.value"
    assert inputs(made, "Evaluate")["champion"] == {"Get": "Parameters.ChampionModelUri"}
    defaults = {one.name: one.default_value for one in made.parameters}
    assert defaults["ChampionModelUri"] == PLACE.champion_uri
    assert decode(encode(made)) == made


def test_code_of_the_users_is_an_input_of_the_job_that_reads_it(config: Config) -> None:
    made = build(config, dataclasses.replace(PLACE, code=CODE))
    assert inputs(made, "Process")["code"] == CODE["process"]
    assert "code" not in inputs(made, "Evaluate")
    train = next(step for step in made.steps if isinstance(step, Training))
    channels = {
        one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri"]
        for one in train.arguments["InputDataConfig"]
    }
    assert channels["code"] == CODE["train"]


def test_parameters_are_those_a_run_may_change(definition: PipelineDefinition) -> None:
    assert {parameter.name for parameter in definition.parameters} == {
        "InputDataUri",
        "ModelApprovalStatus",
        *(
            f"{job}Instance{what}"
            for job in ("Processing", "Training", "Evaluation")
            for what in ("Type", "Count")
        ),
    }


def test_jobs_are_cached_retried_and_tagged(config: Config, definition: PipelineDefinition) -> None:
    jobs = [step for step in definition.steps if isinstance(step, Processing | Training)]
    assert [step.name for step in jobs] == ["Process", "Train", "Evaluate"]
    for step in jobs:
        assert step.cache_config == pipeline.CacheConfig(enabled=True, expire_after="P30D")
        assert step.retry_policies
        assert step.arguments["Tags"] == config.tagging


ENDINGS = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "ModelApprovalStatus": "Approved"}


def resolved(value: Any) -> Any:
    """Put a plausible value in the place of each function."""
    if isinstance(value, dict):
        if "Get" in value:
            found = (text for end, text in ENDINGS.items() if value["Get"].endswith(end))
            return next(found, "s3://b/k")
        if "Std:Join" in value:
            return value["Std:Join"]["On"].join(map(resolved, value["Std:Join"]["Values"]))
        return {key: resolved(part) for key, part in value.items()}
    return [resolved(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("step", "operation", "name"),
    [
        ("Process", "CreateProcessingJob", "ProcessingJobName"),
        ("Train", "CreateTrainingJob", "TrainingJobName"),
        ("Evaluate", "CreateProcessingJob", "ProcessingJobName"),
        ("Register", "CreateModelPackage", None),
    ],
)
def test_arguments_are_requests_that_aws_takes(
    definition: PipelineDefinition, step: str, operation: str, name: str | None
) -> None:
    found = next(other for other, _ in definition.walk() if other.name == step)
    request = {**resolved(found.arguments), **({name: "job"} if name else {})}
    assert strict.problems("sagemaker", operation, request) == []
