"""One execution as it is stored."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from boostline.contracts.pipeline import Condition, Lambda, StepUnion, decode
from boostline.local.engine.kinds import KINDS
from boostline.local.engine.values import Resolver, parse
from boostline.local.platform import Platform
from boostline.local.store.events import iso
from boostline.local.store.resources import Document

EXECUTION, STEP = "pipeline-execution", "pipeline-step"
DONE = ("Succeeded", "Failed", "Stopped")
REASON_LENGTH = 1300  # characters of PipelineExecutionFailureReason
INTERNAL = "InternalServerError: see the platform's own log"


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
            self._tell_step(document, "")
        return document

    def note(self, name: str, **members: Any) -> None:
        """Keep members of a step."""
        if members.get("StepStatus") in DONE:
            members["EndTime"] = time.time()
        with self.platform.database.transaction():
            before = self.platform.resources.get(STEP, f"{self.number}/{name}")["StepStatus"]
            document = self.platform.resources.update(STEP, f"{self.number}/{name}", **members)
            if document["StepStatus"] != before:
                self._tell_step(document, before)

    def drop(self, *statuses: str) -> None:
        """Forget the steps of these statuses."""
        for name, document in self.documents().items():
            if document["StepStatus"] in statuses:
                self.platform.resources.delete(STEP, f"{self.number}/{name}")

    def stopping(self) -> bool:
        """Return whether the execution has been asked to stop."""
        found = self.platform.resources.get(EXECUTION, self.number)
        return bool(found["PipelineExecutionStatus"] == "Stopping")

    def become(self, status: str, reason: str = "") -> None:
        """Note what the execution has come to."""

        def change(document: Document) -> None:
            document |= {"PipelineExecutionStatus": status, "LastModifiedTime": time.time()}
            document.pop("FailureReason", None)
            document.pop("PipelineExecutionFailureReason", None)
            if reason:
                said = ("FailureReason", "PipelineExecutionFailureReason")  # as it is listed
                document |= dict.fromkeys(said, reason[:REASON_LENGTH])

        with self.platform.database.transaction():
            before = self.platform.resources.get(EXECUTION, self.number)["PipelineExecutionStatus"]
            now = self.platform.resources.change(EXECUTION, self.number, change)
            if status != before:
                self._tell(now, before)

    def _tell(self, execution: Document, before: str) -> None:
        """Send the event of the execution's new status."""
        status = execution["PipelineExecutionStatus"]
        detail = {
            "pipelineExecutionDisplayName": execution["PipelineExecutionDisplayName"],
            "pipelineExecutionDescription": execution.get("PipelineExecutionDescription", ""),
            "previousPipelineExecutionStatus": before or None,
            "currentPipelineExecutionStatus": status,
            "executionStartTime": iso(execution["CreationTime"]),
            "executionEndTime": iso(execution["LastModifiedTime"]) if status in DONE else None,
        }
        self._put("Status Change", detail)

    def _tell_step(self, step: Document, before: str) -> None:
        ended = step.get("EndTime")
        detail = {
            "stepName": step["StepName"],
            "stepType": type(self.steps[step["StepName"]]).__name__,
            "previousStepStatus": before or None,
            "currentStepStatus": step["StepStatus"],
            "stepStartTime": iso(step["StartTime"]),
            "stepEndTime": iso(ended) if ended else None,
            "failureReason": step.get("FailureReason"),
            "metadata": _camel(step.get("Metadata", {})),
            "cacheHitResult": _camel(step.get("CacheHitResult")),
        }
        self._put("Step Status Change", detail)

    def _put(self, change: str, detail: Document) -> None:
        about = {"pipelineArn": self.document["PipelineArn"], "pipelineExecutionArn": self.arn}
        kind = f"SageMaker Model Building Pipeline Execution {change}"
        known = {member: value for member, value in detail.items() if value is not None}
        self.platform.events.put(kind, about | known, [*about.values()])

    def resolver(self) -> Resolver:
        """Return what computes the values of the execution's steps as they are now."""
        return Resolver(
            self.document["Parameters"],
            {
                "PipelineExecutionId": self.number,
                "PipelineExecutionArn": self.arn,
                "PipelineName": self.pipeline,
                "PipelineArn": self.document["PipelineArn"],
                "StartDateTime": _iso(self.document["CreationTime"]),
                "CurrentDateTime": _iso(time.time()),
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


def _camel(value: Any) -> Any:
    """Return a document with its members' names as events have them."""
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _camel(inner) for name, inner in value.items()}
    return [_camel(inner) for inner in value] if isinstance(value, list) else value


def _iso(stamp: float) -> str:
    return datetime.fromtimestamp(stamp, UTC).isoformat()
