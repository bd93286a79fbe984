"""What each type of step does."""

from __future__ import annotations

import json
import logging
import string
import threading
import time
from concurrent.futures import CancelledError
from typing import Any

from boostline.contracts.pipeline import CacheConfig, Condition, Fail, Lambda, StepUnion
from boostline.local.engine.cache import Cache
from boostline.local.engine.jobs import Jobs
from boostline.local.engine.kinds import KINDS, Kind
from boostline.local.engine.paths import ResolveError
from boostline.local.engine.record import Record, resource_name
from boostline.local.engine.values import holds, parse
from boostline.local.engine.work import INTERNAL, Work, status_of
from boostline.local.names import random_name
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError

LOG = logging.getLogger(__name__)
MAX_ATTEMPTS = 5  # where a retry policy says nothing
SERVICE_FAULT = "Step.SERVICE_FAULT"
# What a job's failure begins with → the exception type of a policy.
TYPES = {
    "InternalServerError": "SageMaker.JOB_INTERNAL_ERROR",
    "CapacityError": "SageMaker.CAPACITY_ERROR",
}


class StepFailed(Exception):
    """Why a step failed; `kind` is the exception type that a retry policy names, or nothing."""

    def __init__(self, reason: str, kind: str = "", *, stopped: bool = False) -> None:
        super().__init__(reason)
        self.kind = kind or TYPES.get(reason.partition(":")[0], "")
        self.stopped = stopped


class Unfinished(Exception):
    """The platform stops while a step runs."""


