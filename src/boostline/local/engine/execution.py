"""Executions of pipelines: which step starts when, and how it all ends."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Any
from weakref import WeakValueDictionary

from boostline.contracts.pipeline import Condition, Fail, StepUnion
from boostline.local.engine.cache import Cache
from boostline.local.engine.jobs import Jobs
from boostline.local.engine.record import DONE, EXECUTION, Record, number_of
from boostline.local.engine.selection import results
from boostline.local.engine.steps import StepFailed, Steps, Unfinished
from boostline.local.engine.work import INTERNAL
from boostline.local.names import random_name
from boostline.local.platform import Platform
from boostline.local.store.resources import Document, Missing
from boostline.local.wire.errors import invalid

LOG = logging.getLogger(__name__)


class Execution:
    """Runs the steps of an execution, each in a thread of its own.

    A step starts once all it depends on has succeeded and, in a branch, once the branch is taken.
    After a failure no further step starts; those that run come to their end. What follows from a
    step's end is written in one transaction with it, so one thing follows at a time.
    """

    def __init__(self, platform: Platform, jobs: Jobs, cache: Cache, document: Document) -> None:
        self._database = platform.database
        self._record = Record(platform, document)
        self._selected = document.get("Selected", list(self._record.steps))
        parallelism = document.get("ParallelismConfiguration", {})
        self._most = parallelism.get("MaxParallelExecutionSteps", math.inf)
        self._halted = threading.Event()  # when it is stopped, and when the platform is
        self._closing = False
        self._steps = Steps(self._record, jobs, cache, self._halted)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin, or go on."""
        with self._database.transaction():
            for name, document in self._record.running().items():
                self._begin(self._record.steps[name], document)
            if self._record.stopping():
                self.stop()
            self._go_on()

    def stop(self) -> None:
        """Stop the running jobs and start no more."""
        self._halted.set()
        for name, document in self._record.running().items():
            self._steps.stop(self._record.steps[name], document)

    def close(self) -> None:
        """Leave the execution as it is, for a later platform to go on."""
        self._closing = True
        self._halted.set()

    def join(self) -> None:
        """Wait until nothing more happens."""
        for thread in self._threads:
            thread.join()

    def _begin(self, step: StepUnion, document: Document) -> None:
        arguments = (step, document)
        thread = threading.Thread(target=self._do, args=arguments, name=step.name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _do(self, step: StepUnion, document: Document) -> None:
        try:
            members = self._outcome(step, document)
            with self._database.transaction():
                if not self._closing:  # a later platform comes to the same end
                    self._record.note(step.name, **members)
                    self._go_on()
        except Missing:
            pass  # an execution whose making was rolled back
        except Exception:
            LOG.exception("execution %s", self._record.arn)
            self._halted.set()
            self._record.become("Failed", INTERNAL)

    def _outcome(self, step: StepUnion, document: Document) -> Document:
        """Do a step, and return the members of its end."""
        try:
            self._steps.do(step, document)
        except Unfinished:
            self.close()
        except StepFailed as error:
            stopped = error.stopped and self._record.stopping()
            return {"StepStatus": "Stopped" if stopped else "Failed", "FailureReason": str(error)}
        return {"StepStatus": "Succeeded"}

    def _go_on(self) -> None:
        """Start what can start; if nothing runs then, all is done."""
        documents = self._record.documents()
        running = [each for each in documents.values() if each["StepStatus"] not in DONE]
        statuses = {document["StepStatus"] for document in documents.values()}
        if not self._halted.is_set() and not statuses & {"Failed", "Stopped"}:
            waiting = [name for name in self._selected if name not in documents]
            for name in [name for name in waiting if self._may_start(name, documents)]:
                if len(running) < self._most:
                    step = self._record.steps[name]
                    running.append(self._record.new(step))
                    self._begin(step, running[-1])
        if not running:
            self._end(documents)

    def _may_start(self, name: str, documents: dict[str, Document]) -> bool:
        selected = set(self._selected)
        known = selected & documents.keys()
        done = {each for each in known if documents[each]["StepStatus"] == "Succeeded"}
        condition = self._record.steps.get(self._record.branches[name] or "")
        if isinstance(condition, Condition) and condition.name in done:
            held = documents[condition.name]["Metadata"]["Condition"]["Outcome"] == "True"
            taken = condition.arguments.if_steps if held else condition.arguments.else_steps
            if name not in {inner.name for inner in taken}:
                return False
        return self._record.needs[name] & selected <= done

    def _end(self, documents: dict[str, Document]) -> None:
        failed = [each for each in documents.values() if each["StepStatus"] == "Failed"]
        if self._record.stopping():
            self._record.become("Stopped")
        elif failed:
            reasons = "; ".join(f"{d['StepName']}: {d['FailureReason']}" for d in failed)
            reason = f"Step failure: One or multiple steps failed. {reasons}"
            self._record.become("Failed", reason)
        else:
            self._record.become("Succeeded")


class Executions:
    """The executions of a platform: those that run, and those that an earlier platform left."""

    def __init__(self, platform: Platform, jobs: Jobs) -> None:
        self._platform = platform
        self._jobs = jobs
        self._cache = Cache(platform)
        # The threads of its steps hold an execution: what has ended is not here for long.
        self._running: WeakValueDictionary[str, Execution] = WeakValueDictionary()

    def begin(self, pipeline: Document, request: Document, values: dict[str, Any]) -> Document:
        """Store an execution of a pipeline, and run it; return its document.

        Raises `AwsError` if what is selected cannot run by itself.
        """
        number = random_name(12)
        now = round(time.time(), 3)
        document = {
            "PipelineExecutionDisplayName": f"execution-{int(now * 1000)}",
            **pipeline,
            **request,
            "PipelineExecutionArn": f"{pipeline['PipelineArn']}/execution/{number}",
            "PipelineExecutionStatus": "Executing",
            "Parameters": values,
            **dict.fromkeys(("CreationTime", "StartTime", "LastModifiedTime"), now),
        }
        record, reused = Record(self._platform, document), {}
        if selective := request.get("SelectiveExecutionConfig"):
            names = dict.fromkeys(step["StepName"] for step in selective["SelectedSteps"])
            document["Selected"] = [*names]
            reused = results(record, document["Selected"], selective)
        record.create()
        for name, members in reused.items():
            record.new(record.steps[name], **members)
        self.start(document)
        return document

    def start(self, document: Document) -> None:
        """Run an execution that is stored."""
        execution = Execution(self._platform, self._jobs, self._cache, document)
        self._running[number_of(document["PipelineExecutionArn"])] = execution
        execution.start()

    def stop(self, document: Document) -> None:
        """Mark an execution as Stopping, and end its jobs."""
        Record(self._platform, document).become("Stopping")
        if execution := self._running.get(number_of(document["PipelineExecutionArn"])):
            execution.stop()

    def retry(self, document: Document, request: Document) -> None:
        """Let an execution that ended go on from what has succeeded.

        Raises `AwsError` if it ended in a Fail step.
        """
        record = Record(self._platform, document)
        if ends := [n for n in record.documents() if isinstance(record.steps[n], Fail)]:
            raise invalid(f"{record.arn} ended in its Fail step {ends[0]}: start another")
        record.drop("Failed", "Stopped")
        record.become("Executing")
        members = {m: request[m] for m in ("ParallelismConfiguration",) if m in request}
        self.start(self._platform.resources.update(EXECUTION, record.number, **members))

    def forget(self, pipeline: str) -> None:
        """Remove the executions of a pipeline, which have ended, with all that is known of them."""
        for document in self._platform.resources.list(EXECUTION, pipeline):
            record = Record(self._platform, document)
            record.drop(*DONE)
            self._platform.resources.delete(EXECUTION, record.number)
        self._cache.forget(pipeline)

    def resume(self) -> None:
        """Go on with every execution that an earlier platform left."""
        for document in self._platform.resources.list(EXECUTION):
            if document["PipelineExecutionStatus"] in ("Executing", "Stopping"):
                self.start(document)

    def close(self) -> None:
        """End all jobs and wait for the executions to let go; they stay unfinished."""
        running = list(self._running.values())
        for execution in running:
            execution.close()
        self._jobs.close()
        for execution in running:
            execution.join()
