"""Change sets: what a deployment would change of a stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from boostline.local.services.cloudformation.calls import Calls
from boostline.local.services.cloudformation.deployment import Deployment, unknown
from boostline.local.services.cloudformation.kinds import KINDS
from boostline.local.services.cloudformation.records import POLICIES, differing
from boostline.local.services.cloudformation.values import Unknown, refuse
from boostline.local.store.resources import Document


def changes(stack: Document, deployment: Deployment, calls: Calls) -> list[Document]:
    """Return the changes of a stack's resources, as DescribeChangeSet shows them.

    Raises
    ------
    AwsError
        If a resource would become one of another type.
    """
    return [
        {"Type": "Resource", "ResourceChange": change}
        for change in _changes(stack["Resources"], deployment, calls)
    ]


def _changes(records: Document, deployment: Deployment, calls: Calls) -> Iterator[Document]:
    other: set[str] = set()  # those that will be other resources

    def attribute(name: str, member: str) -> str:
        known = name in records and name not in other
        return calls.attribute(records[name], member) if known else unknown(name, member)

    for name in deployment.order:
        kind, record = deployment.resources[name]["Type"], records.get(name, {})
        shown = {"LogicalResourceId": name, "ResourceType": kind, "Scope": [], "Details": []}
        wanted = deployment.properties(name, attribute)
        if "PhysicalResourceId" not in record:
            other.add(name)
            yield {**shown, "Action": "Add"}
            continue
        if record["ResourceType"] != kind:
            raise refuse(
                "Update of resource type is not permitted. The new template modifies resource "
                f"type of the following resources: [{name}]"
            )
        details = [
            _detail(property_, wanted.get(property_), property_ in KINDS[kind].replacing)
            for property_ in sorted(differing(record["Properties"], wanted))
        ]
        policies = deployment.resources[name]
        scope = ["Properties"] if details else []
        scope += [one for one in POLICIES if record[one] != policies.get(one, "Delete")]
        replacement = _replacement(details)
        if replacement != "False":
            other.add(name)
        if scope:
            shown |= {"PhysicalResourceId": record["PhysicalResourceId"], "Details": details}
            yield {**shown, "Action": "Modify", "Replacement": replacement, "Scope": scope}
    for name, record in records.items():
        if name not in deployment.resources:
            members = ("LogicalResourceId", "ResourceType", "PhysicalResourceId")
            kept = {member: record[member] for member in members if member in record}
            policy = "Retain" if record["DeletionPolicy"] == "Retain" else "Delete"
            yield {**kept, "Action": "Remove", "PolicyAction": policy, "Scope": [], "Details": []}


def _detail(name: str, value: Any, replaces: bool) -> Document:
    target = {"Attribute": "Properties", "Name": name}
    target["RequiresRecreation"] = "Always" if replaces else "Never"
    evaluation = "Dynamic" if _is_unknown(value) else "Static"
    return {"Target": target, "Evaluation": evaluation, "ChangeSource": "DirectModification"}


def _replacement(details: list[Document]) -> str:
    found = {
        each["Evaluation"] for each in details if each["Target"]["RequiresRecreation"] == "Always"
    }
    return "True" if "Static" in found else "Conditional" if found else "False"


def _is_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_unknown, value.values()))
    if isinstance(value, list):
        return any(map(_is_unknown, value))
    return isinstance(value, Unknown)
