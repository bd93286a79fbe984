"""Training and processing jobs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from boostline.contracts.uri import split_uri
from boostline.local.engine.attempt import change_secondary
from boostline.local.engine.jobs import PROCESSING, TRAINING, Jobs
from boostline.local.engine.training import artifacts_uri
from boostline.local.engine.work import Work, status_of
from boostline.local.runners.base import ML, RunnerError
from boostline.local.services.sagemaker.listing import Kind
from boostline.local.services.sagemaker.part import Operation, Part, describing, listed
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid

DAY = 86_400
CHECKPOINTS = f"{ML}/checkpoints"


def _kind(work: Work, missing: str) -> Kind:
    taken = (
        "Job name must be unique within an AWS account and region, and a "
        f"{work.stem.lower()} job with this name already exists ({{arn}})"
    )
    return Kind(work.member, "Ascending", missing, taken, taken_code="ResourceInUse")


TRAINING_JOB = _kind(TRAINING, "Requested resource not found.")
PROCESSING_JOB = _kind(PROCESSING, "Could not find requested job with name: {name}")


def stopping(work: Work, kind: Kind) -> Operation:
    """Return the Stop operation of a kind of job: SIGTERM, and SIGKILL after 120 s."""

    def stop(self: JobOperations, request: Document) -> Document:
        name = request[f"{work.member}Name"]
        status = status_of(work, self.get(kind, name))
        if status not in ("InProgress", "Stopping"):
            what = f"the {work.stem.lower()} job is in status {status}"
            raise invalid(f"The request was rejected because {what}.")
        self.jobs.stop(work, name)
        return {}

    return stop


class JobOperations(Part):
    """Jobs, by request of clients and of pipelines."""

    jobs: Jobs

    describe_training_job, list_training_jobs = describing(TRAINING_JOB), listed(TRAINING_JOB)
    describe_processing_job = describing(PROCESSING_JOB)
    list_processing_jobs = listed(PROCESSING_JOB)
    stop_training_job = stopping(TRAINING, TRAINING_JOB)
    stop_processing_job = stopping(PROCESSING, PROCESSING_JOB)

    @property
    def checks(self) -> dict[str, Callable[[Document], None]]:
        """What the platform refuses of a job, by its kind."""
        return {TRAINING.kind: self._check_training, PROCESSING.kind: self._check_processing}

    def create_training_job(self, request: Document) -> Document:
        """Start a training job."""
        self._check_training(request)
        document = {
            **request,
            "ModelArtifacts": {"S3ModelArtifacts": artifacts_uri(request)},
            "ResourceConfig": request.get("ResourceConfig", {}),
        }
        if "CheckpointConfig" in request:
            document["CheckpointConfig"] = {"LocalPath": CHECKPOINTS, **request["CheckpointConfig"]}
        change_secondary(document, "Starting", time.time())
        return self._start(TRAINING, TRAINING_JOB, document)

    def create_processing_job(self, request: Document) -> Document:
        """Start a processing job."""
        self._check_processing(request)
        return self._start(PROCESSING, PROCESSING_JOB, request)

    def _start(self, work: Work, kind: Kind, request: Document) -> Document:
        given = {"StoppingCondition": {"MaxRuntimeInSeconds": DAY}, **request}
        name, document = (
            request[f"{work.member}Name"],
            given | {f"{work.member}Status": "InProgress"},
        )
        with self.platform.database.transaction():
            answer = self.make(kind, name, document)
            self.jobs.start(work, name)
            return answer

    def _check_training(self, request: Document) -> None:
        algorithm = request.get("AlgorithmSpecification", {})
        if "TrainingImage" not in algorithm:
            _refuse("AlgorithmSpecification", algorithm, "a TrainingImage; no algorithm resources")
        self._check_image(algorithm["TrainingImage"])
        _one_instance("ResourceConfig", request.get("ResourceConfig", {}))
        for channel in request.get("InputDataConfig", []):
            where = f"InputDataConfig {channel['ChannelName']}: "
            source = channel["DataSource"].get("S3DataSource")
            if source is None:
                _refuse(f"{where}DataSource", channel["DataSource"], "an S3DataSource")
            _only(f"{where}S3DataType", source["S3DataType"], "S3Prefix")
            for member in ("CompressionType", "RecordWrapperType"):
                _only(f"{where}{member}", channel.get(member, "None"), "None")
            mode = channel.get("InputMode") or algorithm["TrainingInputMode"]
            _only(f"{where}InputMode", mode, "File", "FastFile")
            _s3(f"{where}S3Uri", source["S3Uri"])
        _s3("OutputDataConfig.S3OutputPath", request["OutputDataConfig"]["S3OutputPath"])
        for metric in algorithm.get("MetricDefinitions", []):
            try:
                re.compile(metric["Regex"])
            except re.error as error:
                raise invalid(f"MetricDefinitions {metric['Name']}: {error}") from None
        local = request.get("CheckpointConfig", {}).get("LocalPath", CHECKPOINTS)
        _below(ML, "CheckpointConfig.LocalPath", local)

    def _check_processing(self, request: Document) -> None:
        self._check_image(request["AppSpecification"]["ImageUri"])
        resources = request["ProcessingResources"]["ClusterConfig"]
        _one_instance("ProcessingResources.ClusterConfig", resources)
        for given in request.get("ProcessingInputs", []):
            where = f"ProcessingInputs {given['InputName']}: "
            source = _managed(f"{where}source", given, "S3Input")
            _only(f"{where}S3DataType", source["S3DataType"], "S3Prefix")
            _only(f"{where}S3InputMode", source.get("S3InputMode", "File"), "File")
        for output in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
            _managed(f"Outputs {output['OutputName']}: target", output, "S3Output")

    def _check_image(self, uri: str) -> None:
        try:
            self.platform.runner.require(uri)
        except RunnerError as error:
            raise invalid(str(error)) from None


def _managed(where: str, given: Document, member: str) -> Document:
    """Return what is to be brought from or to S3, in a place where it may lie."""
    if member not in given or given.get("AppManaged"):
        _refuse(where, given, f"an {member} that is not AppManaged")
    found: Document = given[member]
    _below(f"{ML}/processing", f"{where}.LocalPath", found.get("LocalPath", ""))
    _s3(f"{where}.S3Uri", found["S3Uri"])
    return found


def _one_instance(where: str, resources: Document) -> None:
    if resources.get("InstanceCount", 1) != 1 or "InstanceGroups" in resources:
        _refuse(where, resources, "InstanceCount 1, no InstanceGroups")


def _only(where: str, found: str, *allowed: str) -> None:
    if found not in allowed:
        _refuse(where, found, " or ".join(allowed))


def _refuse(where: str, found: Any, allowed: str) -> None:
    raise invalid(f"{where}: the local platform runs jobs with {allowed}; found {found!r}")


def _below(folder: str, where: str, path: str) -> None:
    if not path.startswith(f"{folder}/") or ".." in path.split("/"):
        raise invalid(f"{where}: {path!r} must be a path below {folder}/")


def _s3(where: str, uri: str) -> None:
    try:
        split_uri(uri)
    except ValueError as error:
        raise invalid(f"{where}: {error}") from None
