"""One execution of a pipeline: which step starts when, and how it all ends."""

from __future__ import annotations

import logging
import queue
import threading
import time
from datetime import UTC, datetime
from typing import Any

from boostline.contracts.pipeline import (
    Condition,
    Processing,
    RegisterModel,
    StepUnion,
    Training,
    decode,
    dependencies,
)
from boostline.local.engine.jobs import Jobs
from boostline.local.engine.steps import (
    WORKS,
    Operations,
    StepFailed,
    Steps,
    StepStopped,
    Unfinished,
)
from boostline.local.engine.values import Resolver
from boostline.local.engine.work import Document
from boostline.local.platform import Platform

LOG = logging.getLogger(__name__)
EXECUTION, STEP = "pipeline-execution", "pipeline-step"
DONE = ("Succeeded", "Failed", "Stopped")
REASON_LENGTH = 1300  # characters of PipelineExecutionFailureReason


class Execution:
    """Runs an execution in a thread of its own, jobs in one each.

    A step starts once all it depends on has succeeded and, in a branch, once the branch is taken.
    After a failure no further step starts; those that run come to their end. All it knows stands
    in the platform's resources, so that another platform can go on.
    """

    def __init__(
        self, platform: Platform, jobs: Jobs, operations: Operations, document: Document
    ) -> None:
        self.arn: str = document["PipelineExecutionArn"]
        self.id = self.arn.rpartition("/")[2]
        self._platform = platform
        self._jobs = jobs
        self._document = document
        self._definition = decode(document["PipelineDefinition"])
        self._by_name = {step.name: step for step, _ in self._definition.walk()}
        self._branch = {step.name: branch for step, branch in self._definition.walk()}
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._running: set[str] = set()
        self._stopping = threading.Event()
        self._unfinished = threading.Event()
        self._steps = Steps(platform, jobs, operations, self.arn, self._note, self._stopping)
        self._thread = threading.Thread(target=self._run, name=f"execution {self.id}", daemon=True)

    def start(self) -> None:
        """Begin, or go on."""
        if self._document["PipelineExecutionStatus"] == "Stopping":
            self._stopping.set()
        self._thread.start()

    def stop(self) -> None:
        """Stop the running jobs and start no more."""
        self._stopping.set()
        self._stop_jobs()

    def runs(self) -> bool:
        """Return whether it has not come to its end yet."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait until nothing more happens."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._resume()
            while self._advance():
                self._running.discard(self._events.get())
            if not self._unfinished.is_set():
                self._end()
        except Exception:
            LOG.exception("execution %s", self.arn)
            self._finish("Failed", "InternalServerError: see the platform's own log")

    def _resume(self) -> None:
        for name, document in self._documents().items():
            if document["StepStatus"] not in DONE:
                self._begin(self._by_name[name], document)
        if self._stopping.is_set():
            self._stop_jobs()

    def _advance(self) -> bool:
        """Start what can start; return whether anything runs."""
        while ready := self._ready():
            for step in ready:
                self._begin(step, self._new(step))
        return bool(self._running)

    def _ready(self) -> list[StepUnion]:
        documents = self._documents()
        if self._stopping.is_set() or self._unfinished.is_set():
            return []
        if any(document["StepStatus"] in ("Failed", "Stopped") for document in documents.values()):
            return []
        return [
            step
            for name, step in self._by_name.items()
            if name not in documents and self._may_start(step, documents)
        ]

    def _may_start(self, step: StepUnion, documents: dict[str, Document]) -> bool:
        done = {
            name for name, document in documents.items() if document["StepStatus"] == "Succeeded"
        }
        branch = self._branch[step.name]
        if branch is not None:
            condition = self._by_name[branch]
            if branch not in done or not isinstance(condition, Condition):
                return False
            held = documents[branch]["Metadata"]["Condition"]["Outcome"] == "True"
            taken = condition.arguments.if_steps if held else condition.arguments.else_steps
            if step.name not in {inner.name for inner in taken}:
                return False
        return dependencies(step) <= done

    def _begin(self, step: StepUnion, document: Document) -> None:
        if isinstance(step, Processing | Training):
            self._running.add(step.name)
            threading.Thread(
                target=self._do_apart, args=(step, document), name=step.name, daemon=True
            ).start()
        else:
            self._do(step, document)

    def _do_apart(self, step: StepUnion, document: Document) -> None:
        try:
            self._do(step, document)
        finally:
            self._events.put(step.name)

    def _do(self, step: StepUnion, document: Document) -> None:
        try:
            self._steps.do(step, self._resolver(), document)
        except Unfinished:
            self._unfinished.set()
        except StepFailed as error:
            self._note(step.name, StepStatus="Failed", FailureReason=str(error))
        except StepStopped as error:
            stopped = "Stopped" if self._stopping.is_set() else "Failed"
            self._note(step.name, StepStatus=stopped, FailureReason=str(error))
        except Exception:
            LOG.exception("execution %s, step %s", self.arn, step.name)
            reason = "InternalServerError: see the platform's own log"
            self._note(step.name, StepStatus="Failed", FailureReason=reason)
        else:
            self._note(step.name, StepStatus="Succeeded")

    def _resolver(self) -> Resolver:
        started = self._document["CreationTime"]
        pipeline = self._document["PipelineArn"]
        return Resolver(
            self._document["Parameters"],
            {
                "PipelineExecutionId": self.id,
                "PipelineExecutionArn": self.arn,
                "PipelineName": pipeline.rpartition("/")[2],
                "PipelineArn": pipeline,
                "StartDateTime": datetime.fromtimestamp(started, UTC).isoformat(),
                "CurrentDateTime": datetime.now(UTC).isoformat(),
            },
            self._properties,
            {name: step for name, step in self._by_name.items() if isinstance(step, Processing)},
            self._platform.objects.read,
        )

    def _properties(self, name: str) -> Document:
        """Return what a step that is done describes; nothing for one that is not."""
        metadata = self._documents().get(name, {}).get("Metadata", {})
        step = self._by_name[name]
        if isinstance(step, Condition):
            return dict(metadata.get("Condition", {}))
        if isinstance(step, RegisterModel):
            package = metadata["RegisterModel"]["Arn"].partition(":model-package/")[2]
            return self._platform.resources.get("model-package", package)
        work = WORKS[type(step)]
        return self._platform.resources.get(
            work.kind, metadata[work.member]["Arn"].rpartition("/")[2]
        )

    def _documents(self) -> dict[str, Document]:
        found = self._platform.resources.list(STEP, self.id)
        return {document["StepName"]: document for document in found}

    def _new(self, step: StepUnion) -> Document:
        document: Document = {
            "StepName": step.name,
            "StartTime": time.time(),
            "StepStatus": "Starting",
            "AttemptCount": 1,
        }
        said = {"StepDisplayName": step.display_name, "StepDescription": step.description}
        document |= {member: text for member, text in said.items() if isinstance(text, str)}
        self._platform.resources.create(STEP, f"{self.id}/{step.name}", document, self.id)
        return document

    def _note(self, name: str, **members: Any) -> None:
        if members.get("StepStatus") in DONE:
            members["EndTime"] = time.time()
        self._platform.resources.update(STEP, f"{self.id}/{name}", **members)

    def _stop_jobs(self) -> None:
        for name, document in self._documents().items():
            work = WORKS.get(type(self._by_name[name]))
            arn = document.get("Metadata", {}).get(work.member, {}).get("Arn") if work else None
            if work and arn and document["StepStatus"] not in DONE:
                self._jobs.stop(work, arn.rpartition("/")[2])

    def _end(self) -> None:
        failed = [d for d in self._documents().values() if d["StepStatus"] == "Failed"]
        if self._stopping.is_set():
            self._finish("Stopped", "")
        elif failed:
            reasons = "; ".join(f"{d['StepName']}: {d['FailureReason']}" for d in failed)
            self._finish("Failed", f"Step failure: One or multiple steps failed. {reasons}")
        else:
            self._finish("Succeeded", "")

    def _finish(self, status: str, reason: str) -> None:
        members = {"FailureReason": reason[:REASON_LENGTH]} if reason else {}
        self._platform.resources.update(
            EXECUTION, self.id, PipelineExecutionStatus=status, **members
        )
