"""What is done to the resources of a stack.

The call that makes or changes a resource and the note of it are one transaction, so that a killed
platform never makes anything twice.
"""

from __future__ import annotations

import contextlib
import graphlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from boostline.local.services.cloudformation.kinds import KINDS
from boostline.local.services.cloudformation.records import POLICIES, Stacks, differing, drop, put
from boostline.local.services.cloudformation.values import refuse
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError

MOMENT = 0.1  # seconds between two looks at a resource that is not ready
RECORDED = "recorded: no local effect"
log = logging.getLogger(__name__)


class Ended(Exception):
    """The platform stops."""


class Failed(Exception):
    """Resources that are not what they should be."""


class Work:
    """Brings one stack's resources to what they should be, one after another."""

    def __init__(self, stacks: Stacks, stack_id: str, closed: threading.Event) -> None:
        self._stacks = stacks
        self._calls = stacks.calls
        self._id = stack_id
        self._name = stack_id.split("/")[1]
        self._closed = closed

    def advance(self) -> None:
        """Bring all resources to what comes next, and tell the outputs."""
        self._bring("Next")

        def settle(stack: Document) -> None:
            stack["Now"] = stack["Next"]
            deployment = self._stacks.deployment(stack, stack["Now"])
            stack["Outputs"] = deployment.outputs(self._stacks.attributes(stack))

        try:
            self._stacks.change(self._id, settle)
        except AwsError as error:
            raise Failed(f"Outputs: {error.message}") from None

    def back(self) -> None:
        """Bring all resources back to what they were."""
        self._bring("Now")

    def empty(self) -> None:
        """Remove all resources but those that are retained."""
        stack = self._stacks.get(self._id)
        if failed := self._remove([*stack["Resources"].values()], stack["Retired"]):
            raise Failed(f"The following resource(s) failed to delete: [{', '.join(failed)}]. ")

    def clean(self) -> None:
        """Remove what is no part of the stack any more; a failure leaves it behind, as on AWS."""
        stack = self._stacks.get(self._id)
        kept = self._stacks.deployment(stack, stack["Now"]).resources
        gone = [one for name, one in stack["Resources"].items() if name not in kept]
        self._remove(gone, stack["Retired"])

        def forget(stack: Document) -> None:
            stack["Retired"] = []
            stack["Resources"] = {n: one for n, one in stack["Resources"].items() if n in kept}

        self._stacks.change(self._id, forget)

    def _bring(self, member: str) -> None:
        stack = self._stacks.get(self._id)
        deployment = self._stacks.deployment(stack, stack[member])
        for name in deployment.order:
            stack, found = self._stacks.get(self._id), deployment.resources[name]
            record = {
                "LogicalResourceId": name,
                "ResourceType": found["Type"],
                **stack["Resources"].get(name, {}),
                **{policy: found.get(policy, "Delete") for policy in POLICIES},
                "Needs": sorted(deployment.needs[name]),
            }
            try:
                wanted = deployment.properties(name, self._stacks.attributes(stack))
            except AwsError as error:
                raise self._failed(
                    record, "UPDATE" if "Own" in record else "CREATE", error
                ) from None
            self._one(stack, record, wanted)

    def _one(self, stack: Document, record: Document, wanted: Document) -> None:
        """Bring one resource to what is wanted: make, change or replace it, or wait for it."""
        kind, status = KINDS[record["ResourceType"]], record.get("ResourceStatus", "")
        changed = differing(record.get("Properties", {}), wanted)
        for retired in stack["Retired"]:
            same = retired["LogicalResourceId"] == record["LogicalResourceId"]
            if same and not differing(retired["Properties"], wanted):
                self._retire(record, retired)
                self._stacks.note(self._id, retired, "UPDATE_COMPLETE")
                return
        if "PhysicalResourceId" not in record:
            self._create(record, wanted)
        elif changed & kind.replacing:
            self._replace(record, wanted)
        elif changed:
            self._update(record, wanted)
        elif status.endswith("IN_PROGRESS"):
            self._finish(record, status.partition("_")[0], lambda _: None)
        elif status.endswith("FAILED"):
            self._stacks.note(self._id, record, "UPDATE_COMPLETE")
        elif record not in stack["Resources"].values():  # its policies are others
            self._stacks.change(self._id, lambda stack: put(stack, record))

    def _create(self, record: Document, wanted: Document) -> None:
        kept = ("LogicalResourceId", "ResourceType", *POLICIES, "Needs")
        record = {member: record[member] for member in kept}
        self._stacks.note(self._id, record, "CREATE_IN_PROGRESS")
        source = self._stacks.get(self._id).get("Next", {})
        adopts = source.get("Adopts", False) and record["DeletionPolicy"] != "Delete"
        self._finish(
            record, "CREATE", lambda one: self._calls.create(self._name, one, wanted, adopts)
        )

    def _update(self, record: Document, wanted: Document) -> None:
        with contextlib.suppress(AwsError):  # what is under way comes to its end first
            self._wait(record)
        self._stacks.note(self._id, record, "UPDATE_IN_PROGRESS")
        self._finish(record, "UPDATE", lambda one: self._calls.update(one, wanted))

    def _replace(self, record: Document, wanted: Document) -> None:
        name = wanted.get(KINDS[record["ResourceType"]].name)
        if name is not None and name == record["Own"]["name"]:
            said = (
                "CloudFormation cannot update a stack when a custom-named resource requires "
                f"replacing. Rename {name} and update the stack again."
            )
            raise self._failed(record, "UPDATE", refuse(said, "NotUpdatable"))
        self._retire(record)
        self._create(record, wanted)

    def _retire(self, record: Document, successor: Document | None = None) -> None:
        """Put a resource among those that are replaced, and one of these in its place."""

        def retire(stack: Document) -> None:
            drop(stack, record)
            if "PhysicalResourceId" in record:
                stack["Retired"].append(record)
            if successor is not None:
                drop(stack, successor)
                put(stack, successor)

        self._stacks.change(self._id, retire)

    def _finish(self, record: Document, verb: str, work: Callable[[Document], Any]) -> None:
        """Make or change a resource, and wait until it is ready."""
        fresh = {**record, "ResourceStatus": f"{verb}_IN_PROGRESS"}
        try:
            with self._stacks.platform.database.transaction():
                work(fresh)
                self._stacks.change(self._id, lambda stack: put(stack, fresh))
            record = fresh
            self._wait(record, self._stacks.get(self._id)["StackStatus"])
        except Ended:
            raise
        except Exception as error:
            raise self._failed(record, verb, error) from None
        self._stacks.note(self._id, record, f"{verb}_COMPLETE", _effect(record))

    def _wait(self, record: Document, status: str = "") -> None:
        """Wait until a resource is ready, or the stack has another status than the one given."""
        while not self._calls.ready(record):
            self._pause()
            if status and self._stacks.get(self._id)["StackStatus"] != status:
                raise refuse("Resource creation or update cancelled", "Cancelled")

    def _pause(self) -> None:
        if self._closed.wait(MOMENT):
            raise Ended

    def _remove(self, records: list[Document], retired: list[Document]) -> list[str]:
        """Remove records, then those that were replaced, those first that others do not need.

        Returns the names of what failed.
        """
        failed = []
        for record in [*_reversed(records), *_reversed(retired)]:
            policy = POLICIES[record in retired]
            try:
                if "PhysicalResourceId" in record and record[policy] == "Retain":
                    self._stacks.note(self._id, record, "DELETE_SKIPPED")
                elif "PhysicalResourceId" in record:
                    self._stacks.note(self._id, record, "DELETE_IN_PROGRESS")
                    self._calls.delete(record)
                    while not self._calls.gone(record):
                        self._pause()
                    self._stacks.note(self._id, record, "DELETE_COMPLETE")
            except Ended:
                raise
            except Exception as error:
                self._failed(record, "DELETE", error)
                failed.append(record["LogicalResourceId"])
            else:
                self._stacks.change(self._id, lambda stack, one=record: drop(stack, one))  # type: ignore[misc]
        return failed

    def _failed(self, record: Document, verb: str, error: Exception) -> Failed:
        """Tell why a resource failed; return it as a failure of the stack."""
        message, code = str(error), "InternalFailure"
        if isinstance(error, AwsError):
            message, code = error.message, error.code
        else:
            log.error("%s: %s", self._id, record["LogicalResourceId"], exc_info=error)
        reason = f'Resource handler returned message: "{message}" (HandlerErrorCode: {code})'
        self._stacks.note(self._id, record, f"{verb}_FAILED", reason)
        name = record["LogicalResourceId"]
        return Failed(f"The following resource(s) failed to {verb.lower()}: [{name}]. ")


def _reversed(records: list[Document]) -> list[Document]:
    """Return records in the order in which they can be removed."""
    needs = {record["LogicalResourceId"]: record["Needs"] for record in records}
    order = [*graphlib.TopologicalSorter(needs).static_order()]
    return sorted(records, key=lambda one: -order.index(one["LogicalResourceId"]))


def _effect(record: Document) -> str:
    """Return what is said of a resource that has no effect here, or has properties without."""
    kind = KINDS[record["ResourceType"]]
    names = sorted(kind.recorded & record["Properties"].keys())
    if not kind.service:
        return RECORDED
    return f"{RECORDED}: {', '.join(names)}" if names else ""
