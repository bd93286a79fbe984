"""One execution of a pipeline: which step starts when, and how it all ends."""

from __future__ import annotations

import logging
import math
import queue
import threading

from boostline.contracts.pipeline import Condition, StepUnion, dependencies
from boostline.local.engine.cache import Cache
from boostline.local.engine.jobs import Jobs
from boostline.local.engine.record import DONE, Record
from boostline.local.engine.retry import StepFailed
from boostline.local.engine.steps import Steps, StepStopped, Unfinished
from boostline.local.platform import Platform
from boostline.local.store.resources import Document, Missing

LOG = logging.getLogger(__name__)


class Execution:
    """Runs an execution in a thread of its own, steps in one each.

    A step starts once all it depends on has succeeded and, in a branch, once the branch is taken.
    After a failure no further step starts; those that run come to their end.
    """

    def __init__(self, platform: Platform, jobs: Jobs, cache: Cache, document: Document) -> None:
        self._record = Record(platform, document)
        self._selected = document.get("Selected", list(self._record.steps))
        parallelism = document.get("ParallelismConfiguration", {})
        self._most = parallelism.get("MaxParallelExecutionSteps", math.inf)
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._running: set[str] = set()
        self._stopping, self._closing = threading.Event(), threading.Event()
        self._halted = threading.Event()  # by either
        self._steps = Steps(self._record, jobs, cache, self._halted)
        self._thread = threading.Thread(target=self._run, name=self._record.number, daemon=True)

    def start(self) -> None:
        """Begin, or go on."""
        if self._record.stopping():
            self._halt(self._stopping)
        self._thread.start()

    def stop(self) -> None:
        """Stop the running jobs and start no more."""
        self._halt(self._stopping)
        self._stop_jobs()

    def close(self) -> None:
        """Leave the execution as it is, for a later platform to go on."""
        self._halt(self._closing)

    def runs(self) -> bool:
        """Return whether it has not come to its end yet."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait until nothing more happens."""
        self._thread.join()

    def _halt(self, why: threading.Event) -> None:
        why.set()
        self._halted.set()

    def _run(self) -> None:
        try:
            self._resume()
            while self._advance():
                self._running.discard(self._events.get())
            if not self._closing.is_set():
                self._end()
        except Missing:
            pass  # an execution whose making was rolled back
        except Exception:
            LOG.exception("execution %s", self._record.arn)
            self._record.become("Failed", "InternalServerError: see the platform's own log")

    def _resume(self) -> None:
        for name, document in self._record.documents().items():
            if document["StepStatus"] not in DONE:
                self._begin(self._record.steps[name], document)
        if self._stopping.is_set():
            self._stop_jobs()

    def _advance(self) -> bool:
        """Start what can start; return whether anything runs."""
        for step in self._ready():
            if len(self._running) < self._most:
                self._begin(step, self._record.new(step))
        return bool(self._running)

    def _ready(self) -> list[StepUnion]:
        documents = self._record.documents()
        statuses = {document["StepStatus"] for document in documents.values()}
        if self._halted.is_set() or statuses & {"Failed", "Stopped"}:
            return []
        waiting = [self._record.steps[name] for name in self._selected if name not in documents]
        return [step for step in waiting if self._may_start(step, documents)]

    def _may_start(self, step: StepUnion, documents: dict[str, Document]) -> bool:
        known = documents.items()
        done = {name for name, document in known if document["StepStatus"] == "Succeeded"}
        condition = self._record.steps.get(self._record.branches[step.name] or "")
        if isinstance(condition, Condition) and condition.name in self._selected:
            if condition.name not in done:
                return False
            held = documents[condition.name]["Metadata"]["Condition"]["Outcome"] == "True"
            taken = condition.arguments.if_steps if held else condition.arguments.else_steps
            if step.name not in {inner.name for inner in taken}:
                return False
        return dependencies(step) & set(self._selected) <= done

    def _begin(self, step: StepUnion, document: Document) -> None:
        self._running.add(step.name)
        arguments = (step, document)
        threading.Thread(target=self._do, args=arguments, name=step.name, daemon=True).start()

    def _do(self, step: StepUnion, document: Document) -> None:
        status, reason = "Succeeded", {}
        try:
            self._steps.do(step, document)
        except Unfinished:
            self._halt(self._closing)
        except StepFailed as error:
            status, reason = "Failed", {"FailureReason": str(error)}
        except StepStopped as error:
            status = "Stopped" if self._stopping.is_set() else "Failed"
            reason = {"FailureReason": str(error)}
        if not self._closing.is_set():  # a later platform comes to the same end
            self._record.note(step.name, StepStatus=status, **reason)
        self._events.put(step.name)

    def _stop_jobs(self) -> None:
        for name, document in self._record.documents().items():
            if document["StepStatus"] not in DONE:
                self._steps.stop(self._record.steps[name], document)

    def _end(self) -> None:
        known = self._record.documents().values()
        failed = [document for document in known if document["StepStatus"] == "Failed"]
        if self._stopping.is_set():
            self._record.become("Stopped")
        elif failed:
            reasons = "; ".join(f"{d['StepName']}: {d['FailureReason']}" for d in failed)
            reason = f"Step failure: One or multiple steps failed. {reasons}"
            self._record.become("Failed", reason)
        else:
            self._record.become("Succeeded")