class Steps:
    """Does the steps of one execution; `halted` is set when nothing more is to be begun."""

    def __init__(self, record: Record, jobs: Jobs, cache: Cache, halted: threading.Event) -> None:
        self._record = record
        self._platform = record.platform
        self._jobs = jobs
        self._cache = cache
        self._halted = halted

    def do(self, step: StepUnion, document: Document) -> None:
        """Do a step to its end, or go on with one that an earlier platform began.

        Raises `StepFailed` or `Unfinished` if it does not succeed.
        """
        attempt = document["AttemptCount"]
        while True:
            try:
                self._attempt(step, document)
                break
            except StepFailed as error:
                elapsed = time.time() - document["StartTime"]
                wait = _pause(step, error.kind, attempt, elapsed)
                if wait is None:
                    raise
            attempt += 1
            document |= {"AttemptCount": attempt, "Metadata": {}}
            self._record.note(step.name, AttemptCount=attempt, Metadata={}, StepStatus="Starting")
            if self._halted.wait(wait):
                raise StepFailed("ClientError: stopped before the next attempt", stopped=True)

    def stop(self, step: StepUnion, document: Document) -> None:
        """Ask what a step runs to end."""
        kind = KINDS.get(type(step))
        arn = document.get("Metadata", {}).get(kind.member, {}).get("Arn") if kind else None
        if kind and arn and (work := self._jobs.kinds.get(kind.resource)):
            self._jobs.stop(work, resource_name(arn))

    def _attempt(self, step: StepUnion, document: Document) -> None:
        try:
            match step:
                case Condition():
                    self._condition(step)
                case Fail():
                    reason = str(self._record.resolver().resolve(step.arguments.error_message))
                    self._record.note(step.name, Metadata={"Fail": {"ErrorMessage": reason}})
                    raise StepFailed(reason)
                case _:
                    self._ask(step, KINDS[type(step)], document)
        except ResolveError as error:
            raise StepFailed(f"ClientError: {error}") from None
        except AwsError as error:
            raise StepFailed(f"ClientError: {error.code}: {error.message}") from None
        except (StepFailed, Unfinished):
            raise
        except CancelledError:
            raise Unfinished(step.name) from None
        except Exception:
            LOG.exception("%s, step %s", self._record.arn, step.name)
            raise StepFailed(INTERNAL, SERVICE_FAULT) from None

    def _condition(self, step: Condition) -> None:
        resolver = self._record.resolver()
        results = [holds(condition, resolver) for condition in step.arguments.conditions]
        self._record.note(step.name, Metadata={"Condition": {"Outcome": str(all(results))}})

    def _ask(self, step: Any, kind: Kind, document: Document) -> None:
        """Make the request of a step, unless an earlier platform has; then wait for its job."""
        metadata, parts = document.get("Metadata"), document.get("Parts")
        if not metadata:
            request, why, parts = self._request(step, kind), "", None
            config = getattr(step, "cache_config", None)
            if isinstance(config, CacheConfig) and config.enabled:
                parts = self._cache.parts(request, kind.key)
                run, why = self._cache.find(self._record.pipeline, step.name, parts, config)
                if run is not None:
                    source = {"SourcePipelineExecutionArn": run["PipelineExecutionArn"]}
                    self._record.note(step.name, Metadata=run["Metadata"], CacheHitResult=source)
                    return
            metadata = self._begin(step, kind, request, parts, why)
        if work := self._jobs.kinds.get(kind.resource):
            self._await(work, resource_name(metadata[kind.member]["Arn"]))
        if parts is not None:
            pipeline, arn = self._record.pipeline, self._record.arn
            self._cache.keep(pipeline, step.name, parts, arn, metadata)

    def _request(self, step: Any, kind: Kind) -> Document:
        if isinstance(step, Lambda):
            event = {"FunctionArn": step.function_arn, "Arguments": step.arguments}
            return dict(self._record.resolver().resolve(event))
        given = {f"{kind.stem}Name": job_name(self._record.number, step.name)}
        if kind.stem == "ModelPackage":  # numbered by its group
            given = {}
        return {**self._record.resolver(**given).resolve(step.arguments), **given}

    def _begin(
        self, step: Any, kind: Kind, request: Document, parts: dict[str, str] | None, why: str
    ) -> Document:
        """Make the request; what it makes is stored together with the step that knows it."""
        if isinstance(step, Lambda):
            metadata = {"Lambda": self._invoke(step, request)}
            self._record.note(step.name, Metadata=metadata, Parts=parts)
            return metadata
        with self._platform.database.transaction():
            if group := request.get("ModelPackageGroupName"):
                self._ensure_group(group)
            made = self._platform.call("sagemaker", f"Create{kind.stem}", request)
            metadata = {kind.member: {"Arn": made[f"{kind.stem}Arn"]}}
            if why:  # the first line of the job's log, whose program starts after this transaction
                name = resource_name(made[f"{kind.stem}Arn"])
                line = f"cache: {step.name} runs: {why}"
                self._platform.resources.update(kind.resource, name, FirstLine=line)
            self._record.note(step.name, StepStatus="Executing", Metadata=metadata, Parts=parts)
        if self._record.stopping():
            self.stop(step, {"Metadata": metadata})
        return metadata

    def _ensure_group(self, group: str) -> None:
        if self._platform.resources.find("model-package-group", group) is None:
            request = {"ModelPackageGroupName": group}
            self._platform.call("sagemaker", "CreateModelPackageGroup", request)

    def _invoke(self, step: Lambda, request: Document) -> Document:
        arn = request["FunctionArn"]
        event = json.dumps(request["Arguments"]).encode()
        answer = self._platform.call("lambda", "Invoke", {"FunctionName": arn, "Payload": event})
        if "FunctionError" in answer:
            raise StepFailed(f"ClientError: {arn}: {answer['Payload'].decode()}")
        returned = json.loads(answer["Payload"] or b"null")
        outputs = {output.output_name: output.output_type for output in step.output_parameters}
        try:
            texts = {name: str(returned[name]) for name in outputs}
            for name, text in texts.items():
                parse(outputs[name], text)
        except (KeyError, TypeError, ValueError):
            what = ", ".join(f"{name!r} of type {kind}" for name, kind in outputs.items())
            reason = f"ClientError: {arn} shall return {what}; it returned {returned!r}"
            raise StepFailed(reason) from None
        given = [{"Name": name, "Value": text} for name, text in texts.items()]
        return {"Arn": arn, "OutputParameters": given}

    def _await(self, work: Work, name: str) -> None:
        job = self._jobs.wait(work, name)
        status = status_of(work, job)
        if status in ("InProgress", "Stopping"):
            raise Unfinished(name)
        if status != "Completed":
            ended = job.get("SecondaryStatus", status)
            reason = job.get("FailureReason", f"ClientError: the job {name} is {ended}")
            raise StepFailed(reason, stopped=status == "Stopped")


def _pause(step: StepUnion, kind: str, attempt: int, elapsed: float) -> float | None:
    """Return the seconds until a step is done again, or None if it has failed for good.

    `attempt` is how many attempts there were, `elapsed` the seconds since the first one began.
    """
    for policy in getattr(step, "retry_policies", ()):
        if kind in policy.exception_type:
            wait = float(policy.interval_seconds * policy.backoff_rate ** (attempt - 1))
            if policy.expire_after_min:
                return wait if elapsed + wait <= 60 * policy.expire_after_min else None
            return wait if attempt <= (policy.max_attempts or MAX_ATTEMPTS) else None
    return None


def job_name(execution: str, step: str) -> str:
    """Return a name for a step's job, as SageMaker forms them."""
    suffix = random_name(10, string.ascii_letters)
    # A job's name may hold no underscore, a step's may.
    stem = step[:20].replace("_", "-").strip("-") or "step"
    return f"pipelines-{execution}-{stem}-{suffix}"
