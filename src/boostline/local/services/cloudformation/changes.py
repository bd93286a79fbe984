"""Change sets: what a deployment would change of a stack."""

from __future__ import annotations

import json
from collections.abc import Iterator

from boostline.local.services.cloudformation.calls import Calls
from boostline.local.services.cloudformation.deployment import Deployment, unknown
from boostline.local.services.cloudformation.kinds import KINDS
from boostline.local.services.cloudformation.records import POLICIES, differing
from boostline.local.services.cloudformation.values import UNKNOWN, refuse
from boostline.local.store.resources import Document


def changes(records: Document, deployment: Deployment, calls: Calls) -> Iterator[Document]:
    """Give the changes of a stack's resources, as DescribeChangeSet shows them.

    Raises
    ------
    AwsError
        If a resource would become one of another type.
    """
    other: set[str] = set()  # those that will be other resources

    def attribute(name: str, member: str) -> str:
        known = name in records and name not in other
        return calls.attribute(records[name], member) if known else unknown(name, member)

    for name in deployment.order:
        found, record = deployment.resources[name], records.get(name, {})
        wanted = deployment.properties(name, attribute)
        if "PhysicalResourceId" not in record:
            other.add(name)
            yield _change("Add", {"LogicalResourceId": name, "ResourceType": found["Type"]})
            continue
        if record["ResourceType"] != found["Type"]:
            raise refuse(
                "Update of resource type is not permitted. The new template modifies resource "
                f"type of the following resources: [{name}]"
            )
        replacement = _replacement(record, wanted)
        if replacement != "False":
            other.add(name)
        policies = {policy: found.get(policy, "Delete") for policy in POLICIES}
        if differing(record["Properties"], wanted) or differing(record, record | policies):
            yield _change("Modify", record, Replacement=replacement)
    for name, record in records.items():
        if name not in deployment.resources:
            yield _change("Remove", record)


def _change(action: str, record: Document, **more: str) -> Document:
    members = ("LogicalResourceId", "ResourceType", "PhysicalResourceId")
    shown = {member: record[member] for member in members if member in record}
    return {"Type": "Resource", "ResourceChange": {"Action": action, **shown, **more}}


def _replacement(record: Document, wanted: Document) -> str:
    """Return whether a change makes another resource, as far as that is known."""
    changed = differing(record["Properties"], wanted) & KINDS[record["ResourceType"]].replacing
    if not changed:
        return "False"
    is_known = any(UNKNOWN not in json.dumps(wanted.get(name)) for name in changed)
    return "True" if is_known else "Conditional"
