"""The work on stacks, each in a thread of its own, which a killed platform takes up again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from boostline.local.services.cloudformation.records import STACK, Stacks
from boostline.local.services.cloudformation.work import Ended, Failed, Work
from boostline.local.store.resources import Document

PATIENCE = 3.0  # seconds: the AWS CLI looks at once, and then only after half a minute
log = logging.getLogger(__name__)


class Step(NamedTuple):
    """What is done in a status, and the status after it, or after its failure."""

    work: Callable[[Work], None]
    done: str
    failed: str


_CLEANUP = "COMPLETE_CLEANUP_IN_PROGRESS"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
STEPS: dict[str, Step] = {
    "CREATE_IN_PROGRESS": Step(Work.advance, "CREATE_COMPLETE", "ROLLBACK_IN_PROGRESS"),
    "ROLLBACK_IN_PROGRESS": Step(Work.empty, "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"),
    "UPDATE_IN_PROGRESS": Step(Work.advance, f"UPDATE_{_CLEANUP}", "UPDATE_ROLLBACK_IN_PROGRESS"),
    f"UPDATE_{_CLEANUP}": Step(Work.clean, "UPDATE_COMPLETE", "UPDATE_COMPLETE"),
    "UPDATE_ROLLBACK_IN_PROGRESS": Step(
        Work.back, f"UPDATE_ROLLBACK_{_CLEANUP}", "UPDATE_ROLLBACK_FAILED"
    ),
    f"UPDATE_ROLLBACK_{_CLEANUP}": Step(
        Work.clean, "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"
    ),
    "DELETE_IN_PROGRESS": Step(Work.empty, "DELETE_COMPLETE", "DELETE_FAILED"),
}


class Engine:
    """Does what the statuses of stacks ask for."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}

    def begin(self, stack: Document, status: str, change: Callable[[Document], None]) -> None:
        """Change a stack, which may be new, and begin to do what its new status asks for."""
        stack_id = stack["StackId"]

        def begin(stack: Document) -> None:
            change(stack)
            self._stacks.tell(stack, status, "User Initiated")

        with self._lock:
            with self._stacks.platform.database.transaction():
                self._stacks.keep(stack)
                self._stacks.change(stack_id, begin)
            thread = self._start(stack_id)
        thread.join(PATIENCE)

    def resume(self) -> None:
        """Go on with what an earlier platform left."""
        with self._lock:
            for stack in self._stacks.platform.resources.list(STACK):
                if stack["StackStatus"] in STEPS:
                    self._start(stack["StackId"])

    def close(self) -> None:
        """Let go of all work, which stays unfinished."""
        self._closed.set()
        for thread in [*self._threads.values()]:
            thread.join()

    def _start(self, stack_id: str) -> threading.Thread:
        """Return the thread that works on a stack: it looks at the status again and again."""
        if stack_id not in self._threads:
            self._threads[stack_id] = threading.Thread(target=self._work, args=(stack_id,))
            self._threads[stack_id].start()
        return self._threads[stack_id]

    def _work(self, stack_id: str) -> None:
        work = Work(self._stacks, stack_id, self._closed)
        try:
            while (step := self._next(stack_id)) is not None:
                self._step(stack_id, work, *step)
        except Ended:
            log.debug("%s goes on with the next platform", stack_id)

    def _next(self, stack_id: str) -> tuple[str, Step] | None:
        with self._lock:
            status = self._stacks.get(stack_id)["StackStatus"]
            if status in STEPS:
                return status, STEPS[status]
            del self._threads[stack_id]
            return None

    def _step(self, stack_id: str, work: Work, status: str, step: Step) -> None:
        after, reason = step.done, ""
        try:
            step.work(work)
        except Failed as error:
            after, reason = step.failed, str(error)
        except Ended:
            raise
        except Exception as error:  # or the stack would stay as it is for ever
            log.exception("%s: %s", stack_id, status)
            after, reason = step.failed, f"Internal Failure: {error}"

        def settle(stack: Document) -> None:
            if stack["StackStatus"] != status:
                return  # somebody else decided what the stack does
            self._stacks.tell(stack, after, reason)

        self._stacks.change(stack_id, settle)
