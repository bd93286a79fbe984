"""What is done to the resources of a stack.

The call that makes or changes a resource and the note of it are one transaction, so that a killed
platform never makes anything twice.
"""

from __future__ import annotations

import contextlib
import graphlib
import logging
import threading
import uuid
from collections.abc import Callable, Container
from typing import Any

from boostline.local.services.cloudformation.kinds import KINDS
from boostline.local.services.cloudformation.records import POLICIES, Stacks, differing
from boostline.local.services.cloudformation.values import refuse
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError

MOMENT = 0.1  # seconds between two looks at a resource that is not ready
RECORDED = "recorded: no local effect"
log = logging.getLogger(__name__)


class Ended(BaseException):
    """The platform stops: no failure of what is under way."""


class Failed(Exception):
    """Resources that are not what they should be."""


class Work:
    """Brings one stack's resources to what they should be, one after another.

    `status` is that of the stack which asks for it: once it has another, nothing more is begun.
    """

    def __init__(self, stacks: Stacks, stack_id: str, status: str, closed: threading.Event) -> None:
        self._stacks = stacks
        self._calls = stacks.calls
        self._id = stack_id
        self._status = status
        self._closed = closed

    def advance(self) -> None:
        """Bring all resources to what comes next, and tell the outputs."""
        self._bring("Next")

        def settle(stack: Document) -> None:
            if stack["StackStatus"] != self._status:
                raise Failed("Cancelled")
            stack["Now"] = stack["Next"]
            deployment = self._stacks.deployment(stack, stack["Now"])
            stack["Outputs"] = deployment.outputs(self._stacks.attributes(self._id))

        try:
            self._stacks.change(self._id, settle)
        except AwsError as error:
            raise Failed(f"Outputs: {error.message}") from None

    def back(self) -> None:
        """Bring all resources back to what they were."""
        self._bring("Now")

    def empty(self) -> None:
        """Remove all resources but those that are retained."""
        if failed := self._clear({}):
            names = ", ".join(record["LogicalResourceId"] for record in failed)
            raise Failed(f"The following resource(s) failed to delete: [{names}]. ")

    def clean(self) -> None:
        """Remove what is no part of the stack any more; a failure leaves it behind, as on AWS."""
        stack = self._stacks.get(self._id)
        for left in self._clear(self._stacks.deployment(stack, stack["Now"]).resources):
            self._stacks.drop(left)

    def _bring(self, member: str) -> None:
        stack = self._stacks.get(self._id)
        deployment = self._stacks.deployment(stack, stack[member])
        for name in deployment.order:
            if self._cancelled():
                raise Failed("Cancelled")
            found = deployment.resources[name]
            record = self._stacks.records(self._id).get(name) or _new(stack, name, found["Type"])
            record |= {policy: found.get(policy, "Delete") for policy in POLICIES}
            record["Needs"] = sorted(deployment.needs[name])
            try:
                wanted = deployment.properties(name, self._stacks.attributes(self._id))
            except AwsError as error:
                verb = "UPDATE" if "PhysicalResourceId" in record else "CREATE"
                raise self._failed(record, verb, error) from None
            adopts = stack[member]["Adopts"] and record["DeletionPolicy"] != "Delete"
            self._one(record, wanted, adopts)

    def _one(self, record: Document, wanted: Document, adopts: bool) -> None:
        """Bring one resource to what is wanted: make, change or replace it, or wait for it."""
        status, changed = record["ResourceStatus"], differing(record["Properties"], wanted)
        for retired in self._stacks.retired(self._id):
            same = retired["LogicalResourceId"] == record["LogicalResourceId"]
            if same and not differing(retired["Properties"], wanted):
                with self._stacks.platform.database.transaction():
                    self._retire(record)
                    self._stacks.note(retired | {"Retired": False}, "UPDATE_COMPLETE")
                return
        if changed & KINDS[record["ResourceType"]].replacing and "PhysicalResourceId" in record:
            record = self._replaced(record, wanted)
        if "PhysicalResourceId" not in record:
            self._stacks.note(record, "CREATE_IN_PROGRESS")
            self._finish(record, "CREATE", lambda one: self._calls.create(one, wanted, adopts))
        elif changed:
            with contextlib.suppress(AwsError):  # what is under way comes to its end first
                self._wait(record)
            self._stacks.note(record, "UPDATE_IN_PROGRESS")
            self._finish(record, "UPDATE", lambda one: self._calls.update(one, wanted))
        elif status.endswith("IN_PROGRESS"):
            self._finish(record, status.partition("_")[0], lambda _: None)
        elif status.endswith("FAILED"):
            self._stacks.note(record, "UPDATE_COMPLETE")
        else:
            self._stacks.save(record)  # its policies may be others

    def _replaced(self, record: Document, wanted: Document) -> Document:
        """Put a resource among those that are replaced, and return the record of the next."""
        name = wanted.get(KINDS[record["ResourceType"]].name)
        if name is not None and name == record["Own"]["name"]:
            said = (
                "CloudFormation cannot update a stack when a custom-named resource requires "
                f"replacing. Rename {name} and update the stack again."
            )
            raise self._failed(record, "UPDATE", refuse(said, "NotUpdatable"))
        self._retire(record)
        kept = {member: record[member] for member in ("Needs", *POLICIES)}
        return _new(record, record["LogicalResourceId"], record["ResourceType"]) | kept

    def _retire(self, record: Document) -> None:
        if "PhysicalResourceId" in record:
            self._stacks.save(record | {"Retired": True})
        elif record["ResourceStatus"]:  # it was to be made, and is not
            self._stacks.drop(record)

    def _finish(self, record: Document, verb: str, work: Callable[[Document], Any]) -> None:
        """Make or change a resource, and wait until it is ready."""
        fresh = dict(record)
        try:
            with self._stacks.platform.database.transaction():
                work(fresh)
                self._stacks.save(fresh)
            record = fresh
            self._wait(record, cancellable=True)
        except Exception as error:
            raise self._failed(record, verb, error) from None
        self._stacks.note(record, f"{verb}_COMPLETE", _effect(record))

    def _wait(self, record: Document, *, cancellable: bool = False) -> None:
        """Wait until a resource is ready, or, if that counts, the stack's work is cancelled."""
        while not self._calls.ready(record):
            self._pause()
            if cancellable and self._cancelled():
                raise refuse("Resource creation or update cancelled", "Cancelled")

    def _cancelled(self) -> bool:
        return bool(self._stacks.get(self._id)["StackStatus"] != self._status)

    def _pause(self) -> None:
        if self._closed.wait(MOMENT):
            raise Ended

    def _clear(self, kept: Container[str]) -> list[Document]:
        """Remove all resources but some, then those that were replaced; return what failed."""
        gone = [one for name, one in self._stacks.records(self._id).items() if name not in kept]
        every = [*_reversed(gone), *_reversed(self._stacks.retired(self._id))]
        return [record for record in every if not self._removed(record)]

    def _removed(self, record: Document) -> bool:
        """Remove a resource; return False if that failed."""
        try:
            if "PhysicalResourceId" in record and record[POLICIES[record["Retired"]]] == "Retain":
                self._stacks.note(record, "DELETE_SKIPPED")
            elif "PhysicalResourceId" in record:
                self._stacks.note(record, "DELETE_IN_PROGRESS")
                self._calls.delete(record)
                while not self._calls.gone(record):
                    self._pause()
                self._stacks.note(record, "DELETE_COMPLETE")
        except Exception as error:
            self._failed(record, "DELETE", error)
            return False
        self._stacks.drop(record)
        return True

    def _failed(self, record: Document, verb: str, error: Exception) -> Failed:
        """Tell why a resource failed; return it as a failure of the stack."""
        message, code = str(error), "InternalFailure"
        if isinstance(error, AwsError):
            message, code = error.message, error.code
        else:
            log.error("%s: %s", self._id, record["LogicalResourceId"], exc_info=error)
        reason = f'Resource handler returned message: "{message}" (HandlerErrorCode: {code})'
        self._stacks.note(record, f"{verb}_FAILED", reason)
        name = record["LogicalResourceId"]
        return Failed(f"The following resource(s) failed to {verb.lower()}: [{name}]. ")


def _new(of: Document, name: str, kind: str) -> Document:
    """Return the record of a resource that is not there yet."""
    return {
        **{member: of[member] for member in ("StackId", "StackName")},
        "Id": f"{name}-{uuid.uuid4()}",
        "LogicalResourceId": name,
        "ResourceType": kind,
        "ResourceStatus": "",
        "Properties": {},
        "Retired": False,
    }


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
