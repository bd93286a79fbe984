"""CloudFormation's operations."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid

from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.cloudformation import sources
from boostline.local.services.cloudformation.changes import changes
from boostline.local.services.cloudformation.engine import Engine
from boostline.local.services.cloudformation.records import EVENT, STACK, Stacks
from boostline.local.services.cloudformation.values import refuse
from boostline.local.store.resources import Document

CHANGE_SET = "cloudformation.change-set"
REVIEW = "REVIEW_IN_PROGRESS"
UPDATABLE = {
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
    *("CREATE_FAILED", "UPDATE_FAILED"),
}
NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a "
    "change set."
)


class CloudFormation(Service):
    """Stacks of the resource types that the project's templates have; others are refused.

    Answers have one page.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._resources = platform.resources
        self._stacks = Stacks(platform)
        self._engine = Engine(self._stacks)
        self._turn = threading.Lock()  # two requests at once make one stack of a name

    def start(self) -> None:
        """Go on with the stacks that an earlier platform left."""
        self._engine.resume()

    def stop(self) -> None:
        """Let go of all stacks; their work goes on with the next platform."""
        self._engine.close()

    def get_template_summary(self, request: Document) -> Document:
        """Return what a template, or a stack's, asks for."""
        if "StackName" in request:
            return sources.summary(self._source(self._stack(request))["Body"])
        return sources.summary(sources.body(request, self.platform.objects))

    def validate_template(self, request: Document) -> Document:
        """Return what a template asks for."""
        return self.get_template_summary(request)

    def get_template(self, request: Document) -> Document:
        """Return a stack's or a change set's template, as it was given or with its inclusions."""
        if "ChangeSetName" in request:
            found = self._change_set(request)["Source"]
        else:
            found = self._source(self._stack(request))
        stages = {"Original": found["Body"], "Processed": json.dumps(found["Template"])}
        body = stages[request.get("TemplateStage", "Original")]
        return {"TemplateBody": body, "StagesAvailable": [*stages]}

    def create_stack(self, request: Document) -> Document:
        """Make a stack, and begin to make its resources."""
        name = request["StackName"]
        with self._turn:
            if self._stacks.find(name) is not None:
                raise refuse(f"Stack [{name}] already exists", "AlreadyExistsException")
            stack = self._new(name)
            source = self._wanted(stack, request, direct=True)
            self._changes(stack, source)
            self._begin(stack, source, request)
        return {"StackId": stack["StackId"]}

    def update_stack(self, request: Document) -> Document:
        """Begin to change a stack."""
        stack = self._stack(request)
        _require(stack, UPDATABLE)
        source = self._wanted(stack, request, direct=True)
        if self._changes(stack, source) is None:
            raise refuse("No updates are to be performed.")
        self._begin(stack, source, request)
        return {"StackId": stack["StackId"]}

    def cancel_update_stack(self, request: Document) -> None:
        """Bring a stack that is being updated back to what it was."""
        stack = self._stack(request)
        self._engine.begin(
            stack,
            "UPDATE_ROLLBACK_IN_PROGRESS",
            lambda stack: _require(stack, {"UPDATE_IN_PROGRESS"}),
        )

    def delete_stack(self, request: Document) -> None:
        """Begin to remove a stack; one that is not there is no error."""
        stack = self._stacks.find(request["StackName"])
        if stack is None or stack["StackStatus"] in {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}:
            return

        def retain(stack: Document) -> None:
            if request.get("RetainResources"):
                _require(stack, {"DELETE_FAILED"})
            for name in request.get("RetainResources", []):
                stack["Resources"][name]["DeletionPolicy"] = "Retain"

        self._engine.begin(stack, "DELETE_IN_PROGRESS", retain)
        self._forget(stack)

    def describe_stacks(self, request: Document) -> Document:
        """Return a stack, or all that are not deleted, newest first."""
        if "StackName" in request:
            return {"Stacks": [self._described(self._stack(request))]}
        found = self._resources.list(STACK)[::-1]
        there = [stack for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"]
        return {"Stacks": [self._described(stack) for stack in there]}

    def list_stacks(self, request: Document) -> Document:
        """Return all stacks, also deleted ones, newest first."""
        stacks = [self._described(stack) for stack in self._resources.list(STACK)[::-1]]
        wanted = request.get("StackStatusFilter", [])
        found = [stack for stack in stacks if stack["StackStatus"] in wanted or not wanted]
        return {"StackSummaries": found}

    def describe_stack_events(self, request: Document) -> Document:
        """Return what happened to a stack, newest first."""
        events = self._resources.list(EVENT, self._stack(request)["StackId"])
        return {"StackEvents": events[::-1]}

    def describe_stack_resources(self, request: Document) -> Document:
        """Return a stack's resources, or one of them."""
        if "StackName" not in request:
            raise refuse("the local platform finds resources by StackName")
        stack, wanted = self._stack(request), request.get("LogicalResourceId")
        found = [
            _shown(stack, record)
            for name, record in stack["Resources"].items()
            if wanted in {None, name}
        ]
        if wanted is not None and not found:
            raise refuse(f"Resource {wanted} does not exist for stack {request['StackName']}")
        return {"StackResources": found}

    def describe_stack_resource(self, request: Document) -> Document:
        """Return one of a stack's resources."""
        (found,) = self.describe_stack_resources(request)["StackResources"]
        return {"StackResourceDetail": found}

    def list_stack_resources(self, request: Document) -> Document:
        """Return a stack's resources."""
        found = self.describe_stack_resources(request)["StackResources"]
        return {"StackResourceSummaries": found}

    def create_change_set(self, request: Document) -> Document:
        """Find out what a template would change of a stack, which need not be there yet."""
        with self._turn:
            return self._plan(request)

    def _plan(self, request: Document) -> Document:
        name, kind = request["StackName"], request.get("ChangeSetType", "UPDATE")
        stack = self._stacks.find(name)
        is_there = stack is not None and stack["StackStatus"] != REVIEW
        if kind not in {"CREATE", "UPDATE"}:
            raise refuse(f"ChangeSetType {kind}: the local platform has CREATE and UPDATE")
        if kind == "UPDATE" and not is_there:
            raise _unknown(name)
        if kind == "CREATE" and is_there:
            raise refuse(f"Stack [{name}] already exists and cannot be created again")
        made = stack or self._new(name)
        _require(made, {REVIEW, *UPDATABLE})
        source = self._wanted(made, request, direct=False)
        found = self._changes(made, source)
        arn = self.platform.arn(
            "cloudformation", f"changeSet/{request['ChangeSetName']}/{uuid.uuid4()}"
        )
        document = {
            "ChangeSetName": request["ChangeSetName"],
            "ChangeSetId": arn,
            "StackId": made["StackId"],
            "StackName": name,
            "CreationTime": time.time(),
            "Status": "FAILED" if found is None else "CREATE_COMPLETE",
            "StatusReason": NO_CHANGES if found is None else None,
            "ExecutionStatus": "UNAVAILABLE" if found is None else "AVAILABLE",
            "Changes": found or [],
            "OnStackFailure": request.get("OnStackFailure"),
            "Source": source,
        }
        with self.platform.database.transaction():
            self._stacks.keep(made)
            taken = self._resources.list(CHANGE_SET, made["StackId"])
            if any(each["ChangeSetName"] == request["ChangeSetName"] for each in taken):
                said = f"ChangeSet {request['ChangeSetName']} already exists"
                raise refuse(said, "AlreadyExistsException")
            self._resources.create(CHANGE_SET, arn, document, made["StackId"])
        return {"Id": arn, "StackId": made["StackId"]}

    def describe_change_set(self, request: Document) -> Document:
        """Return what a change set would change."""
        found = self._change_set(request)
        return {**found, **sources.told(found["Source"])}

    def delete_change_set(self, request: Document) -> None:
        """Remove a change set."""
        self._resources.delete(CHANGE_SET, self._change_set(request)["ChangeSetId"])

    def execute_change_set(self, request: Document) -> None:
        """Begin to do what a change set says; the stack's others are void then."""
        found = self._change_set(request)
        if found["ExecutionStatus"] != "AVAILABLE":
            raise refuse(
                f"ChangeSet [{found['ChangeSetId']}] cannot be executed in its current status of "
                f"[{found['Status']}]",
                "InvalidChangeSetStatus",
            )
        chosen = {"OnFailure": found["OnStackFailure"]} if found["OnStackFailure"] else {}
        self._begin(self._stacks.get(found["StackId"]), found["Source"], {**chosen, **request})

    def _begin(self, stack: Document, source: Document, request: Document) -> None:
        verb = "CREATE" if stack["StackStatus"] == REVIEW else "UPDATE"
        failing = "DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK"

        def change(stack: Document) -> None:
            _require(stack, {REVIEW} if verb == "CREATE" else UPDATABLE)
            stack |= {
                "Next": source,
                "OnFailure": request.get("OnFailure", failing),
                "ClientRequestToken": request.get("ClientRequestToken"),
            }
            if verb == "UPDATE":
                stack["LastUpdatedTime"] = time.time()

        self._engine.begin(stack, f"{verb}_IN_PROGRESS", change)
        self._forget(stack)

    def _forget(self, stack: Document) -> None:
        """Remove the change sets of a stack, which is not what they were made for any more."""
        for each in self._resources.list(CHANGE_SET, stack["StackId"]):
            self._resources.delete(CHANGE_SET, each["ChangeSetId"])

    def _wanted(self, stack: Document, request: Document, direct: bool) -> Document:
        before, pseudo = stack.get("Now") or {}, self._stacks.pseudo(stack)
        return sources.source(request, before, pseudo, self.platform.objects, direct)

    def _changes(self, stack: Document, source: Document) -> list[Document] | None:
        """Return the changes of a stack's resources; None if nothing at all would change."""
        deployment, now = self._stacks.deployment(stack, source), stack.get("Now")
        found = changes(stack, deployment, self._stacks.calls)
        if found or now is None or now["Tags"] != source["Tags"]:
            return found
        outputs = deployment.outputs(self._stacks.attributes(stack))
        return found if outputs != stack["Outputs"] else None

    def _new(self, name: str) -> Document:
        if not re.fullmatch("[a-zA-Z][-a-zA-Z0-9]{0,127}", name):
            raise refuse(
                f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
                "constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
            )
        return {
            "StackName": name,
            "StackId": self.platform.arn("cloudformation", f"stack/{name}/{uuid.uuid4()}"),
            "CreationTime": time.time(),
            "StackStatus": REVIEW,
            "Resources": {},
            "Retired": [],
            "Outputs": [],
        }

    def _stack(self, request: Document) -> Document:
        found = self._stacks.find(request["StackName"])
        if found is None:
            raise _unknown(request["StackName"])
        return found

    def _source(self, stack: Document) -> Document:
        """Return what a stack was last brought to, or is first to become."""
        if found := stack.get("Now") or stack.get("Next"):
            return dict(found)
        raise refuse(f"Stack [{stack['StackName']}] has no template: execute a change set first")

    def _change_set(self, request: Document) -> Document:
        name = request["ChangeSetName"]
        found = self._resources.find(CHANGE_SET, name)
        if found is None and "StackName" in request:
            every = self._resources.list(CHANGE_SET, self._stack(request)["StackId"])
            found = next((each for each in every if each["ChangeSetName"] == name), None)
        if found is None:
            raise refuse(f"ChangeSet [{name}] does not exist", "ChangeSetNotFound")
        return found

    def _described(self, stack: Document) -> Document:
        return {
            **stack,
            **sources.told(stack.get("Now") or stack.get("Next") or {}),
            "StackStatusReason": stack.get("StackStatusReason") or None,
            "DisableRollback": stack.get("OnFailure") == "DO_NOTHING",
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }


def _shown(stack: Document, record: Document) -> Document:
    return {
        **record,
        "StackName": stack["StackName"],
        "StackId": stack["StackId"],
        "LastUpdatedTimestamp": record["Timestamp"],
        "ResourceStatusReason": record["ResourceStatusReason"] or None,
    }


def _require(stack: Document, statuses: set[str]) -> None:
    if stack["StackStatus"] not in statuses:
        raise refuse(
            f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated."
        )


def _unknown(name: str) -> Exception:
    return refuse(f"Stack with id {name} does not exist")
