"""Stacks of a running platform, as a client sees them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conftest import RunningPlatform

INFRA = Path(__file__).parents[4] / "infra"
PATIENCE = 120
NONE: Mapping[str, str] = {}
CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


def parameters(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def template(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


def bucket(name: str = "", **members: Any) -> dict[str, Any]:
    """Return a bucket as a template has it; `members` stand beside its properties."""
    properties = members.pop("Properties", {}) | ({"BucketName": name} if name else {})
    return {"Type": "AWS::S3::Bucket", "Properties": properties, **members}


class Stack:
    """A stack of a name."""

    def __init__(self, running: RunningPlatform, name: str = "stack") -> None:
        self.running = running
        self.name = name
        self.client = running.client("cloudformation")

    def ask(self, body: str, values: Mapping[str, str], **members: Any) -> dict[str, Any]:
        return {
            "StackName": self.name,
            "TemplateBody": body,
            "Parameters": parameters(values),
            "Capabilities": CAPABILITIES,
            **members,
        }

    def create(self, body: str, values: Mapping[str, str] = NONE, **members: Any) -> str:
        """Make the stack, and return the status that it comes to."""
        self.client.create_stack(**self.ask(body, values, **members))
        return self.settled()

    def update(self, body: str, values: Mapping[str, str] = NONE, **members: Any) -> str:
        """Change the stack, and return the status that it comes to."""
        self.client.update_stack(**self.ask(body, values, **members))
        return self.settled()

    def delete(self) -> str:
        """Remove the stack, and return the status that it comes to."""
        stack_id = self.described()["StackId"]
        self.client.delete_stack(StackName=self.name)
        return self.settled(stack_id)

    def change_set(
        self, body: str, values: Mapping[str, str] = NONE, kind: str = "UPDATE"
    ) -> dict[str, Any]:
        """Make a change set, and return what it would change."""
        asked = self.ask(body, values, ChangeSetName="changes", ChangeSetType=kind)
        made = self.client.create_change_set(**asked)["Id"]
        found: dict[str, Any] = self.client.describe_change_set(ChangeSetName=made)
        return found

    def described(self, name: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_stacks(StackName=name or self.name)
        stack: dict[str, Any] = found["Stacks"][0]
        return stack

    def settled(self, name: str = "") -> str:
        """Wait for the end of the stack's work, and return its status."""
        deadline = time.monotonic() + PATIENCE
        while (status := self.described(name)["StackStatus"]).endswith("_IN_PROGRESS"):
            assert time.monotonic() < deadline, self.events()
            time.sleep(0.05)
        return str(status)

    def outputs(self) -> dict[str, str]:
        found = self.described()["Outputs"]
        return {each["OutputKey"]: each["OutputValue"] for each in found}

    def physical(self) -> dict[str, str]:
        """Return the resources' physical ids by their logical ones."""
        found = self.client.describe_stack_resources(StackName=self.name)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    def events(self, name: str = "") -> list[tuple[str, str]]:
        """Return what happened to what, in the order of time."""
        found = self.client.describe_stack_events(StackName=name or self.name)["StackEvents"]
        return [(each["LogicalResourceId"], each["ResourceStatus"]) for each in reversed(found)]

    def reasons(self, logical: str) -> str:
        """Return all that was said of a resource."""
        found = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        return " ".join(
            each.get("ResourceStatusReason", "")
            for each in found
            if each["LogicalResourceId"] == logical
        )
