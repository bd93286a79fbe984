"""CloudFormation's operations."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any
from urllib.parse import unquote, urlsplit

from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.cloudformation import template as templates
from boostline.local.services.cloudformation.changes import changes, outputs
from boostline.local.services.cloudformation.deployment import Deployment
from boostline.local.services.cloudformation.engine import Engine
from boostline.local.services.cloudformation.records import EVENT, STACK, Stacks
from boostline.local.services.cloudformation.values import Scope, refuse, text
from boostline.local.store.objects import NoSuchBucket, NoSuchKey
from boostline.local.store.resources import Document

CHANGE_SET = "cloudformation.change-set"
REVIEW = "REVIEW_IN_PROGRESS"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
LONGEST, LONGEST_IN_S3 = 51_200, 1_048_576
NAMED = {"AWS::IAM::Role": "RoleName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName"}
NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a "
    "change set."
)
NOT_HERE = (
    *("ResourcesToImport", "ImportExistingResources", "IncludeNestedStacks", "StackPolicyBody"),
    *("StackPolicyURL", "RollbackConfiguration", "ResourceTypes"),
)
UPDATABLE = {
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
    *("CREATE_FAILED", "UPDATE_FAILED"),
}


class CloudFormation(Service):
    """Stacks of the resource types that the project's templates have; others are refused."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._stacks = Stacks(platform)
        self._engine = Engine(self._stacks)

    def start(self) -> None:
        """Go on with the stacks that an earlier platform left."""
        self._engine.resume()

    def stop(self) -> None:
        """Let go of all stacks; their work goes on with the next platform."""
        self._engine.close()

    def validate_template(self, request: Document) -> Document:
        """Return what a template asks for."""
        return self.get_template_summary(request)

    def get_template_summary(self, request: Document) -> Document:
        """Return what a template, or a stack's, asks for."""
        if "StackName" in request:
            found = templates.read(self._source(self._stack(request))["Body"])
        else:
            found = templates.read(self._body(request))
        templates.check(found)
        types = sorted({str(each.get("Type")) for each in found["Resources"].values()})
        needed = _capabilities(found)
        return {
            "Parameters": [_declared(*each) for each in found.get("Parameters", {}).items()],
            "Description": found.get("Description"),
            "Capabilities": needed,
            "CapabilitiesReason": f"The following resource(s) require capabilities: {types}"
            if needed
            else None,
            "ResourceTypes": types,
            "Version": found.get("AWSTemplateFormatVersion"),
            "Metadata": json.dumps(found["Metadata"]) if "Metadata" in found else None,
            "DeclaredTransforms": ["AWS::Include"]
            if '"Fn::Transform"' in json.dumps(found)
            else [],
        }

    def get_template(self, request: Document) -> Document:
        """Return a stack's or a change set's template, as it was given or with its inclusions."""
        if "ChangeSetName" in request:
            source = self._change_set(request)["Source"]
        else:
            source = self._source(self._stack(request))
        stages = {"Original": source["Body"], "Processed": json.dumps(source["Template"])}
        body = stages[request.get("TemplateStage", "Original")]
        return {"TemplateBody": body, "StagesAvailable": [*stages]}

    def create_stack(self, request: Document) -> Document:
        """Make a stack, and begin to make its resources."""
        found = self._stacks.find(request["StackName"])
        if found is not None:
            name = request["StackName"]
            raise refuse(f"Stack [{name}] already exists", "AlreadyExistsException")
        stack, source = self._new(request["StackName"]), {}
        source = self._wanted(stack, request, direct=True)
        self._store(stack)
        self._begin(stack, "CREATE_IN_PROGRESS", source, request)
        return {"StackId": stack["StackId"]}

    def update_stack(self, request: Document) -> Document:
        """Begin to change a stack."""
        stack = self._stack(request)
        self._require(stack, UPDATABLE)
        source = self._wanted(stack, request, direct=True)
        if not self._changes(stack, self._stacks.deployment(stack, source))[1]:
            raise refuse("No updates are to be performed.")
        self._begin(stack, "UPDATE_IN_PROGRESS", source, request)
        return {"StackId": stack["StackId"]}

    def cancel_update_stack(self, request: Document) -> None:
        """Bring a stack that is being updated back to what it was."""
        stack = self._stack(request)
        if stack["StackStatus"] != "UPDATE_IN_PROGRESS":
            raise refuse("CancelUpdateStack cannot be called from current stack status")
        self._engine.begin(stack["StackId"], "UPDATE_ROLLBACK_IN_PROGRESS")

    def continue_update_rollback(self, request: Document) -> Document:
        """Try once more to bring a stack back to what it was."""
        stack = self._stack(request)
        self._require(stack, {"UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"})
        self._engine.begin(stack["StackId"], "UPDATE_ROLLBACK_IN_PROGRESS")
        return {}

    def delete_stack(self, request: Document) -> None:
        """Begin to remove a stack; one that is not there is no error."""
        stack = self._stacks.find(request["StackName"])
        if stack is None or stack["StackStatus"] in {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}:
            return
        if request.get("RetainResources"):
            self._require(stack, {"DELETE_FAILED"})

        def retain(stack: Document) -> None:
            for name in request.get("RetainResources", []):
                stack["Resources"][name]["DeletionPolicy"] = "Retain"

        self._stacks.change(stack["StackId"], retain)
        for each in self.platform.resources.list(CHANGE_SET, stack["StackId"]):
            self.platform.resources.delete(CHANGE_SET, each["ChangeSetId"])
        self._engine.begin(stack["StackId"], "DELETE_IN_PROGRESS")

    def describe_stacks(self, request: Document) -> Document:
        """Return a stack, or all that are not deleted, newest first."""
        if "StackName" in request:
            return {"Stacks": [self._described(self._stack(request))]}
        return {"Stacks": [self._described(stack) for stack in self._all() if _is_there(stack)]}

    def list_stacks(self, request: Document) -> Document:
        """Return all stacks, also deleted ones, newest first."""
        wanted = request.get("StackStatusFilter")
        stacks = [self._described(stack) for stack in self._all()]
        if wanted is not None:
            stacks = [stack for stack in stacks if stack["StackStatus"] in wanted]
        return {"StackSummaries": stacks}

    def describe_stack_events(self, request: Document) -> Document:
        """Return what happened to a stack, newest first."""
        stack = self._stack(request)
        events = self.platform.resources.list(EVENT, stack["StackId"])
        return {"StackEvents": events[::-1]}

    def describe_stack_resources(self, request: Document) -> Document:
        """Return a stack's resources, or one of them; also by a physical id."""
        if "StackName" in request:
            stack = self._stack(request)
        else:
            stack = self._owner(request.get("PhysicalResourceId", ""))
        wanted = request.get("LogicalResourceId")
        return {
            "StackResources": [
                {**_shown(record), "StackName": stack["StackName"], "StackId": stack["StackId"]}
                for name, record in stack["Resources"].items()
                if wanted in {None, name}
            ]
        }

    def describe_stack_resource(self, request: Document) -> Document:
        """Return one of a stack's resources."""
        found = self.describe_stack_resources(request)["StackResources"]
        if not found:
            name, stack = request["LogicalResourceId"], request["StackName"]
            raise refuse(f"Resource {name} does not exist for stack {stack}")
        return {"StackResourceDetail": found[0]}

    def list_stack_resources(self, request: Document) -> Document:
        """Return a stack's resources."""
        records = self._stack(request)["Resources"].values()
        return {"StackResourceSummaries": [_shown(record) for record in records]}

    def create_change_set(self, request: Document) -> Document:
        """Find out what a template would change of a stack, which need not be there yet."""
        stack, kind = (
            self._stacks.find(request["StackName"]),
            request.get("ChangeSetType", "UPDATE"),
        )
        if kind not in {"CREATE", "UPDATE"}:
            raise refuse(f"ChangeSetType {kind}: the local platform has CREATE and UPDATE")
        if kind == "UPDATE" and (stack is None or stack["StackStatus"] == REVIEW):
            raise _unknown(request["StackName"])
        if kind == "CREATE" and stack is not None and stack["StackStatus"] != REVIEW:
            raise refuse(
                f"Stack [{request['StackName']}] already exists and cannot be created again with "
                f"the changeSet [{request['ChangeSetName']}]."
            )
        stack = stack or self._new(request["StackName"])
        self._require(stack, {REVIEW, *UPDATABLE})
        source = self._wanted(stack, request, direct=False)
        found, changed = self._changes(stack, self._stacks.deployment(stack, source))
        arn = self.platform.arn(
            "cloudformation", f"changeSet/{request['ChangeSetName']}/{uuid.uuid4()}"
        )
        document = {
            "ChangeSetName": request["ChangeSetName"],
            "ChangeSetId": arn,
            "StackId": stack["StackId"],
            "StackName": stack["StackName"],
            "Description": request.get("Description"),
            "CreationTime": time.time(),
            "Status": "CREATE_COMPLETE" if changed else "FAILED",
            "StatusReason": None if changed else NO_CHANGES,
            "ExecutionStatus": "AVAILABLE" if changed else "UNAVAILABLE",
            "Changes": found,
            "OnStackFailure": request.get("OnStackFailure"),
            "Source": source,
        }
        with self.platform.database.transaction():
            if self._stacks.find(stack["StackId"]) is None:
                self._store(stack, REVIEW)
            taken = self.platform.resources.list(CHANGE_SET, stack["StackId"])
            if any(each["ChangeSetName"] == request["ChangeSetName"] for each in taken):
                said = f"ChangeSet {request['ChangeSetName']} already exists"
                raise refuse(said, "AlreadyExistsException")
            self.platform.resources.create(CHANGE_SET, arn, document, stack["StackId"])
        return {"Id": arn, "StackId": stack["StackId"]}

    def describe_change_set(self, request: Document) -> Document:
        """Return what a change set would change."""
        found = self._change_set(request)
        return {**found, **_told(found["Source"])}

    def list_change_sets(self, request: Document) -> Document:
        """Return a stack's change sets."""
        return {
            "Summaries": self.platform.resources.list(CHANGE_SET, self._stack(request)["StackId"])
        }

    def delete_change_set(self, request: Document) -> None:
        """Remove a change set."""
        self.platform.resources.delete(CHANGE_SET, self._change_set(request)["ChangeSetId"])

    def execute_change_set(self, request: Document) -> None:
        """Begin to do what a change set says; the stack's others are void then."""
        found = self._change_set(request)
        stack = self._stacks.get(found["StackId"])
        self._require(stack, {REVIEW, *UPDATABLE})
        if found["ExecutionStatus"] != "AVAILABLE":
            raise refuse(
                f"ChangeSet [{found['ChangeSetId']}] cannot be executed in its current status of "
                f"[{found['Status']}]",
                "InvalidChangeSetStatus",
            )
        for each in self.platform.resources.list(CHANGE_SET, stack["StackId"]):
            self.platform.resources.delete(CHANGE_SET, each["ChangeSetId"])
        chosen = {"OnFailure": found["OnStackFailure"]} if found["OnStackFailure"] else {}
        verb = "CREATE" if stack["StackStatus"] == REVIEW else "UPDATE"
        self._begin(stack, f"{verb}_IN_PROGRESS", found["Source"], {**chosen, **request})

    def _begin(self, stack: Document, status: str, source: Document, request: Document) -> None:
        failing = "DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK"
        members = {
            "Next": source,
            "OnFailure": request.get("OnFailure", failing),
            "ClientRequestToken": request.get("ClientRequestToken"),
        }
        if status.startswith("UPDATE"):
            members["LastUpdatedTime"] = time.time()
        self._engine.begin(stack["StackId"], status, **members)

    def _changes(self, stack: Document, deployment: Deployment) -> tuple[list[Document], bool]:
        """Return the changes of a stack's resources, and whether anything changes at all."""
        calls, now = self._stacks.calls, stack.get("Now")
        found = changes(stack, deployment, calls)
        same = now is not None and now["Tags"] == deployment.source["Tags"]
        if found or not same:
            return found, True
        return found, outputs(stack, deployment, calls) != stack["Outputs"]

    def _wanted(self, stack: Document, request: Document, direct: bool) -> Document:
        """Return what a request asks for, as far as it can be said before the work on it."""
        if refused := [member for member in NOT_HERE if request.get(member)]:
            raise refuse(f"the local platform does not have {', '.join(refused)} here")
        now = self._source(stack) if stack.get("Now") or stack.get("Next") else {}
        body = now["Body"] if request.get("UsePreviousTemplate") and now else self._body(request)
        found = templates.read(body)
        templates.check(found)
        given = {
            each["ParameterKey"]: None
            if each.get("UsePreviousValue")
            else each.get("ParameterValue", "")
            for each in request.get("Parameters", [])
        }
        values = templates.parameters(found, given, now.get("Parameters", {}))
        known = templates.typed(found, values) | self._stacks.pseudo(stack)
        scope = Scope(found, known, _no_resource)
        whole = {
            name: templates.included(section, scope, self._fetch) for name, section in found.items()
        }
        templates.check(whole)
        needed = _capabilities(whole)
        if direct and whole != found:
            needed.append("CAPABILITY_AUTO_EXPAND")
        held = {*request.get("Capabilities", [])}
        if "CAPABILITY_NAMED_IAM" in held:
            held.add("CAPABILITY_IAM")
        if missing := [each for each in needed if each not in held]:
            said = f"Requires capabilities : [{', '.join(missing)}]"
            raise refuse(said, "InsufficientCapabilitiesException")
        source = {
            "Body": body,
            "Template": whole,
            "Parameters": values,
            "Tags": request.get("Tags", now.get("Tags", [])),
            "Capabilities": sorted({*request.get("Capabilities", [])}),
        }
        self._stacks.deployment(stack, source)
        return source

    def _body(self, request: Document) -> str:
        if ("TemplateBody" in request) == ("TemplateURL" in request):
            raise refuse("Either Template URL or Template Body must be specified.")
        if "TemplateBody" in request:
            body, longest = str(request["TemplateBody"]), LONGEST
        else:
            path = unquote(urlsplit(request["TemplateURL"]).path)
            body, longest = self._fetch(f"s3:/{path}"), LONGEST_IN_S3
        if len(body.encode()) > longest:
            raise refuse(
                "1 validation error detected: the template failed to satisfy constraint: Member "
                f"must have length less than or equal to {longest}"
            )
        return body

    def _fetch(self, uri: str) -> str:
        try:
            return self.platform.objects.read(uri).decode()
        except (NoSuchBucket, NoSuchKey, ValueError) as error:
            said = f"S3 error: cannot read {uri}: {type(error).__name__} {error}"
            raise refuse(said) from None

    def _new(self, name: str) -> Document:
        return {
            "StackName": name,
            "StackId": self.platform.arn("cloudformation", f"stack/{name}/{uuid.uuid4()}"),
            "CreationTime": time.time(),
            "StackStatus": REVIEW,
            "Resources": {},
            "Retired": [],
            "Outputs": [],
        }

    def _store(self, stack: Document, status: str = "") -> None:
        self.platform.resources.create(STACK, stack["StackId"], stack, stack["StackName"])
        if status:
            told = lambda stack: self._stacks.tell(stack, status, "User Initiated")  # noqa: E731
            self._stacks.change(stack["StackId"], told)

    def _all(self) -> list[Document]:
        return self.platform.resources.list(STACK)[::-1]

    def _stack(self, request: Document) -> Document:
        found = self._stacks.find(request["StackName"])
        if found is None:
            raise _unknown(request["StackName"])
        return found

    def _owner(self, physical: str) -> Document:
        for stack in self._all():
            if physical in {each.get("PhysicalResourceId") for each in stack["Resources"].values()}:
                return stack
        raise refuse(f"Stack for {physical} does not exist")

    def _source(self, stack: Document) -> Document:
        """Return what a stack was last brought to, or is first to become."""
        if found := stack.get("Now") or stack.get("Next"):
            return dict(found)
        raise refuse(f"Stack [{stack['StackName']}] has no template: execute a change set first")

    def _change_set(self, request: Document) -> Document:
        name = request["ChangeSetName"]
        found = self.platform.resources.find(CHANGE_SET, name)
        if found is None and "StackName" in request:
            parent = self._stack(request)["StackId"]
            all_ = self.platform.resources.list(CHANGE_SET, parent)
            found = next((each for each in all_ if each["ChangeSetName"] == name), None)
        if found is None:
            raise refuse(f"ChangeSet [{name}] does not exist", "ChangeSetNotFound")
        return found

    def _require(self, stack: Document, statuses: set[str]) -> None:
        if stack["StackStatus"] not in statuses:
            raise refuse(
                f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be "
                "updated."
            )

    def _described(self, stack: Document) -> Document:
        told = _told(stack.get("Now") or stack.get("Next") or {})
        return {
            **stack,
            **told,
            "StackStatusReason": stack.get("StackStatusReason") or None,
            "DisableRollback": stack.get("OnFailure") == "DO_NOTHING",
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
            "RollbackConfiguration": {},
            "NotificationARNs": [],
            "EnableTerminationProtection": False,
        }


