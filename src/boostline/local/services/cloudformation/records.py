"""Stacks, their resources, and what happened to them, as they are kept.

A stack's document has the members of DescribeStacks, and `Now` and `Next`: what it was last brought
to and is to become (see `sources`). Each resource is a document of its own, a record: see `Calls`;
it also has the members of DescribeStackResources, `Needs`, the template's policies, and `Retired`,
whether another has taken its place.
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
RESOURCE = "cloudformation.resource"
ITSELF = "AWS::CloudFormation::Stack"
TOLD = (
    *("StackId", "StackName", "LogicalResourceId", "PhysicalResourceId", "ResourceType"),
    *("ResourceStatus", "ResourceStatusReason"),
)
POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")


class Stacks:
    """The stacks of a platform."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.calls = Calls(platform)
        self._resources = platform.resources

    def find(self, name_or_id: str) -> Document | None:
        """Return the stack of a name, or also a deleted one by its id."""
        if name_or_id.startswith("arn:"):
            return self._resources.find(STACK, name_or_id)
        found = self._resources.list(STACK, name_or_id)
        return next((each for each in found if each["StackStatus"] != "DELETE_COMPLETE"), None)

    def keep(self, stack: Document) -> None:
        """Keep a stack, if it is new."""
        with contextlib.suppress(Exists):
            self._resources.create(STACK, stack["StackId"], stack, stack["StackName"])

    def get(self, stack_id: str) -> Document:
        """Return a stack that is there."""
        return self._resources.get(STACK, stack_id)

    def change(self, stack_id: str, change: Callable[[Document], None]) -> Document:
        """Let `change` edit a stack."""
        return self._resources.change(STACK, stack_id, change)

    def deployment(self, stack: Document, source: Document) -> Deployment:
        """Return what a source makes of a stack; `AwsError` if something in it is wrong."""
        return Deployment(source, self.pseudo(stack))

    def pseudo(self, stack: Document) -> Document:
        """Return the pseudo parameters."""
        settings = self.platform.settings
        return {
            "AWS::AccountId": settings.account,
            "AWS::Partition": "aws",
            "AWS::Region": settings.region,
            "AWS::StackId": stack["StackId"],
            "AWS::StackName": stack["StackName"],
            "AWS::URLSuffix": "amazonaws.com",
        }

    def records(self, stack_id: str) -> dict[str, Document]:
        """Return the present resources of a stack by their names."""
        found = self._resources.list(RESOURCE, stack_id)
        return {one["LogicalResourceId"]: one for one in found if not one["Retired"]}

    def retired(self, stack_id: str) -> list[Document]:
        """Return the resources of a stack that others have replaced."""
        return [one for one in self._resources.list(RESOURCE, stack_id) if one["Retired"]]

    def attributes(self, stack_id: str) -> Attribute:
        """Return what Ref and GetAtt give of a stack's resources as they are."""
        records = self.records(stack_id)
        return lambda name, member: self.calls.attribute(records[name], member)

    def save(self, record: Document) -> None:
        """Keep a record."""
        self._resources.put(RESOURCE, record["Id"], record, record["StackId"])

    def drop(self, record: Document) -> None:
        """Forget a record."""
        self._resources.delete(RESOURCE, record["Id"])

    def note(self, record: Document, status: str, reason: str = "") -> None:
        """Keep a resource's status, and tell it."""
        record |= {"ResourceStatus": status, "ResourceStatusReason": reason or None}
        with self.platform.database.transaction():
            self._event(record)
            self.save(record)

    def tell(self, stack: Document, status: str, reason: str) -> None:
        """Give a stack a status, and tell it."""
        stack |= {"StackStatus": status, "StackStatusReason": reason or None}
        named = {"LogicalResourceId": stack["StackName"], "PhysicalResourceId": stack["StackId"]}
        told = {"ResourceStatus": status, "ResourceStatusReason": reason or None}
        self._event({**stack, **named, **told, "ResourceType": ITSELF})

    def _event(self, record: Document) -> None:
        event = {member: record.get(member, "") for member in TOLD}
        event["EventId"] = f"{event['LogicalResourceId']}-{event['ResourceStatus']}-{uuid.uuid4()}"
        event["Timestamp"] = record["Timestamp"] = time.time()
        self._resources.create(EVENT, event["EventId"], event, event["StackId"])


def differing(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    """Return the names of the properties that differ."""
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
