"""Submitting a pipeline and watching its executions."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from boostline.contracts import metrics
from boostline.contracts.errors import BoostlineError
from boostline.contracts.pipeline import PipelineDefinition, encode
from boostline.pipeline.definition import EVALUATION
from boostline.project.config import Config, Gate
from boostline.project.target import Target

DONE = ("Succeeded", "Failed", "Stopped")


class ExecutionError(BoostlineError):
    """An execution that did not succeed."""


@dataclass(frozen=True)
class GateResult:
    """A gate with the value it was held against; None if the evaluation does not have it."""

    gate: Gate
    value: float | None

    @property
    def holds(self) -> bool:
        """Say whether the gate lets the model through."""
        return self.value is not None and self.gate.holds(self.value)

    def __str__(self) -> str:
        found = "is not in the evaluation" if self.value is None else f"is {self.value:.6g}"
        bound = f"{self.gate.kind}imum {self.gate.bound:g}"
        return f"{self.gate.metric} {found}, the {bound} {'holds' if self.holds else 'does not hold'}"


def upsert(target: Target, config: Config, definition: PipelineDefinition) -> str:
    """Create or update the project's pipeline and its model package group; return the ARN."""
    client = target.client("sagemaker")
    _ensure_group(client, config)
    request = {
        "PipelineName": config.name,
        "PipelineDefinition": encode(definition),
        "RoleArn": target.role,
    }
    if config.project.description:
        request["PipelineDescription"] = config.project.description
    try:
        made = client.create_pipeline(
            **request, ClientRequestToken=uuid.uuid4().hex, Tags=config.tagging
        )
    except ClientError as error:
        if "already exist" not in error.response["Error"]["Message"]:
            raise
        made = client.update_pipeline(**request)
        client.add_tags(ResourceArn=made["PipelineArn"], Tags=config.tagging)
    return str(made["PipelineArn"])


def _ensure_group(client: Any, config: Config) -> None:
    try:
        client.describe_model_package_group(ModelPackageGroupName=config.name)
    except ClientError:
        client.create_model_package_group(ModelPackageGroupName=config.name, Tags=config.tagging)


def start(target: Target, pipeline: str, parameters: Mapping[str, str]) -> str:
    """Start an execution and return its ARN."""
    client = target.client("sagemaker")
    made = client.start_pipeline_execution(
        PipelineName=pipeline,
        ClientRequestToken=uuid.uuid4().hex,
        PipelineParameters=[{"Name": name, "Value": text} for name, text in parameters.items()],
    )
    return str(made["PipelineExecutionArn"])


def watch(
    target: Target, execution: str, seconds: float
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Give the execution and its steps, oldest first, every `seconds` until it is done."""
    client = target.client("sagemaker")
    while True:
        described = client.describe_pipeline_execution(PipelineExecutionArn=execution)
        yield described, steps(client, execution)
        if described["PipelineExecutionStatus"] in DONE:
            return
        time.sleep(seconds)


def steps(client: Any, execution: str) -> list[dict[str, Any]]:
    """Return the steps that were reached, oldest first."""
    pages = client.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution, SortOrder="Ascending"
    )
    return [step for page in pages for step in page["PipelineExecutionSteps"]]


def registered(done: list[dict[str, Any]]) -> str | None:
    """Return the ARN of the model package that an execution registered."""
    arns = (step.get("Metadata", {}).get("RegisterModel", {}).get("Arn") for step in done)
    return next((arn for arn in arns if arn), None)


def evaluation(target: Target, done: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return what the step Evaluate wrote, or None if it did not come to that."""
    for step in done:
        if step["StepName"] == "Evaluate" and step["StepStatus"] == "Succeeded":
            arn = step["Metadata"]["ProcessingJob"]["Arn"]
            job = target.client("sagemaker").describe_processing_job(
                ProcessingJobName=arn.rpartition("/")[2]
            )
            outputs = job["ProcessingOutputConfig"]["Outputs"]
            uri = next(
                found["S3Output"]["S3Uri"]
                for found in outputs
                if found["OutputName"] == "evaluation"
            )
            return read_json(target, f"{uri}/{EVALUATION}")
    return None


def read_json(target: Target, uri: str) -> dict[str, Any]:
    """Return the JSON object at an S3 URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    found = json.loads(target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    if not isinstance(found, dict):
        raise ExecutionError(f"{uri}: expected a JSON object")
    return found


def values(config: Config, report: Mapping[str, Any] | None) -> dict[str, float]:
    """Return the metrics of an evaluation report by name."""
    group = (report or {}).get(metrics.GROUPS[config.data.objective], {})
    return {
        name: float(group[name]["value"])
        for name in config.metrics()
        if isinstance(group.get(name, {}).get("value"), int | float)
    }


def gates(config: Config, found: Mapping[str, float]) -> list[GateResult]:
    """Hold each gate against the metrics."""
    return [GateResult(gate, found.get(gate.metric)) for gate in config.gate]
