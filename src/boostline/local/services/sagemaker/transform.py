"""Transform jobs."""

from __future__ import annotations

from typing import Any

from boostline.local.engine.jobs import Jobs
from boostline.local.engine.work import status_of
from boostline.local.hosting.records import Processing
from boostline.local.hosting.transform import TRANSFORM
from boostline.local.services.sagemaker.endpoints import HEALTH_TIMEOUT
from boostline.local.services.sagemaker.models import MODEL
from boostline.local.services.sagemaker.part import Document, Kind, Part, describing, listed
from boostline.local.store.objects import split_uri
from boostline.local.wire.errors import invalid

JOB = Kind(
    TRANSFORM.kind,
    TRANSFORM.member,
    "TransformJobSummaries",
    missing="Could not find requested job with name: {name}",
    taken="Job name must be unique within an AWS account and region, and a transform job with "
    "this name already exists ({arn})",
    taken_code="ResourceInUse",
)
# Member → what the platform has of it.
HERE: dict[str, tuple[Any, ...]] = {
    "TransformInput.DataSource.S3DataSource.S3DataType": ("S3Prefix",),
    "TransformInput.SplitType": (None, "None", "Line"),
    "DataCaptureConfig": (None,),
}
URIS = ("TransformInput.DataSource.S3DataSource.S3Uri", "TransformOutput.S3OutputPath")
MOST = 100  # MB of a payload, and of all that are under way together
DAY = 86_400


class TransformOperations(Part):
    """Transform jobs; a job has one server, whatever its count of instances."""

    jobs: Jobs

    describe_transform_job, list_transform_jobs = describing(JOB), listed(JOB)

    def create_transform_job(self, request: Document) -> Document:
        """Start a transform job."""
        _check(request)
        container = self.get(MODEL, request["ModelName"])["Resolved"]
        environment = {**container["environment"], **request.get("Environment", {})}
        document = {
            **request,
            "TransformJobStatus": "InProgress",
            "Container": {**container, "environment": environment, "timeout": HEALTH_TIMEOUT},
            "StoppingCondition": {"MaxRuntimeInSeconds": 28 * DAY},
        }
        answer = self.make(JOB, request["TransformJobName"], document)
        self.jobs.start(TRANSFORM, request["TransformJobName"])
        return answer

    def stop_transform_job(self, request: Document) -> Document:
        """Ask a transform job to end; nothing of it is kept."""
        status = status_of(TRANSFORM, self.get(JOB, request["TransformJobName"]))
        if status not in ("InProgress", "Stopping"):
            raise invalid(f"The request was rejected because the transform job is {status}.")
        self.jobs.stop(TRANSFORM, request["TransformJobName"])
        return {}


def _check(request: Document) -> None:
    """Refuse, by name, what the platform does not have, and what SageMaker refuses."""
    for path, allowed in HERE.items():
        if (found := _at(request, path)) not in allowed:
            here = " or ".join(str(each) for each in allowed if each is not None) or "none"
            raise invalid(f"{path}: the local platform has {here}; found {found!r}")
    try:
        for path in URIS:
            split_uri(_at(request, path))
        Processing(request)
    except ValueError as error:
        raise invalid(f"TransformJob: {error}") from None
    size, width = request.get("MaxPayloadInMB", 6), request.get("MaxConcurrentTransforms", 1)
    if size * max(width, 1) > MOST:
        raise invalid(
            f"MaxPayloadInMB {size} * MaxConcurrentTransforms {width} is more than {MOST} MB"
        )


def _at(request: Document, path: str) -> Any:
    found: Any = request
    for name in path.split("."):
        found = (found or {}).get(name)
    return found
