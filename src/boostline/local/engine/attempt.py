"""One attempt at a job, from its folder to its published outputs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from boostline.local.engine.metrics import Metrics
from boostline.local.engine.work import (
    NO_PROGRAM,
    REASON_LENGTH,
    JobFailed,
    Upload,
    Work,
    remove,
    require_buckets,
    stage,
    status_of,
)
from boostline.local.environment import given
from boostline.local.platform import Platform
from boostline.local.runners.base import (
    KILLED,
    Command,
    NoCapacity,
    Program,
    RunnerError,
    last_words,
)
from boostline.local.store.objects import NoSuchBucket
from boostline.local.store.resources import Document, Missing

LOG = logging.getLogger(__name__)
GRACE = 120.0  # seconds between SIGTERM and SIGKILL of a job that is stopped
MAX_RUNTIME = 86_400.0  # seconds, where a request does not say
TAIL = 5  # last lines in the reason of a failure
STATUS_MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training in progress",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job ran longer than MaxRuntimeInSeconds",
}
OUT_OF_MEMORY = (  # SageMaker's words
    "ClientError: Please use an instance type with more memory, or reduce the size of job data "
    "processed on an instance."
)
INTERNAL = "InternalServerError: see the platform's own log"


@dataclass(frozen=True)
class Outcome:
    """How a job ends."""

    status: str
    secondary: str
    reason: str = ""
    message: str = ""
    uploads: tuple[Upload, ...] = ()


STOPPED = Outcome("Stopped", "Stopped")


class Attempt:
    """Runs a job in a thread of its own; `ended` is set when there is nothing more to come."""

    def __init__(self, platform: Platform, work: Work, name: str) -> None:
        self._platform = platform
        self._work = work
        self._name = name
        self._folder = platform.folder / "jobs" / work.kind / name
        self._ml = self._folder / "ml"
        self._changed = threading.Event()
        self._abandoned = threading.Event()
        self._program: Program | None = None
        self.ended = threading.Event()
        self._metrics = Metrics([])
        self._stream = f"{name}/algo-1-{int(time.time())}"
        self._thread = threading.Thread(target=self._run, name=f"{work.kind}/{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for an end as Stopped."""
        self._changed.set()

    def abandon(self) -> None:
        """End the program and leave the job as it is, for a later platform to run again."""
        self._abandoned.set()
        self._changed.set()
        if self._program is not None:  # it may be in its 120 s
            self._program.stop(0)
        self._thread.join()

    def _run(self) -> None:
        try:
            outcome = self._outcome()
            if not self._abandoned.is_set():
                self._finish(outcome)
        except Missing:
            pass  # a job whose making was rolled back
        finally:
            remove(self._folder)
            self.ended.set()

    def _outcome(self) -> Outcome:
        try:
            return self._work_through()
        except JobFailed as error:
            reason = error.reason
        except NoCapacity as error:
            reason = f"CapacityError: {error}"
        except RunnerError as error:
            reason = f"ClientError: {error}"
        except Exception:
            LOG.exception("%s %s", self._work.kind, self._name)
            reason = INTERNAL
        return Outcome("Failed", "Failed", reason)

    def _work_through(self) -> Outcome:
        document = self._phase("Starting")
        if status_of(self._work, document) == "Stopping":
            return STOPPED
        algorithm = document.get("AlgorithmSpecification", {})
        self._metrics = Metrics(algorithm.get("MetricDefinitions", []))
        if "FirstLine" in document:
            self._sink([document["FirstLine"]])
        require_buckets(self._platform, self._work, document)
        remove(self._folder)
        self._phase("Downloading")
        self._work.lay_out(self._platform, document, self._ml)
        if self._changed.is_set():
            return STOPPED
        document = self._phase(self._work.stem, **{f"{self._work.stem}StartTime": time.time()})
        program = self._program = self._start(document)
        program.when_done(self._changed.set)
        limit = document.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", MAX_RUNTIME)
        in_time = self._changed.wait(limit)
        if self._abandoned.is_set():
            program.stop(0)
            return STOPPED
        code = program.wait(0)
        if code is None:
            program.stop(GRACE)
            if in_time:
                return self._ending("Stopped", "Stopped")
            reason = f"ClientError: the job ran longer than MaxRuntimeInSeconds ({limit:.0f})"
            return replace(self._ending("Stopped", "MaxRuntimeExceeded"), reason=reason)
        return self._ending("Completed", "Completed") if code == 0 else self._failure(code, program)

    def _start(self, document: Document) -> Program:
        launch, home = self._work.launch(self._platform, document), self._folder / "home"
        environment = given(self._platform, launch.environment)
        owner = self._thread.name
        command = Command(owner, launch.call, environment, self._ml, home, launch.read_only)
        return launch.start(self._platform, command, self._sink)

    def _sink(self, lines: Sequence[str]) -> None:
        self._platform.logs.append(self._work.log_group, self._stream, lines)
        self._metrics.read(lines)

    def _ending(self, status: str, secondary: str, reason: str = "") -> Outcome:
        document = self._phase("" if reason else "Uploading")
        message = self._work.message(self._ml)
        uploads = self._work.uploads(document, self._ml, status)
        return Outcome(status, secondary, reason, message, tuple(uploads))

    def _failure(self, code: int, program: Program) -> Outcome:
        if code == KILLED:
            return self._ending("Failed", "Failed", OUT_OF_MEMORY)
        message = self._work.message(self._ml)
        if code != NO_PROGRAM:
            ending = f"exit code: {code}"
            lines = f"the program ended with {ending}{last_words(program.tail()[-TAIL:], 800)}"
            message = f"{message[: 1000 - len(ending)]}, {ending}" if message else lines
        return self._ending("Failed", "Failed", f"AlgorithmError: {message}")

    def _finish(self, outcome: Outcome) -> None:
        try:
            staged = [blob for upload in outcome.uploads for blob in stage(self._platform, upload)]
            with self._platform.database.transaction():
                for bucket, key, blob in staged:
                    self._platform.objects.put(bucket, key, blob)
                self._phase(outcome.secondary, **self._last_members(outcome))
        except (NoSuchBucket, OSError) as error:
            LOG.exception("%s %s", self._work.kind, self._name)
            whose = "ClientError" if isinstance(error, NoSuchBucket) else "InternalServerError"
            reason = f"{whose}: the outputs could not be stored: {error!r}"
            failed = Outcome("Failed", "Failed", reason, outcome.message)
            self._phase("Failed", **self._last_members(failed))

    def _last_members(self, outcome: Outcome) -> dict[str, Any]:
        """Return the members of the end; those that its kind does not have are never shown."""
        now, stem = time.time(), self._work.stem
        document = self._platform.resources.get(self._work.kind, self._name)
        seconds = max(1, round(now - document.get(f"{stem}StartTime", now)))
        members = {
            f"{self._work.member}Status": outcome.status,
            f"{stem}EndTime": now,
            "TrainingTimeInSeconds": seconds,
            "BillableTimeInSeconds": seconds,
            "FinalMetricDataList": self._metrics.final(),
        }
        said = {"FailureReason": outcome.reason[:REASON_LENGTH], "ExitMessage": outcome.message}
        return members | {member: text for member, text in said.items() if text}

    def _phase(self, secondary: str, **members: Any) -> Document:
        """Enter a phase; jobs that have a SecondaryStatus show it."""

        def enter(document: Document) -> None:
            now = time.time()
            document.update(members, LastModifiedTime=now)
            if "SecondaryStatus" in document and secondary:
                change_secondary(document, secondary, now)

        return self._platform.resources.change(self._work.kind, self._name, enter)


def change_secondary(document: Document, secondary: str, now: float) -> None:
    """Set `SecondaryStatus` and note the transition."""
    transitions = document.setdefault("SecondaryStatusTransitions", [])
    if transitions and transitions[-1]["Status"] == secondary:
        return
    if transitions:
        transitions[-1].setdefault("EndTime", now)
    message = document.get("FailureReason") or STATUS_MESSAGES.get(secondary, "")
    transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
    if secondary in ("Completed", "Failed", "Stopped", "MaxRuntimeExceeded"):
        transitions[-1]["EndTime"] = now
    document["SecondaryStatus"] = secondary
