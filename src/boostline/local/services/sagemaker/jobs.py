"""Training and processing jobs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from boostline.contracts.uri import split_uri
from boostline.local.engine.attempt import change_secondary
from boostline.local.engine.jobs import PROCESSING, TRAINING, Jobs
from boostline.local.engine.training import artifacts_uri
from boostline.local.engine.work import Work, status_of
from boostline.local.runners.base import ML
from boostline.local.services.sagemaker.part import Kind, Operation, Part, Rules, refusals, refuse
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid

DAY = 86_400
CHECKPOINTS = f"{ML}/checkpoints"


def below(folder: str, default: str = "") -> Callable[[str], None]:
    """Return the rule that a path, or its default, lies below a folder."""

    def check(given: str) -> None:
        path = given or default
        if not path.startswith(f"{folder}/") or ".." in path.split("/"):
            raise ValueError(f"{path!r} must be a path below {folder}/")

    return check


TRAINING_RULES: Rules = {
    "AlgorithmSpecification.AlgorithmName": (None,),
    "AlgorithmSpecification.MetricDefinitions[].Regex": re.compile,
    "AlgorithmSpecification.TrainingInputMode": ("File", "FastFile"),
    "CheckpointConfig.LocalPath": below(ML, CHECKPOINTS),
    "InputDataConfig[].CompressionType": (None, "None"),
    "InputDataConfig[].DataSource.S3DataSource.S3DataType": ("S3Prefix",),
    "InputDataConfig[].DataSource.S3DataSource.S3Uri": split_uri,
    "InputDataConfig[].InputMode": (None, "File", "FastFile"),
    "InputDataConfig[].RecordWrapperType": (None, "None"),
    "OutputDataConfig.CompressionType": (None, "GZIP"),
    "OutputDataConfig.S3OutputPath": split_uri,
    "ResourceConfig.InstanceCount": (None, 1),
    "ResourceConfig.InstanceGroups": (None,),
}
PROCESSING_RULES: Rules = {
    "ProcessingInputs[].AppManaged": (None, False),
    "ProcessingInputs[].S3Input.LocalPath": below(f"{ML}/processing"),
    "ProcessingInputs[].S3Input.S3CompressionType": (None, "None"),
    "ProcessingInputs[].S3Input.S3DataType": ("S3Prefix",),
    "ProcessingInputs[].S3Input.S3InputMode": (None, "File"),
    "ProcessingInputs[].S3Input.S3Uri": split_uri,
    "ProcessingOutputConfig.Outputs[].AppManaged": (None, False),
    "ProcessingOutputConfig.Outputs[].S3Output.LocalPath": below(f"{ML}/processing"),
    "ProcessingOutputConfig.Outputs[].S3Output.S3Uri": split_uri,
    "ProcessingResources.ClusterConfig.InstanceCount": (1,),
}


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

    describe_training_job, list_training_jobs = TRAINING_JOB.describing(), TRAINING_JOB.listing()
    describe_processing_job = PROCESSING_JOB.describing()
    list_processing_jobs = PROCESSING_JOB.listing()
    stop_training_job = stopping(TRAINING, TRAINING_JOB)
    stop_processing_job = stopping(PROCESSING, PROCESSING_JOB)

    @property
    def checks(self) -> dict[str, Callable[[Document], list[str]]]:
        """What returns all that the platform refuses of a job, by its kind."""
        return {TRAINING.kind: self._of_training, PROCESSING.kind: self._of_processing}

    def create_training_job(self, request: Document) -> Document:
        """Start a training job."""
        refuse(self._of_training(request))
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
        refuse(self._of_processing(request))
        return self._start(PROCESSING, PROCESSING_JOB, request)

    def _start(self, work: Work, kind: Kind, request: Document) -> Document:
        name = request[f"{work.member}Name"]
        document = {
            "StoppingCondition": {"MaxRuntimeInSeconds": DAY},
            **request,
            f"{work.member}Status": "InProgress",
        }
        with self.platform.database.transaction():
            answer = self.make(kind, name, document)
            self.jobs.start(work, name)
            return answer

    def _of_training(self, request: Document) -> list[str]:
        image = request["AlgorithmSpecification"].get("TrainingImage", "")
        return refusals(request, TRAINING_RULES) + self.image_refusals(image)

    def _of_processing(self, request: Document) -> list[str]:
        image = request["AppSpecification"]["ImageUri"]
        return refusals(request, PROCESSING_RULES) + self.image_refusals(image)
