"""A CloudFormation stack: what a change would do, the change itself, and how it went."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from boostline.contracts.errors import BoostlineError
from boostline.project.target import Target

PACE = {"local": 0.1, "aws": 5.0}  # seconds between two looks
# What AWS says of a change set that would change nothing.
EMPTY = ("didn't contain changes", "No updates are to be performed")
GONE = "DELETE_COMPLETE"
CREATED = "REVIEW_IN_PROGRESS"  # a change set was made for it, and nothing else yet
BROKEN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
STUCK = ("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED")
ADVANCING = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


class StackError(BoostlineError):
    """A stack that could not be brought to what was asked; the message has AWS's own reasons."""


class OvertakenError(StackError):
    """Another change of the stack came between this one's plan and its beginning."""


@dataclass(frozen=True)
class Change:
    """What would happen to one resource."""

    action: str
    resource: str
    type: str
    replacement: bool

    @property
    def kind(self) -> str:
        """`Add`, `Modify`, `Replace` or `Remove`."""
        return "Replace" if self.replacement else self.action

    def __str__(self) -> str:
        return f"{self.kind:<8} {self.resource} ({self.type.removeprefix('AWS::')})"


@dataclass(frozen=True)
class ChangeSet:
    """A change that CloudFormation has planned, and not yet made."""

    arn: str
    changes: Sequence[Change]


