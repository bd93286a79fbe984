"""The work on stacks, each in a thread of its own, which a killed platform takes up again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import NamedTuple

from boostline.local.services.cloudformation.records import STACK, Stacks
from boostline.local.services.cloudformation.work import Ended, Failed, Work
from boostline.local.store.resources import Document

PATIENCE = 3.0  # seconds: the AWS CLI looks at once, and then only after half a minute
AGAIN = 1.0  # seconds until what could not be noted is tried anew
MOST = 64  # stacks at once
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
        self._threads = ThreadPoolExecutor(MOST)
        self._turns: dict[str, threading.Lock] = {}  # by stack: one thread at a time works on it

    def begin(self, stack: Document, status: str, change: Callable[[Document], None]) -> None:
        """Change a stack, and begin to do what its new status asks for."""

        def begin(stack: Document) -> None:
            change(stack)
            self._stacks.tell(stack, status, "User Initiated")

        self._stacks.change(stack["StackId"], begin)
        wait([self._start(stack["StackId"])], PATIENCE)

    def resume(self) -> None:
        """Go on with what an earlier platform left."""
        for stack in self._stacks.platform.resources.list(STACK):
            if stack["StackStatus"] in STEPS:
                self._start(stack["StackId"])

    def close(self) -> None:
        """Let go of all work, which stays unfinished."""
        self._closed.set()
        self._threads.shutdown(cancel_futures=True)

    def _start(self, stack_id: str) -> Future[None]:
        return self._threads.submit(self._work, stack_id)

    def _work(self, stack_id: str) -> None:
        with self._turns.setdefault(stack_id, threading.Lock()), suppress(Ended):
            while (status := self._stacks.get(stack_id)["StackStatus"]) in STEPS:
                try:
                    self._step(stack_id, status)
                except Exception:  # a full disk: the step is done again, as by a later platform
                    log.exception("%s: %s", stack_id, status)
                    if self._closed.wait(AGAIN):
                        break

    def _step(self, stack_id: str, status: str) -> None:
        step, reason = STEPS[status], ""
        try:
            step.work(Work(self._stacks, stack_id, status, self._closed))
        except Failed as error:
            reason = str(error)
        except Exception as error:  # or the stack would stay as it is for ever
            log.exception("%s: %s", stack_id, status)
            reason = f"Internal Failure: {error}"

        def settle(stack: Document) -> None:
            if stack["StackStatus"] == status:  # else somebody decided what the stack does
                self._stacks.tell(stack, step.failed if reason else step.done, reason)

        self._stacks.change(stack_id, settle)
