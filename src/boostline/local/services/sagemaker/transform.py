"""Transform jobs."""

from __future__ import annotations

from collections.abc import Callable

from boostline.contracts.uri import split_uri
from boostline.local.hosting.records import Processing
from boostline.local.hosting.transform import TRANSFORM
from boostline.local.services.sagemaker.endpoints import HEALTH_TIMEOUT
from boostline.local.services.sagemaker.jobs import DAY, PROCESSING_JOB, JobOperations, stopping
from boostline.local.services.sagemaker.models import MODEL
from boostline.local.services.sagemaker.part import Kind, Rules, refusals, refuse
from boostline.local.store.resources import Document

JOB = Kind(
    TRANSFORM.member,
    missing=PROCESSING_JOB.missing,
    taken=PROCESSING_JOB.taken.replace("processing", "transform"),
    taken_code=PROCESSING_JOB.taken_code,
)
RULES: Rules = {
    "DataCaptureConfig": (None,),
    "TransformInput.DataSource.S3DataSource.S3DataType": ("S3Prefix",),
    "TransformInput.DataSource.S3DataSource.S3Uri": split_uri,
    "TransformInput.SplitType": (None, "None", "Line"),
    "TransformOutput.S3OutputPath": split_uri,
}
MOST = 100  # MB of a payload, and of all that are under way together


class TransformOperations(JobOperations):
    """Transform jobs; a job has one server, whatever its count of instances."""

    describe_transform_job, list_transform_jobs = JOB.describing(), JOB.listing()
    stop_transform_job = stopping(TRANSFORM, JOB)

    @property
    def checks(self) -> dict[str, Callable[[Document], list[str]]]:
        """What returns all that the platform refuses of a job, by its kind."""
        return {**super().checks, TRANSFORM.kind: _refusals}

    def create_transform_job(self, request: Document) -> Document:
        """Start a transform job."""
        refuse(_refusals(request))
        container = self.get(MODEL, request["ModelName"])["Resolved"]
        environment = {**container["environment"], **request.get("Environment", {})}
        document = {
            **request,
            "Container": {**container, "environment": environment, "timeout": HEALTH_TIMEOUT},
            "StoppingCondition": {"MaxRuntimeInSeconds": 28 * DAY},
        }
        return self._start(TRANSFORM, JOB, document)


def _refusals(request: Document) -> list[str]:
    """Return, by name, what the platform does not have, and what SageMaker refuses."""
    found = refusals(request, RULES)
    try:
        Processing(request)
    except ValueError as error:
        found.append(f"TransformJob: {error}")
    size, width = request.get("MaxPayloadInMB", 6), request.get("MaxConcurrentTransforms", 1)
    # In a pipeline's definition one that is set later is no number yet.
    if isinstance(size, int) and isinstance(width, int) and size * max(width, 1) > MOST:
        what = f"MaxPayloadInMB {size} * MaxConcurrentTransforms {width}"
        found.append(f"{what} is more than {MOST} MB")
    return found
