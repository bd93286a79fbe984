"""CloudFormation's operations."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable

from boostline.contracts.strict import message, problems
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
UPDATABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}
EMPTY = (
    "The submitted information didn't contain changes. Submit different information to create a "
    "change set."
)
NOT_HERE = (
    *("ResourcesToImport", "IncludeNestedStacks", "StackPolicyBody", "StackPolicyURL"),
    *("RollbackConfiguration", "ResourceTypes", "RetainExceptOnCreate", "UsePreviousTemplate"),
    *("DisableRollback", "OnFailure", "OnStackFailure", "RetainResources"),
    *("LogicalResourceId", "PhysicalResourceId", "EnableTerminationProtection"),
    *("TimeoutInMinutes", "NotificationARNs", "RoleARN"),
)


class CloudFormation(Service):
    """Stacks of the resource types that the project's templates have; others are refused.

    To create a stack or to update it is to do what a change set would say.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._resources = platform.resources
        self._stacks = Stacks(platform)
        self._engine = Engine(self._stacks)
        self._turn = threading.RLock()  # two requests at once make one stack of a name

    def start(self) -> None:
        """Go on with the stacks that an earlier platform left."""
        self._engine.resume()

    def stop(self) -> None:
        """Let go of all stacks; their work goes on with the next platform."""
        self._engine.close()

    def create_stack(self, request: Document) -> Document:
        """Make a stack, and begin to make its resources."""
        return self._at_once(request, "CREATE")

    def update_stack(self, request: Document) -> Document:
        """Begin to change a stack."""
        return self._at_once(request, "UPDATE")

    def _at_once(self, request: Document, kind: str) -> Document:
        """Do what a change set would say, without one."""
        _refuse_others(request)
        named = {"StackName": request["StackName"], "ChangeSetName": kind.lower()}
        if found := problems("cloudformation", "CreateChangeSet", named):
            raise refuse(message(found))  # CreateStack's own model does not say what a name is
        with self._turn:
            if kind == "CREATE" and self._stacks.find(request["StackName"]):
                raise refuse(
                    f"Stack [{request['StackName']}] already exists", "AlreadyExistsException"
                )
            stack = self._planned(named | {"ChangeSetType": kind})
            plan = self._plan(stack, request | named)
            if plan["Status"] == "FAILED":
                raise refuse("No updates are to be performed.")
            self._stacks.keep(stack)
        self._execute(stack["StackId"], lambda: plan["Source"])
        return {"StackId": stack["StackId"]}

    def cancel_update_stack(self, request: Document) -> None:
        """Bring a stack that is being updated back to what it was."""

        def change(stack: Document) -> None:
            done = stack.get("Now") == stack.get("Next")  # there is nothing to come back to
            _require(stack, set() if done else {"UPDATE_IN_PROGRESS"})

        self._engine.begin(self._stack(request), "UPDATE_ROLLBACK_IN_PROGRESS", change)

    def delete_stack(self, request: Document) -> None:
        """Begin to remove a stack; one that is not there is no error."""
        _refuse_others(request)
        stack = self._stacks.find(request["StackName"])

        def change(stack: Document) -> None:
            stack["DeletionTime"] = time.time()
            self._forget(stack)

        if stack and stack["StackStatus"] not in {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}:
            self._engine.begin(stack, "DELETE_IN_PROGRESS", change)

    def describe_stacks(self, request: Document) -> Document:
        """Return a stack, or all that are not deleted, newest first."""
        if "StackName" in request:
            found = [self._stack(request)]
        else:
            every = self._resources.list(STACK)[::-1]
            found = [stack for stack in every if stack["StackStatus"] != "DELETE_COMPLETE"]
        return {"Stacks": [_told(stack) for stack in found]}

    def describe_stack_events(self, request: Document) -> Document:
        """Return what happened to a stack, newest first."""
        events = self._resources.list(EVENT, self._stack(request)["StackId"])
        return {"StackEvents": events[::-1]}

    def describe_stack_resources(self, request: Document) -> Document:
        """Return a stack's resources."""
        _refuse_others(request)
        records = self._stacks.records(self._stack(request)["StackId"])
        return {"StackResources": [*records.values()]}

    def get_template_summary(self, request: Document) -> Document:
        """Return the parameters of a stack's template."""
        return sources.told(_source(self._stack(request)))

    def create_change_set(self, request: Document) -> Document:
        """Find out what a template would change of a stack, which need not be there yet."""
        _refuse_others(request)
        with self._turn:
            stack = self._planned(request)
            plan = self._plan(stack, request)
            taken = self._resources.list(CHANGE_SET, stack["StackId"])
            if plan["ChangeSetName"] in {each["ChangeSetName"] for each in taken}:
                said = f"ChangeSet {plan['ChangeSetName']} already exists"
                raise refuse(said, "AlreadyExistsException")
            self._stacks.keep(stack)
            self._resources.create(CHANGE_SET, plan["ChangeSetId"], plan, stack["StackId"])
        return {"Id": plan["ChangeSetId"], "StackId": stack["StackId"]}

    def describe_change_set(self, request: Document) -> Document:
        """Return what a change set would change."""
        return _told(self._change_set(request))

    def delete_change_set(self, request: Document) -> None:
        """Remove a change set."""
        self._resources.delete(CHANGE_SET, self._change_set(request)["ChangeSetId"])

    def execute_change_set(self, request: Document) -> None:
        """Begin to do what a change set says; the stack's others are void then."""
        _refuse_others(request)
        found = self._change_set(request)
        if found["Status"] == "FAILED":
            raise refuse(
                f"ChangeSet [{found['ChangeSetId']}] cannot be executed in its current status of "
                f"[{found['Status']}]",
                "InvalidChangeSetStatus",
            )
        # Another may have been quicker, and this one is void.
        self._execute(found["StackId"], lambda: self._change_set(request)["Source"])

    def _execute(self, stack_id: str, source: Callable[[], Document]) -> None:
        """Begin to make a stack what its source says."""
        stack = self._stacks.get(stack_id)
        verb = "CREATE" if stack["StackStatus"] == REVIEW else "UPDATE"

        def change(stack: Document) -> None:
            _require(stack, {REVIEW} if verb == "CREATE" else UPDATABLE)
            stack["Next"] = source()
            if verb == "UPDATE":
                stack["LastUpdatedTime"] = time.time()
            self._forget(stack)

        self._engine.begin(stack, f"{verb}_IN_PROGRESS", change)

    def _planned(self, request: Document) -> Document:
        """Return the stack of a change set, which may be new."""
        name, creates = request["StackName"], request.get("ChangeSetType") == "CREATE"
        stack = self._stacks.find(name)
        is_there = stack is not None and stack["StackStatus"] != REVIEW
        if is_there and creates:
            raise refuse(f"Stack [{name}] already exists and cannot be created again")
        if not is_there and not creates:
            raise _unknown(name)
        if stack is not None:
            _require(stack, {REVIEW, *UPDATABLE})
            return stack
        return {
            "StackName": name,
            "StackId": self.platform.arn("cloudformation", f"stack/{name}/{uuid.uuid4()}"),
            "CreationTime": time.time(),
            "StackStatus": REVIEW,
            "Outputs": [],
        }

    def _plan(self, stack: Document, request: Document) -> Document:
        """Return the change set that a request makes of a stack."""
        name, before = request["ChangeSetName"], stack.get("Now") or {}
        pseudo = self._stacks.pseudo(stack)
        try:
            source = sources.source(request, before, pseudo, self.platform.objects)
            found = self._changes(stack, source)
        except RecursionError:
            raise refuse("Template format error: it is nested too deeply") from None
        return {
            "ChangeSetName": name,
            "ChangeSetId": self.platform.arn("cloudformation", f"changeSet/{name}/{uuid.uuid4()}"),
            "StackId": stack["StackId"],
            "StackName": stack["StackName"],
            "CreationTime": time.time(),
            "Status": "FAILED" if found is None else "CREATE_COMPLETE",
            "StatusReason": EMPTY if found is None else None,
            "ExecutionStatus": "UNAVAILABLE" if found is None else "AVAILABLE",
            "Changes": found or [],
            "Source": source,
        }

    def _changes(self, stack: Document, source: Document) -> list[Document] | None:
        """Return the changes of a stack's resources; None if nothing at all would change."""
        deployment, now = self._stacks.deployment(stack, source), stack.get("Now")
        records = self._stacks.records(stack["StackId"])
        found = list(changes(records, deployment, self._stacks.calls))
        if found or now is None or now["Tags"] != source["Tags"]:
            return found
        outputs = deployment.outputs(self._stacks.attributes(stack["StackId"]))
        return found if outputs != stack["Outputs"] else None

    def _forget(self, stack: Document) -> None:
        """Remove the change sets of a stack, which is not what they were made for any more."""
        for each in self._resources.list(CHANGE_SET, stack["StackId"]):
            self._resources.delete(CHANGE_SET, each["ChangeSetId"])

    def _stack(self, request: Document) -> Document:
        if "StackName" not in request:
            raise refuse("the local platform finds what is a stack's by its StackName")
        found = self._stacks.find(request["StackName"])
        if found is None:
            raise _unknown(request["StackName"])
        return found

    def _change_set(self, request: Document) -> Document:
        name = request["ChangeSetName"]
        stack_id = self._stack(request)["StackId"] if "StackName" in request else None
        for each in self._resources.list(CHANGE_SET, stack_id):
            if name in {each["ChangeSetId"], each["ChangeSetName"]}:
                return each
        raise refuse(f"ChangeSet [{name}] does not exist", "ChangeSetNotFound")


def _source(of: Document) -> Document:
    """Return what a change set makes of a stack, or a stack was last, or is first to become."""
    found: Document = of.get("Source") or of.get("Now") or of.get("Next") or {}
    return found


def _told(of: Document) -> Document:
    """Return what is shown of a stack, or of a change set."""
    source = _source(of)
    return of | sources.told(source) | {"Capabilities": source.get("Capabilities", [])}


def _refuse_others(request: Document) -> None:
    if refused := [member for member in NOT_HERE if request.get(member)]:
        raise refuse(f"the local platform does not have {', '.join(refused)} here")


def _require(stack: Document, statuses: set[str]) -> None:
    if stack["StackStatus"] not in statuses:
        raise refuse(
            f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated."
        )


def _unknown(name: str) -> Exception:
    return refuse(f"Stack with id {name} does not exist")
