"""What each type of step does."""

from __future__ import annotations

import hashlib
import secrets
import string
import threading
from collections.abc import Callable
from typing import Protocol

from boostline.contracts.pipeline import (
    Condition,
    Fail,
    Processing,
    RegisterModel,
    StepUnion,
    Training,
)
from boostline.contracts.strict import message, problems
from boostline.local.engine.conditions import holds
from boostline.local.engine.jobs import PROCESSING, TRAINING, Jobs
from boostline.local.engine.values import ResolveError, Resolver
from boostline.local.engine.work import Document, Work, status_of
from boostline.local.platform import Platform
from boostline.local.wire.errors import AwsError

ALPHABET = string.ascii_letters + string.digits
WORKS: dict[type, Work] = {Processing: PROCESSING, Training: TRAINING}
Note = Callable[..., None]


class StepFailed(Exception):
    """Why a step failed."""


class StepStopped(Exception):
    """A step's job was stopped."""


class Unfinished(Exception):
    """The platform stops while a step's job runs."""


class Operations(Protocol):
    """What steps ask of SageMaker; the requests are checked before."""

    def add_training_job(self, request: Document) -> str:
        """Store a training job, to be started; return its ARN."""

    def add_processing_job(self, request: Document) -> str:
        """Store a processing job, to be started; return its ARN."""

    def create_model_package_group(self, request: Document) -> Document:
        """Make a group."""

    def create_model_package(self, request: Document) -> Document:
        """Register a package."""


class Steps:
    """Does the steps of one execution.

    Parameters
    ----------
    execution
        The execution's ARN.
    note
        Keeps members of a step's document: `note(step name, Metadata=…)`.
    stopping
        Set when the execution is to be stopped.
    """

    def __init__(
        self,
        platform: Platform,
        jobs: Jobs,
        operations: Operations,
        execution: str,
        note: Note,
        stopping: threading.Event,
    ) -> None:
        self._platform = platform
        self._jobs = jobs
        self._operations = operations
        self._execution = execution
        self._note = note
        self._stopping = stopping

    def do(self, step: StepUnion, resolver: Resolver, document: Document) -> None:
        """Do a step to its end, or go on with one that an earlier platform began.

        Raises
        ------
        StepFailed, StepStopped, Unfinished
            If it does not succeed.
        """
        try:
            match step:
                case Processing() | Training():
                    self._job(step, resolver, document)
                case RegisterModel():
                    self._register(step, resolver)
                case Condition():
                    self._condition(step, resolver)
                case Fail():
                    reason = str(resolver.resolve(step.arguments.error_message))
                    self._note(step.name, Metadata={"Fail": {"ErrorMessage": reason}})
                    raise StepFailed(reason)
        except ResolveError as error:
            raise StepFailed(f"ClientError: {error}") from None
        except AwsError as error:
            raise StepFailed(f"ClientError: {error.code}: {error.message}") from None

    def _job(self, step: Processing | Training, resolver: Resolver, document: Document) -> None:
        work = WORKS[type(step)]
        metadata = document.get("Metadata", {}).get(work.member)
        if metadata is None:
            name = self._begin(step, work, resolver)
        else:
            name = metadata["Arn"].rpartition("/")[2]
        job = self._jobs.wait(work, name)
        status = status_of(work, job)
        if status in ("InProgress", "Stopping"):
            raise Unfinished(step.name)
        if status == "Stopped":
            reason = job.get("SecondaryStatus", "Stopped")
            raise StepStopped(f"ClientError: the job {name} was stopped: {reason}")
        if status != "Completed":
            raise StepFailed(job.get("FailureReason", f"ClientError: the job {name} is {status}"))

    def _begin(self, step: Processing | Training, work: Work, resolver: Resolver) -> str:
        name = job_name(self._execution, step.name)
        request = {
            **resolver.with_execution({f"{work.member}Name": name}).resolve(step.arguments),
            f"{work.member}Name": name,
        }
        _check(f"Create{work.member}", request)
        add = {
            PROCESSING.kind: self._operations.add_processing_job,
            TRAINING.kind: self._operations.add_training_job,
        }[work.kind]
        with self._platform.database.transaction():
            arn = add(request)
            self._note(step.name, StepStatus="Executing", Metadata={work.member: {"Arn": arn}})
        self._jobs.start(work, name)
        if self._stopping.is_set():
            self._jobs.stop(work, name)
        return name

    def _register(self, step: RegisterModel, resolver: Resolver) -> None:
        request = resolver.resolve(step.arguments)
        token = hashlib.sha256(f"{self._execution} {step.name}".encode()).hexdigest()[:36]
        request["ClientToken"] = token
        _check("CreateModelPackage", request)
        group = request.get("ModelPackageGroupName")
        with self._platform.database.transaction():
            if group and self._platform.resources.find("model-package-group", group) is None:
                self._operations.create_model_package_group({"ModelPackageGroupName": group})
            arn = self._operations.create_model_package(request)["ModelPackageArn"]
            self._note(step.name, Metadata={"RegisterModel": {"Arn": arn}})

    def _condition(self, step: Condition, resolver: Resolver) -> None:
        results = [holds(condition, resolver) for condition in step.arguments.conditions]
        self._note(step.name, Metadata={"Condition": {"Outcome": str(all(results))}})


def job_name(execution: str, step: str) -> str:
    """Return a name for a step's job, as SageMaker forms them."""
    suffix = "".join(secrets.choice(ALPHABET) for _ in range(10))
    # A job's name may hold no underscore, a step's may.
    stem = step[:20].replace("_", "-").strip("-") or "step"
    return f"pipelines-{execution.rpartition('/')[2]}-{stem}-{suffix}"


def _check(operation: str, request: Document) -> None:
    found = problems("sagemaker", operation, request)
    if found:
        raise StepFailed(f"ClientError: {operation}: {message(found)}")
