"""Stacks, and what happened to them, as they are kept.

A stack's document has the members of DescribeStacks, and `Resources`: logical id → record;
`Retired`: records that others have replaced; `Now` and `Next`: what it was last brought to and is
to become, each with `Body`, `Template`, `Parameters`, `Tags`, `Capabilities`. For records see
`Calls`; they also have `ResourceStatus`, `Needs` and the template's policies.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any

from boostline.local.platform import Platform
from boostline.local.services.cloudformation.calls import Calls
from boostline.local.services.cloudformation.deployment import Deployment
from boostline.local.services.cloudformation.values import Attribute
from boostline.local.store.resources import Document, Exists

STACK, EVENT = "cloudformation.stack", "cloudformation.event"
ITSELF = "AWS::CloudFormation::Stack"
POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")


class Stacks:
    """The stacks of a platform."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.calls = Calls(platform)

    def find(self, name_or_id: str) -> Document | None:
        """Return the stack of a name, or also a deleted one by its id."""
        if name_or_id.startswith("arn:"):
            return self.platform.resources.find(STACK, name_or_id)
        found = self.platform.resources.list(STACK, name_or_id)
        return next((each for each in found if each["StackStatus"] != "DELETE_COMPLETE"), None)

    def keep(self, stack: Document) -> None:
        """Keep a stack, if it is new."""
        with contextlib.suppress(Exists):
            self.platform.resources.create(STACK, stack["StackId"], stack, stack["StackName"])

    def get(self, stack_id: str) -> Document:
        """Return a stack that is there."""
        return self.platform.resources.get(STACK, stack_id)

    def change(self, stack_id: str, change: Callable[[Document], None]) -> Document:
        """Let `change` edit a stack."""
        return self.platform.resources.change(STACK, stack_id, change)

    def deployment(self, stack: Document, source: Document) -> Deployment:
        """Return what a source makes of a stack; `AwsError` if something in it is wrong."""
        return Deployment(source, self.pseudo(stack))

    def pseudo(self, stack: Document) -> Document:
        """Return the pseudo parameters."""
        settings = self.platform.settings
        return {
            "AWS::AccountId": settings.account,
            "AWS::NotificationARNs": [],
            "AWS::Partition": "aws",
            "AWS::Region": settings.region,
            "AWS::StackId": stack["StackId"],
            "AWS::StackName": stack["StackName"],
            "AWS::URLSuffix": "amazonaws.com",
        }

    def attributes(self, stack: Document) -> Attribute:
        """Return what Ref and GetAtt give of a stack's resources as they are."""
        return lambda name, member: self.calls.attribute(stack["Resources"][name], member)

    def note(self, stack_id: str, record: Document, status: str, reason: str = "") -> None:
        """Keep a resource's status, and tell it; one that is replaced is only told of."""

        def change(stack: Document) -> None:
            if record not in stack["Retired"]:
                told = {"ResourceStatus": status, "ResourceStatusReason": reason or None}
                put(stack, record | told | {"Timestamp": time.time()})
            self._event(stack, record, status, reason)

        self.change(stack_id, change)

    def tell(self, stack: Document, status: str, reason: str) -> None:
        """Give a stack a status, and tell it."""
        stack |= {"StackStatus": status, "StackStatusReason": reason or None}
        named = {"LogicalResourceId": stack["StackName"], "PhysicalResourceId": stack["StackId"]}
        self._event(stack, {"ResourceType": ITSELF, **named}, status, reason)

    def _event(self, stack: Document, record: Document, status: str, reason: str) -> None:
        event = {
            "EventId": f"{record['LogicalResourceId']}-{status}-{uuid.uuid4()}",
            "StackId": stack["StackId"],
            "StackName": stack["StackName"],
            "LogicalResourceId": record["LogicalResourceId"],
            "PhysicalResourceId": record.get("PhysicalResourceId", ""),
            "ResourceType": record["ResourceType"],
            "Timestamp": time.time(),
            "ResourceStatus": status,
            "ResourceStatusReason": reason or None,
        }
        self.platform.resources.create(EVENT, event["EventId"], event, stack["StackId"])


def put(stack: Document, record: Document) -> None:
    """Make a record the present one of its name."""
    stack["Resources"][record["LogicalResourceId"]] = record


def drop(stack: Document, record: Document) -> None:
    """Take a record out of a stack."""
    gone = _identity(record)
    stack["Retired"] = [one for one in stack["Retired"] if _identity(one) != gone]
    if _identity(stack["Resources"].get(gone[0], {})) == gone:
        del stack["Resources"][gone[0]]


def differing(old: Document, new: Document) -> set[str]:
    """Return the names of the properties that differ."""
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def _identity(record: Document) -> tuple[Any, Any]:
    return record.get("LogicalResourceId"), record.get("PhysicalResourceId")
