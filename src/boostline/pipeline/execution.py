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
from boostline.contracts.uri import split_uri
from boostline.pipeline.definition import EVALUATION, REPORT
from boostline.project.config import Config, Gate
from boostline.project.target import Target

WORDS = {
    "min": ("", "minimum"),
    "max": ("", "maximum"),
    "max_drop": (" below the approved version", "largest drop"),
}
LOG_GROUPS = {
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
}
CACHE_LINE = "cache: "
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
        what, bound = WORDS[self.gate.kind]
        verdict = "holds" if self.holds else "does not hold"
        return f"{self.gate.metric}{what} {found}, the {bound} {self.gate.bound:g} {verdict}"


@dataclass(frozen=True)
class Submission:
    """A pipeline as it is sent: `group` is the model package group that it registers in."""

    name: str
    definition: str
    role: str
    tags: list[dict[str, str]]
    description: str = ""
    group: str | None = None


def upsert(target: Target, pipeline: Submission) -> str:
    """Create or update a pipeline, and make its model package group; return the ARN."""
    client = target.client("sagemaker")
    if pipeline.group is not None:
        _ensure_group(client, pipeline.group, pipeline.tags)
    request = {
        "PipelineName": pipeline.name,
        "PipelineDefinition": pipeline.definition,
        "RoleArn": pipeline.role,
        **({"PipelineDescription": pipeline.description} if pipeline.description else {}),
    }
    try:
        made = client.create_pipeline(
            **request, ClientRequestToken=uuid.uuid4().hex, Tags=pipeline.tags
        )
    except ClientError as error:
        if "already exist" not in error.response["Error"]["Message"]:
            raise
        made = client.update_pipeline(**request)
        if pipeline.tags:
            client.add_tags(ResourceArn=made["PipelineArn"], Tags=pipeline.tags)
    return str(made["PipelineArn"])


def _ensure_group(client: Any, group: str, tags: list[dict[str, str]]) -> None:
    pages = client.get_paginator("list_model_package_groups").paginate(NameContains=group)
    known = (one for page in pages for one in page["ModelPackageGroupSummaryList"])
    if not any(one["ModelPackageGroupName"] == group for one in known):
        client.create_model_package_group(ModelPackageGroupName=group, Tags=tags)


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


def job_of(step: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return log group and name of a step's job, or None if it has none."""
    for kind, group in LOG_GROUPS.items():
        if kind in step.get("Metadata", {}):
            return group, step["Metadata"][kind]["Arn"].rpartition("/")[2]
    return None


def cache_note(target: Target, step: Mapping[str, Any]) -> str:
    """Say whether a step stands for an earlier one, or why it could not.

    The local platform writes the reason of a miss as the first line of the job's log; SageMaker
    keeps it to itself.
    """
    if "CacheHitResult" in step:
        return "cached"
    job = job_of(step)
    if job is None or target.name != "local":
        return ""
    try:
        found = target.client("logs").filter_log_events(
            logGroupName=job[0], logStreamNamePrefix=f"{job[1]}/", limit=1
        )
    except ClientError:  # nothing was logged
        return ""
    first = next((event["message"] for event in found["events"]), "")
    return first.removeprefix(CACHE_LINE) if first.startswith(CACHE_LINE) else ""


def registered(done: list[dict[str, Any]]) -> str | None:
    """Return the ARN of the model package that an execution registered."""
    arns = (step.get("Metadata", {}).get("RegisterModel", {}).get("Arn") for step in done)
    return next((arn for arn in arns if arn), None)


def evaluation(target: Target, done: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return what the step Evaluate wrote, or None if it did not come to that."""
    place = _evaluated(target, done).get("evaluation")
    return read_json(target, f"{place}/{EVALUATION}") if place else None


def report_page(target: Target, done: list[dict[str, Any]]) -> str | None:
    """Return the S3 URI of the page that the step Evaluate wrote for people, or None."""
    place = _evaluated(target, done).get("report")
    return f"{place}/{REPORT}" if place else None


def _evaluated(target: Target, done: list[dict[str, Any]]) -> dict[str, str]:
    for step in done:
        if step["StepName"] == "Evaluate" and step["StepStatus"] == "Succeeded":
            arn = step["Metadata"]["ProcessingJob"]["Arn"]
            job = target.client("sagemaker").describe_processing_job(
                ProcessingJobName=arn.rpartition("/")[2]
            )
            outputs = job["ProcessingOutputConfig"]["Outputs"]
            return {found["OutputName"]: found["S3Output"]["S3Uri"] for found in outputs}
    return {}


def read_json(target: Target, uri: str) -> dict[str, Any]:
    """Return the JSON object at an S3 URI."""
    bucket, key = split_uri(uri)
    found = json.loads(target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    if not isinstance(found, dict):
        raise ExecutionError(f"{uri}: expected a JSON object")
    return found


def values(config: Config, report: Mapping[str, Any] | None) -> dict[str, float]:
    """Return the metrics of an evaluation report by name, the user's own among them."""
    groups = (metrics.GROUPS[config.data.objective], metrics.CUSTOM)
    found = {name: part for group in groups for name, part in (report or {}).get(group, {}).items()}
    return {
        name: float(part["value"])
        for name, part in found.items()
        if isinstance(part, dict) and isinstance(part.get("value"), int | float)
    }


def gates(config: Config, report: Mapping[str, Any]) -> list[GateResult]:
    """Hold each gate against an evaluation report."""
    return [
        GateResult(gate, _number(report, gate.path(config.data.objective))) for gate in config.gate
    ]


def _number(report: Any, path: str) -> float | None:
    for name in path.split("."):
        report = report.get(name) if isinstance(report, dict) else None
    return float(report) if isinstance(report, int | float) else None
