"""Training and processing jobs."""

from __future__ import annotations

import re
import time
from typing import Any

from boostline.local.engine.attempt import change_secondary
from boostline.local.engine.jobs import PROCESSING, TRAINING, Jobs
from boostline.local.engine.training import artifacts_uri
from boostline.local.engine.work import Work, status_of
from boostline.local.runners.base import ML
from boostline.local.runners.images import UnknownImage, resolve
from boostline.local.services.sagemaker.listing import Listing, listing
from boostline.local.services.sagemaker.part import Document, Part
from boostline.local.store.objects import split_uri
from boostline.local.wire.errors import AwsError, invalid

DAY = 86_400
CHECKPOINTS = f"{ML}/checkpoints"
LISTINGS = {
    work.kind: Listing(f"{work.member}Summaries", f"{work.member}Name", f"{work.member}Status")
    for work in (TRAINING, PROCESSING)
}
MISSING = {
    TRAINING.kind: "Requested resource not found.",
    PROCESSING.kind: "Could not find requested job with name: {name}",
}


class JobOperations(Part):
    """Jobs by request; those of pipelines are started by the engine through the same methods."""

    jobs: Jobs

    def create_training_job(self, request: Document) -> Document:
        """Start a training job."""
        arn = self.add_training_job(request)
        self.jobs.start(TRAINING, request["TrainingJobName"])
        return {"TrainingJobArn": arn}

    def create_processing_job(self, request: Document) -> Document:
        """Start a processing job."""
        arn = self.add_processing_job(request)
        self.jobs.start(PROCESSING, request["ProcessingJobName"])
        return {"ProcessingJobArn": arn}

    def add_training_job(self, request: Document) -> str:
        """Check and store a training job, to be started; return its ARN."""
        check_training(request)
        self._check_image(request["AlgorithmSpecification"]["TrainingImage"])
        document = {
            "StoppingCondition": {"MaxRuntimeInSeconds": DAY},
            **request,
            "ModelArtifacts": {"S3ModelArtifacts": artifacts_uri(request)},
            "ResourceConfig": request.get("ResourceConfig", {}),
        }
        if "CheckpointConfig" in request:
            document["CheckpointConfig"] = {"LocalPath": CHECKPOINTS, **request["CheckpointConfig"]}
        change_secondary(document, "Starting", "Starting the training job", time.time())
        return self._add(TRAINING, document)

    def add_processing_job(self, request: Document) -> str:
        """Check and store a processing job, to be started; return its ARN."""
        check_processing(request)
        self._check_image(request["AppSpecification"]["ImageUri"])
        return self._add(PROCESSING, {"StoppingCondition": {"MaxRuntimeInSeconds": DAY}, **request})

    def describe_training_job(self, request: Document) -> Document:
        """Return a training job."""
        return self._job(TRAINING, request)

    def describe_processing_job(self, request: Document) -> Document:
        """Return a processing job."""
        return self._job(PROCESSING, request)

    def list_training_jobs(self, request: Document) -> Document:
        """Return training jobs, oldest first unless asked otherwise."""
        return self._list(TRAINING, request)

    def list_processing_jobs(self, request: Document) -> Document:
        """Return processing jobs, oldest first unless asked otherwise."""
        return self._list(PROCESSING, request)

    def stop_training_job(self, request: Document) -> Document:
        """Ask a training job to end: SIGTERM, and SIGKILL after 120 s."""
        return self._stop(TRAINING, request)

    def stop_processing_job(self, request: Document) -> Document:
        """Ask a processing job to end: SIGTERM, and SIGKILL after 120 s."""
        return self._stop(PROCESSING, request)

    def _add(self, work: Work, document: Document) -> str:
        name = document[f"{work.member}Name"]
        arn = self.arn(f"{work.kind}/{name}")
        document |= {f"{work.member}Arn": arn, f"{work.member}Status": "InProgress"}
        taken = AwsError(
            "ResourceInUse",
            "Job name must be unique within an AWS account and region, and a "
            f"{work.stem.lower()} job with this name already exists ({arn})",
        )
        return self.add(work.kind, name, document, taken)

    def _job(self, work: Work, request: Document) -> Document:
        name = request[f"{work.member}Name"]
        return self.the(work.kind, name, invalid(MISSING[work.kind].format(name=name)))

    def _list(self, work: Work, request: Document) -> Document:
        return listing(LISTINGS[work.kind], self.platform.resources.list(work.kind), request)

    def _stop(self, work: Work, request: Document) -> Document:
        status = status_of(work, self._job(work, request))
        if status not in ("InProgress", "Stopping"):
            raise invalid(
                f"The request was rejected because the {work.stem.lower()} job is in status "
                f"{status}."
            )
        name = request[f"{work.member}Name"]
        self.jobs.stop(work, name)
        return {}

    def _check_image(self, uri: str) -> None:
        try:
            resolve(self.platform.settings.images, uri)
        except UnknownImage as error:
            raise invalid(str(error)) from None


def check_training(request: Document) -> None:
    """Refuse, by name, what a training job asks for and the platform does not have."""
    algorithm = request.get("AlgorithmSpecification", {})
    if "TrainingImage" not in algorithm:
        _refuse("AlgorithmSpecification", algorithm, "a TrainingImage; no algorithm resources")
    resources = request.get("ResourceConfig", {})
    _one_instance("ResourceConfig", resources)
    for channel in request.get("InputDataConfig", []):
        where = f"InputDataConfig {channel['ChannelName']}: "
        source = channel["DataSource"].get("S3DataSource")
        if source is None:
            _refuse(f"{where}DataSource", channel["DataSource"], "an S3DataSource")
        _only(f"{where}S3DataType", source["S3DataType"], "S3Prefix")
        _only(f"{where}CompressionType", channel.get("CompressionType", "None"), "None")
        _only(f"{where}RecordWrapperType", channel.get("RecordWrapperType", "None"), "None")
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


def check_processing(request: Document) -> None:
    """Refuse, by name, what a processing job asks for and the platform does not have."""
    _one_instance(
        "ProcessingResources.ClusterConfig", request["ProcessingResources"]["ClusterConfig"]
    )
    for given in request.get("ProcessingInputs", []):
        where = f"ProcessingInputs {given['InputName']}: "
        if "S3Input" not in given or given.get("AppManaged"):
            _refuse(f"{where}source", given, "an S3Input that is not AppManaged")
        source = given["S3Input"]
        _only(f"{where}S3DataType", source["S3DataType"], "S3Prefix")
        _only(f"{where}S3InputMode", source.get("S3InputMode", "File"), "File")
        _below(f"{ML}/processing", f"{where}LocalPath", source.get("LocalPath", ""))
        _s3(f"{where}S3Uri", source["S3Uri"])
    for output in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
        where = f"Outputs {output['OutputName']}: "
        if "S3Output" not in output or output.get("AppManaged"):
            _refuse(f"{where}target", output, "an S3Output that is not AppManaged")
        local = output["S3Output"].get("LocalPath", "")
        _below(f"{ML}/processing", f"{where}LocalPath", local)
        _s3(f"{where}S3Uri", output["S3Output"]["S3Uri"])


def _one_instance(where: str, resources: Document) -> None:
    count = resources.get("InstanceCount", 1)
    if count != 1 or "InstanceGroups" in resources:
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