def _told(source: Document) -> Document:
    """Return what is shown of a stack's source; parameters that are not to be seen are stars."""
    template = source.get("Template", {})
    declared = template.get("Parameters", {})
    return {
        "Description": template.get("Description"),
        "Parameters": [
            {
                "ParameterKey": name,
                "ParameterValue": "****"
                if text(declared[name].get("NoEcho", "")) == "true"
                else value,
            }
            for name, value in source.get("Parameters", {}).items()
        ],
        "TemplateDescription": template.get("Description"),
        "Tags": source.get("Tags", []),
        "Capabilities": source.get("Capabilities", []),
    }


def _declared(name: str, parameter: Document) -> Document:
    """Return a parameter as GetTemplateSummary and ValidateTemplate show it."""
    default = parameter.get("Default")
    allowed = [text(each) for each in parameter.get("AllowedValues", [])]
    return {
        "ParameterKey": name,
        "DefaultValue": None if default is None else text(default),
        "ParameterType": parameter["Type"],
        "NoEcho": text(parameter.get("NoEcho", "false")) == "true",
        "Description": parameter.get("Description"),
        "ParameterConstraints": {"AllowedValues": allowed} if allowed else {},
    }


def _capabilities(template: Document) -> list[str]:
    found = [
        NAMED[each["Type"]] in each.get("Properties", {})
        for each in template["Resources"].values()
        if each.get("Type") in NAMED
    ]
    if not found:
        return []
    return ["CAPABILITY_NAMED_IAM" if any(found) else "CAPABILITY_IAM"]


def _shown(record: Document) -> Document:
    last = record["Timestamp"]
    reason = record.get("ResourceStatusReason") or None
    drift = {"StackResourceDriftStatus": "NOT_CHECKED"}
    named = {"LastUpdatedTimestamp": last, "DriftInformation": drift}
    return {**record, **named, "ResourceStatusReason": reason}


def _is_there(stack: Document) -> bool:
    return bool(stack["StackStatus"] != "DELETE_COMPLETE")


def _unknown(name: str) -> Exception:
    return refuse(f"Stack with id {name} does not exist")


def _no_resource(name: str, _: str) -> Any:
    raise refuse(f"AWS::Include: its Location cannot refer to the resource {name}")
