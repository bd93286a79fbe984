"""One execution as it is stored."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from boostline.contracts.definition import decode
from boostline.contracts.pipeline import Condition, Lambda, StepUnion, dependencies
from boostline.local.engine.kinds import KINDS
from boostline.local.engine.values import Resolver, parse
from boostline.local.platform import Platform
from boostline.local.store.events import iso
from boostline.local.store.resources import Document

EXECUTION, STEP = "pipeline-execution", "pipeline-step"
DONE = ("Succeeded", "Failed", "Stopped")
REASON_LENGTH = 1300  # characters of PipelineExecutionFailureReason
# What events of an execution, and of a step, say of its document.
EXECUTION_EVENT = {
    "pipelineExecutionDisplayName": "PipelineExecutionDisplayName",
    "pipelineExecutionDescription": "PipelineExecutionDescription",
    "executionStartTime": "CreationTime",
    "executionEndTime": "EndTime",
}
STEP_EVENT = {
    "stepName": "StepName",
    "stepStartTime": "StartTime",
    "stepEndTime": "EndTime",
    "failureReason": "FailureReason",
    "metadata": "Metadata",
    "cacheHitResult": "CacheHitResult",
}


class Record:
    """All that is known of an execution, in the platform's resources: another platform can go on.

    Beside AWS's members, an execution's document has its `PipelineDefinition`, its `Parameters`
    and, in a selective execution, what of it is `Selected`; a step's has the `Parts` of its
    cache's key.
    """

    def __init__(self, platform: Platform, document: Document) -> None:
        self.platform = platform
        self.document = document
        self.arn: str = document["PipelineExecutionArn"]
        self.number = number_of(self.arn)
        self.pipeline: str = document["PipelineArn"].rpartition("/")[2]
        walked = list(decode(document["PipelineDefinition"]).walk())
        self.steps = {step.name: step for step, _ in walked}
        self.branches = {step.name: branch for step, branch in walked}
        self.needs = {
            step.name: dependencies(step) | ({branch} if branch else set())
            for step, branch in walked
        }

    def create(self) -> None:
        """Store a new execution."""
        with self.platform.database.transaction():
            self.platform.resources.create(EXECUTION, self.number, self.document, self.pipeline)
            self._tell(self.document, "")

    def documents(self) -> dict[str, Document]:
        """Return what is known of each step that was reached."""
        found = self.platform.resources.list(STEP, self.number)
        return {document["StepName"]: document for document in found}

    def running(self) -> dict[str, Document]:
        """Return what is known of each step that has not come to its end."""
        known = self.documents().items()
        return {name: document for name, document in known if document["StepStatus"] not in DONE}

    def new(self, step: StepUnion, **members: Any) -> Document:
        """Store a step that is reached."""
        said = {"StepDisplayName": step.display_name, "StepDescription": step.description}
        document = {
            **{member: text for member, text in said.items() if isinstance(text, str)},
            "StepName": step.name,
            "StepStatus": "Starting",
            "StartTime": time.time(),
            "AttemptCount": 1,
            **members,
        }
        with self.platform.database.transaction():
            name = f"{self.number}/{step.name}"
            self.platform.resources.create(STEP, name, document, self.number)
            self._tell(document, "")
        return document

    def note(self, step: str = "", **members: Any) -> None:
        """Keep members of a step, or of the execution itself."""
        kind, name = (STEP, f"{self.number}/{step}") if step else (EXECUTION, self.number)
        status = "StepStatus" if step else "PipelineExecutionStatus"
        if status in members:
            members["EndTime"] = time.time() if members[status] in DONE else None
        with self.platform.database.transaction():
            before = self.platform.resources.get(kind, name)[status]
            document = self.platform.resources.update(kind, name, **members)
            if document[status] != before:
                self._tell(document, before)

    def become(self, status: str, reason: str = "") -> None:
        """Note what the execution has come to."""
        said = ("FailureReason", "PipelineExecutionFailureReason")  # described, and listed
        why = dict.fromkeys(said, reason[:REASON_LENGTH] or None)
        self.note(PipelineExecutionStatus=status, **why)

    def drop(self, *statuses: str) -> None:
        """Forget the steps of these statuses."""
        for name, document in self.documents().items():
            if document["StepStatus"] in statuses:
                self.platform.resources.delete(STEP, f"{self.number}/{name}")

    def stopping(self) -> bool:
        """Return whether the execution has been asked to stop."""
        found = self.platform.resources.get(EXECUTION, self.number)
        return bool(found["PipelineExecutionStatus"] == "Stopping")

    def _tell(self, document: Document, before: str) -> None:
        """Send the event of the new status of the execution, or of a step of it."""
        of_step = "StepName" in document
        table, stem = (STEP_EVENT, "Step") if of_step else (EXECUTION_EVENT, "PipelineExecution")
        about = {"pipelineArn": self.document["PipelineArn"], "pipelineExecutionArn": self.arn}
        detail = about | {f"current{stem}Status": document[f"{stem}Status"]}
        detail |= {name: _shown(document[key]) for name, key in table.items() if document.get(key)}
        if before:
            detail[f"previous{stem}Status"] = before
        if of_step:
            detail["stepType"] = type(self.steps[document["StepName"]]).__name__
        kind = f"SageMaker Model Building Pipeline Execution {'Step ' * of_step}Status Change"
        self.platform.events.put(kind, detail, [*about.values()])

    def resolver(self, **more: str) -> Resolver:
        """Return what computes the values of steps as they are now; `more` is of `Execution.X`."""
        return Resolver(
            self.document["Parameters"],
            {
                "PipelineExecutionId": self.number,
                "PipelineExecutionArn": self.arn,
                "PipelineName": self.pipeline,
                "PipelineArn": self.document["PipelineArn"],
                "StartDateTime": _iso(self.document["CreationTime"]),
                "CurrentDateTime": _iso(time.time()),
                **more,
            },
            self._properties,
            self.steps,
            self.platform.objects.read,
        )

    def _properties(self, name: str) -> Document:
        """Return what a step describes; nothing for one that is not done."""
        metadata = self.documents().get(name, {}).get("Metadata", {})
        step = self.steps[name]
        if isinstance(step, Lambda):
            types = {output.output_name: output.output_type for output in step.output_parameters}
            given = metadata.get("Lambda", {}).get("OutputParameters", [])
            values = {pair["Name"]: parse(types[pair["Name"]], pair["Value"]) for pair in given}
            return {"OutputParameters": values}
        if isinstance(step, Condition):
            return dict(metadata.get("Condition", {}))
        kind = KINDS[type(step)]
        arn = metadata.get(kind.member, {}).get("Arn", "")
        found = self.platform.resources.find(kind.resource, resource_name(arn))
        return found or {}


def number_of(arn: str) -> str:
    """Return the number of an execution."""
    return arn.rpartition("/")[2]


def resource_name(arn: str) -> str:
    """Return the name of a resource of SageMaker's: what follows its kind in its ARN."""
    return arn.partition("/")[2]


def _shown(value: Any) -> Any:
    """Return a value as events have it: times as texts, members in camel case."""
    if isinstance(value, float):
        return iso(value)
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _shown(inner) for name, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


def _iso(stamp: float) -> str:
    return datetime.fromtimestamp(stamp, UTC).isoformat()