class Stack:
    """A stack of a target, there or not.

    Parameters
    ----------
    target
        Where it is.
    name
        Its name.
    report
        Is told what happens, in a few words.
    """

    def __init__(self, target: Target, name: str, report: Callable[[str], object]) -> None:
        self.name = name
        self._client = target.client("cloudformation")
        self._pace = PACE[target.name]
        self._report = report

    def describe(self) -> dict[str, Any] | None:
        """Return the member of DescribeStacks, or None if there is no such stack."""
        try:
            (found,) = self._client.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise
        return dict(found)

    def outputs(self) -> dict[str, str]:
        """Return the outputs; none if there is no such stack."""
        found = (self.describe() or {}).get("Outputs", ())
        return {output["OutputKey"]: output["OutputValue"] for output in found}

    def plan(
        self,
        template: str,
        parameters: Mapping[str, str],
        tags: Sequence[Mapping[str, str]],
        adopt: bool = False,
        clear: bool = True,
    ) -> ChangeSet | None:
        """Make a change set, or return None if there is nothing to change.

        A change under way is waited for. With `clear`, what a failed creation left behind is
        removed first; with `adopt`, what the template retains and gives a name may be there.

        Raises
        ------
        StackError
            If CloudFormation refuses the change, or the stack cannot be changed.
        OvertakenError
            If another change has begun meanwhile: plan anew.
        """
        status = self.settle()
        if status in BROKEN and clear:
            self.delete()
        elif status in BROKEN:
            raise StackError(
                f"stack {self.name} is in {status}: what is left of it would be removed, and then "
                "all be made anew"
            )
        elif status in STUCK:
            raise StackError(
                f"stack {self.name} is in {status}: mend the reason that its events name, then let "
                "CloudFormation finish it (`aws cloudformation continue-update-rollback`)"
            )
        made = self._unless_overtaken(
            self._client.create_change_set,
            StackName=self.name,
            ChangeSetName=f"boostline-{uuid.uuid4().hex}",
            ChangeSetType="CREATE" if status in (GONE, CREATED, *BROKEN) else "UPDATE",
            TemplateBody=template,
            Parameters=[
                {"ParameterKey": name, "ParameterValue": text} for name, text in parameters.items()
            ],
            Tags=list(tags),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            ImportExistingResources=adopt,
        )
        return self._planned(made["Id"])

    def discard(self, change_set: ChangeSet) -> None:
        """Forget a change set, and the empty stack that was made for it.

        Raises
        ------
        OvertakenError
            If another change has begun since it was planned: it tells nothing any more.
        """
        self._unless_overtaken(self._client.delete_change_set, ChangeSetName=change_set.arn)
        if self._status() == CREATED:
            self._client.delete_stack(StackName=self.name)

    def apply(
        self,
        change_set: ChangeSet,
        stop: Callable[[], str] = str,
        end: Callable[[], object] = str,
    ) -> None:
        """Make a planned change and wait for its end.

        Parameters
        ----------
        change_set
            As `plan` made it.
        stop
            Is asked again and again while it is under way; a reason takes the change back.
        end
            Is called again and again after that: it ends what CloudFormation has to wait for.

        Raises
        ------
        StackError
            If the change failed, or was taken back.
        OvertakenError
            If another change has begun since it was planned: nothing was changed.
        """
        seen = {event["EventId"] for event in self._events()}
        self._unless_overtaken(self._client.execute_change_set, ChangeSetName=change_set.arn)
        stopped, reasons = "", list[str]()
        while (status := self._status()).endswith("IN_PROGRESS"):
            reasons += self._tell(seen)
            if stopped:
                end()
            elif stopped := stop():
                self._cancel(status)
            self.pause()
        reasons += self._tell(seen)
        if status in GOOD:  # what stopped it came too late
            return
        stopped = stopped or stop()  # whoever stops it may have taken it back already
        if status == GONE and not stopped:
            raise StackError(f"stack {self.name} was removed before it had come up")
        why = f"taken back, since {stopped}" if stopped else "; ".join(reasons) or status
        raise StackError(f"stack {self.name} came to {status}: {why}")

    def take_back(self, end: Callable[[], object]) -> None:
        """Take back the change under way and wait for its end; `end` is as in `apply`."""
        self._cancel(self._status())
        while self._status().endswith("IN_PROGRESS"):
            end()
            self.pause()

    def delete(self) -> None:
        """Delete the stack and wait until it is gone; nothing happens if it is not there.

        Raises
        ------
        StackError
            If something of it stays.
        """
        found = self.describe()
        if found is None:
            return
        seen, reasons = {event["EventId"] for event in self._events()}, list[str]()
        self._client.delete_stack(StackName=self.name)
        # A deleted stack is found by its ID alone.
        name, self.name = self.name, found["StackId"]
        try:
            while (status := self._status()).endswith("IN_PROGRESS"):
                reasons += self._tell(seen)
                self.pause()
            reasons += self._tell(seen)
        finally:
            self.name = name
        if status != GONE:
            raise StackError(f"stack {name} is in {status}: {'; '.join(reasons)}")

    def _unless_overtaken(self, call: Callable[..., Any], **request: Any) -> Any:
        """Make a call of a change set, which the beginning of any other makes void."""
        try:
            return call(**request)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            voided = code.startswith(("InvalidChangeSetStatus", "ChangeSetNotFound"))
            begun = ("IN_PROGRESS state", "cannot be created again")
            if voided or any(text in message for text in begun):
                raise OvertakenError(f"stack {self.name}: {message}") from None
            raise

    def _planned(self, arn: str) -> ChangeSet | None:
        while True:
            found = self._unless_overtaken(self._client.describe_change_set, ChangeSetName=arn)
            if not found["Status"].endswith(("PENDING", "IN_PROGRESS")):
                break
            self.pause()
        if found["Status"] == "FAILED":
            reason = found.get("StatusReason", "no reason given")
            self.discard(ChangeSet(arn, ()))
            if any(text in reason for text in EMPTY):
                return None
            raise StackError(f"stack {self.name}: CloudFormation refuses the change: {reason}")
        return ChangeSet(arn, self._unless_overtaken(lambda: list(self._changes(arn))))

    def _changes(self, arn: str) -> Iterator[Change]:
        pages = self._client.get_paginator("describe_change_set").paginate(ChangeSetName=arn)
        for page in pages:
            for found in page.get("Changes", ()):
                change = found["ResourceChange"]
                yield Change(
                    change["Action"],
                    change["LogicalResourceId"],
                    change["ResourceType"],
                    change.get("Replacement") == "True",
                )

    def _status(self) -> str:
        return str((self.describe() or {}).get("StackStatus", GONE))

    def is_advancing(self) -> bool:
        """Say whether a change is under way that can be taken back."""
        return self._status() in ADVANCING

    def pause(self) -> None:
        """Wait as long as between two looks."""
        time.sleep(self._pace)

    def change(self) -> tuple[Any, ...]:
        """Return which change was the last, once none is under way."""
        self.settle()
        found = self.describe() or {}
        return tuple(found.get(name) for name in ("StackId", "LastUpdatedTime", "DeletionTime"))

    def settle(self) -> str:
        """Return the status once no change is under way."""
        told = False
        while (status := self._status()).endswith("IN_PROGRESS") and status != CREATED:
            if not told:
                self._report(f"stack {self.name} is in {status}: waiting for its end")
            told = True
            self.pause()
        return status

    def _cancel(self, status: str) -> None:
        """Ask CloudFormation to take a change back; what is on its way back already is let be."""
        calls = {
            "UPDATE_IN_PROGRESS": self._client.cancel_update_stack,
            "CREATE_IN_PROGRESS": self._client.delete_stack,
        }
        try:
            if status in calls:
                calls[status](StackName=self.name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise  # else it has come to its end meanwhile

    def _events(self) -> list[dict[str, Any]]:
        """Return the events, newest first."""
        try:
            pages = self._client.get_paginator("describe_stack_events").paginate(
                StackName=self.name
            )
            return [event for page in pages for event in page["StackEvents"]]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return []
            raise

    def _tell(self, seen: set[str]) -> list[str]:
        """Report what happened since, and return the reasons of failures."""
        failures = []
        for event in reversed(self._events()):
            if event["EventId"] in seen:
                continue
            seen.add(event["EventId"])
            status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
            if event["PhysicalResourceId"] == event["StackId"] or status.endswith("IN_PROGRESS"):
                continue
            name = event["LogicalResourceId"]
            self._report(f"{name}: {status}{' · ' * bool(reason)}{reason}")
            if status.endswith("FAILED") and "cancelled" not in reason:
                failures.append(f"{name}: {reason}")
        return failures
