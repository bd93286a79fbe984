"""One attempt at a job, from its folder to its published outputs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from boostline.contracts.uri import split_uri
from boostline.local.engine.metrics import Metrics
from boostline.local.engine.work import (
    INTERNAL,
    NO_PROGRAM,
    REASON_LENGTH,
    JobFailed,
    Staged,
    Work,
    stage,
    status_of,
)
from boostline.local.environment import given
from boostline.local.folders import remove
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
OUT_OF_MEMORY = (  # SageMaker's words
    "ClientError: Please use an instance type with more memory, or reduce the size of job data "
    "processed on an instance."
)
NOT_STORED = "the outputs could not be stored"
# A job's last SecondaryStatus → its status.
ENDS = {
    **{status: status for status in ("Completed", "Failed", "Stopped")},
    "MaxRuntimeExceeded": "Stopped",
}
# A job's SecondaryStatus → what its transition says, which SDKs print while they wait.
MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training in progress",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job ran longer than MaxRuntimeInSeconds",
}


@dataclass(frozen=True)
class Outcome:
    """How a job ends, what is said of it, and what it leaves."""

    secondary: str
    reason: str = ""
    message: str = ""
    staged: tuple[Staged, ...] = ()


class Attempt(threading.Thread):
    """Runs a job; when the thread ends, there is nothing more to come."""

    def __init__(self, platform: Platform, work: Work, name: str) -> None:
        super().__init__(name=f"{work.kind}/{name}", daemon=True)
        self._platform = platform
        self._work = work
        self._job = name
        self._folder = platform.folder / "jobs" / work.kind / name
        self._ml = self._folder / "ml"
        self._changed = threading.Event()
        self._abandoned = threading.Event()
        self._program: Program | None = None
        self._metrics = Metrics([])
        self._stream = f"{name}/algo-1-{int(time.time())}"

    def stop(self) -> None:
        """Ask for an end as Stopped."""
        self._changed.set()

    def abandon(self) -> None:
        """End the program and leave the job as it is, for a later platform to run again."""
        self._abandoned.set()
        self._changed.set()
        if self._program is not None:  # it may be in its 120 s
            self._program.stop(0)
        self.join()

    def run(self) -> None:
        """Work through the job, and publish its end."""
        try:
            outcome = self._outcome()
            if not self._abandoned.is_set():
                self._publish(outcome)
        except Missing:
            pass  # a job whose making was rolled back
        finally:
            remove(self._folder)

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
            LOG.exception("%s", self.name)
            reason = INTERNAL
        return Outcome("Failed", reason)

    def _work_through(self) -> Outcome:
        document = self._phase("Starting")
        if status_of(self._work, document) == "Stopping":
            return Outcome("Stopped")
        algorithm = document.get("AlgorithmSpecification", {})
        self._metrics = Metrics(algorithm.get("MetricDefinitions", []))
        if "FirstLine" in document:
            self._sink([document["FirstLine"]])
        self._require_buckets(document)
        remove(self._folder)
        self._phase("Downloading")
        self._work.lay_out(self._platform, document, self._ml)
        if self._changed.is_set():
            return Outcome("Stopped")
        document = self._phase(self._work.stem, **{f"{self._work.stem}StartTime": time.time()})
        program = self._program = self._start(document)
        program.when_done(self._changed.set)
        limit = document.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", MAX_RUNTIME)
        in_time = self._changed.wait(limit)
        if self._abandoned.is_set():
            program.stop(0)
            return Outcome("Stopped")
        code = program.wait(0)
        if code is not None:
            return self._failure(code, program) if code else self._ending("Completed")
        program.stop(GRACE)
        if in_time:
            return self._ending("Stopped")
        reason = f"ClientError: the job ran longer than MaxRuntimeInSeconds ({limit:.0f})"
        return self._ending("MaxRuntimeExceeded", reason)

    def _require_buckets(self, document: Document) -> None:
        """Fail a job that could not be published, before it has run for hours."""
        for upload in self._work.uploads(document, self._ml, "Completed"):
            try:
                self._platform.objects.require_bucket(split_uri(upload.uri)[0])
            except NoSuchBucket as error:
                what = f"{upload.uri}: the bucket {error} does not exist"
                raise JobFailed(f"ClientError: {what}") from None

    def _start(self, document: Document) -> Program:
        launch, home = self._work.launch(document), self._folder / "home"
        environment = given(self._platform, launch.environment)
        command = Command(self.name, launch.call, environment, self._ml, home, launch.read_only)
        return launch.start(self._platform, command, self._sink)

    def _sink(self, lines: Sequence[str]) -> None:
        self._platform.logs.append(self._work.log_group, self._stream, lines)
        self._metrics.read(lines)

    def _failure(self, code: int, program: Program) -> Outcome:
        if code == KILLED:
            return self._ending("Failed", OUT_OF_MEMORY)
        message = self._work.message(self._ml)
        if code != NO_PROGRAM:
            ending = f"exit code: {code}"
            lines = f"the program ended with {ending}{last_words(program.tail()[-TAIL:], 800)}"
            message = f"{message[: 1000 - len(ending)]}, {ending}" if message else lines
        return self._ending("Failed", f"AlgorithmError: {message}")

    def _ending(self, secondary: str, reason: str = "") -> Outcome:
        """Store what a job leaves: it is published with its end."""
        document = self._phase("" if secondary == "Failed" else "Uploading")
        message = self._work.message(self._ml)
        try:
            staged = [
                each
                for upload in self._work.uploads(document, self._ml, ENDS[secondary])
                for each in stage(self._platform, upload, self._ml)
            ]
        except OSError as error:
            LOG.exception("%s", self.name)
            raise JobFailed(f"InternalServerError: {NOT_STORED}: {error!r}") from None
        return Outcome(secondary, reason, message, tuple(staged))

    def _publish(self, outcome: Outcome) -> None:
        try:
            with self._platform.database.transaction():
                for bucket, key, blob in outcome.staged:
                    self._platform.objects.put(bucket, key, blob)
                self._end(outcome)
        except NoSuchBucket as error:
            self._end(Outcome("Failed", f"ClientError: {NOT_STORED}: {error!r}", outcome.message))

    def _end(self, outcome: Outcome) -> None:
        """Note the end; members that its kind does not have are never shown."""
        now, stem = time.time(), self._work.stem
        document = self._platform.resources.get(self._work.kind, self._job)
        seconds = max(1, round(now - document.get(f"{stem}StartTime", now)))
        said = {"FailureReason": outcome.reason[:REASON_LENGTH], "ExitMessage": outcome.message}
        members = {
            f"{self._work.member}Status": ENDS[outcome.secondary],
            f"{stem}EndTime": now,
            "TrainingTimeInSeconds": seconds,
            "BillableTimeInSeconds": seconds,
            "FinalMetricDataList": self._metrics.final(),
            **{member: text for member, text in said.items() if text},
        }
        self._phase(outcome.secondary, **members)

    def _phase(self, secondary: str, **members: Any) -> Document:
        """Enter a phase; jobs that have a SecondaryStatus show it."""

        def enter(document: Document) -> None:
            now = time.time()
            document.update(members, LastModifiedTime=now)
            if "SecondaryStatus" in document and secondary:
                change_secondary(document, secondary, now)

        return self._platform.resources.change(self._work.kind, self._job, enter)


def change_secondary(document: Document, secondary: str, now: float) -> None:
    """Set `SecondaryStatus` and note the transition."""
    transitions = document.setdefault("SecondaryStatusTransitions", [])
    if transitions and transitions[-1]["Status"] == secondary:
        return
    if transitions:
        transitions[-1].setdefault("EndTime", now)
    message = document.get("FailureReason") or MESSAGES.get(secondary, "")
    transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
    if secondary in ENDS:
        transitions[-1]["EndTime"] = now
    document["SecondaryStatus"] = secondary
