"""The executions of a platform: those that run, and those that an earlier platform left."""

from __future__ import annotations

import secrets
import string
import threading
import time
from typing import Any

from boostline.local.engine.execution import EXECUTION, STEP, Execution
from boostline.local.engine.jobs import Jobs
from boostline.local.engine.steps import Operations
from boostline.local.engine.work import Document
from boostline.local.platform import Platform

ALPHABET = string.ascii_lowercase + string.digits
KEPT = (
    "PipelineExecutionDisplayName",
    "PipelineExecutionDescription",
    "ParallelismConfiguration",
    "RoleArn",
)


class Executions:
    """Starts, stops and resumes executions."""

    def __init__(self, platform: Platform, jobs: Jobs, operations: Operations) -> None:
        self._platform = platform
        self._jobs = jobs
        self._operations = operations
        self._lock = threading.Lock()
        self._running: dict[str, Execution] = {}

    def create(self, pipeline: Document, request: Document, values: dict[str, Any]) -> Document:
        """Store an execution of a pipeline, to be started."""
        number = "".join(secrets.choice(ALPHABET) for _ in range(12))
        arn, now = f"{pipeline['PipelineArn']}/execution/{number}", round(time.time(), 3)
        document = {
            "RoleArn": pipeline["RoleArn"],
            "PipelineExecutionDisplayName": f"execution-{int(now * 1000)}",
            **{member: request[member] for member in KEPT if member in request},
            "PipelineArn": pipeline["PipelineArn"],
            "PipelineExecutionArn": arn,
            "PipelineExecutionStatus": "Executing",
            "PipelineDefinition": pipeline["PipelineDefinition"],
            "Parameters": values,
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": {},
            "LastModifiedBy": {},
        }
        name = pipeline["PipelineName"]
        self._platform.resources.create(EXECUTION, number, document, name)
        return document

    def start(self, document: Document) -> None:
        """Run an execution that is stored."""
        execution = Execution(self._platform, self._jobs, self._operations, document)
        with self._lock:
            running = {number: found for number, found in self._running.items() if found.runs()}
            self._running = {**running, execution.id: execution}
            execution.start()

    def stop(self, document: Document) -> None:
        """Mark an execution as Stopping, and end its jobs."""
        number = document["PipelineExecutionArn"].rpartition("/")[2]
        self._platform.resources.update(EXECUTION, number, PipelineExecutionStatus="Stopping")
        with self._lock:
            execution = self._running.get(number)
        if execution is not None:
            execution.stop()

    def forget(self, document: Document) -> None:
        """Remove an execution that has ended, with its steps."""
        number = document["PipelineExecutionArn"].rpartition("/")[2]
        for step in self._platform.resources.list(STEP, number):
            self._platform.resources.delete(STEP, f"{number}/{step['StepName']}")
        self._platform.resources.delete(EXECUTION, number)

    def resume(self) -> None:
        """Go on with every execution that an earlier platform left."""
        for document in self._platform.resources.list(EXECUTION):
            if document["PipelineExecutionStatus"] in ("Executing", "Stopping"):
                self.start(document)

    def close(self) -> None:
        """Wait for the executions to let go; their jobs must have been ended before."""
        with self._lock:
            running = list(self._running.values())
        for execution in running:
            execution.join()
