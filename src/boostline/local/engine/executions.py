"""The executions of a platform: those that run, and those that an earlier platform left."""

from __future__ import annotations

import secrets
import string
import threading
import time
from typing import Any

from boostline.contracts.pipeline import Fail
from boostline.local.engine.cache import Cache
from boostline.local.engine.execution import Execution
from boostline.local.engine.jobs import Jobs
from boostline.local.engine.record import EXECUTION, Record, number_of
from boostline.local.engine.selection import ExecutionError, reused
from boostline.local.platform import Platform
from boostline.local.store.resources import Document

ALPHABET = string.ascii_lowercase + string.digits
KEPT = (
    *("PipelineExecutionDisplayName", "PipelineExecutionDescription", "RoleArn"),
    *("ParallelismConfiguration", "SelectiveExecutionConfig"),
)


class Executions:
    """Starts, stops, retries and resumes executions."""

    def __init__(self, platform: Platform, jobs: Jobs) -> None:
        self._platform = platform
        self._jobs = jobs
        self._cache = Cache(platform)
        self._lock = threading.Lock()
        self._running: dict[str, Execution] = {}

    def create(self, pipeline: Document, request: Document, values: dict[str, Any]) -> Document:
        """Store an execution of a pipeline, to be started.

        Raises `ExecutionError` if what is selected cannot run by itself.
        """
        number = "".join(secrets.choice(ALPHABET) for _ in range(12))
        arn, now = f"{pipeline['PipelineArn']}/execution/{number}", round(time.time(), 3)
        given = {**pipeline, **request}
        document: Document = {
            "PipelineExecutionDisplayName": f"execution-{int(now * 1000)}",
            **{member: given[member] for member in KEPT if member in given},
            "PipelineArn": pipeline["PipelineArn"],
            "PipelineExecutionArn": arn,
            "PipelineExecutionStatus": "Executing",
            "PipelineDefinition": pipeline["PipelineDefinition"],
            "Parameters": values,
            "CreationTime": now,
            "StartTime": now,  # as it is listed
            "LastModifiedTime": now,
            "CreatedBy": {},
            "LastModifiedBy": {},
        }
        record = Record(self._platform, document)
        found: dict[str, Document] = {}
        if "SelectiveExecutionConfig" in request:
            selective = request["SelectiveExecutionConfig"]
            names = (step["StepName"] for step in selective["SelectedSteps"])
            document["Selected"] = list(dict.fromkeys(names))
            found = reused(record, document["Selected"], selective)
        with self._platform.database.transaction():
            self._platform.resources.create(EXECUTION, number, document, pipeline["PipelineName"])
            record.tell(document, "")
        for name, members in found.items():
            record.new(record.steps[name], **members)
        return document

    def start(self, document: Document) -> None:
        """Run an execution that is stored."""
        execution = Execution(self._platform, self._jobs, self._cache, document)
        number = number_of(document["PipelineExecutionArn"])
        with self._lock:
            running = {number: found for number, found in self._running.items() if found.runs()}
            self._running = {**running, number: execution}
            execution.start()

    def stop(self, document: Document) -> None:
        """Mark an execution as Stopping, and end its jobs."""
        number = number_of(document["PipelineExecutionArn"])
        Record(self._platform, document).become("Stopping")
        with self._lock:
            execution = self._running.get(number)
        if execution is not None:
            execution.stop()

    def retry(self, document: Document, request: Document) -> Document:
        """Make an execution that ended one that goes on from what has succeeded, to be started.

        Raises `ExecutionError` if it ended in a Fail step.
        """
        record = Record(self._platform, document)
        if ends := [n for n in record.documents() if isinstance(record.steps[n], Fail)]:
            raise ExecutionError(f"{record.arn} ended in its Fail step {ends[0]}: start another")
        record.drop("Failed", "Stopped")
        record.become("Executing")
        members = {m: request[m] for m in ("ParallelismConfiguration",) if m in request}
        return self._platform.resources.update(EXECUTION, record.number, **members)

    def forget(self, pipeline: str) -> None:
        """Remove the executions of a pipeline, which have ended, with all that is known of them."""
        for document in self._platform.resources.list(EXECUTION, pipeline):
            record = Record(self._platform, document)
            record.drop("Succeeded", "Failed", "Stopped")
            self._platform.resources.delete(EXECUTION, record.number)
        self._cache.forget(pipeline)

    def resume(self) -> None:
        """Go on with every execution that an earlier platform left."""
        for document in self._platform.resources.list(EXECUTION):
            if document["PipelineExecutionStatus"] in ("Executing", "Stopping"):
                self.start(document)

    def close(self) -> None:
        """End all jobs and wait for the executions to let go; they stay unfinished."""
        with self._lock:
            running = list(self._running.values())
        for execution in running:
            execution.close()
        self._jobs.close()
        for execution in running:
            execution.join()
