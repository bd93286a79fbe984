"""The jobs of a platform: those that run, and those that an earlier platform left."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from weakref import WeakValueDictionary

from boostline.local.engine.attempt import Attempt, change_secondary
from boostline.local.engine.processing import Processing
from boostline.local.engine.training import Training
from boostline.local.engine.work import Work, status_of
from boostline.local.folders import remove
from boostline.local.platform import Platform
from boostline.local.store.resources import Document

TRAINING, PROCESSING = Training(), Processing()


class Jobs:
    """Runs jobs whose documents are in the platform's resources.

    A job that had not ended when the platform did runs again from its beginning: nothing of an
    attempt is visible before its end. `kinds` are all there are, by the kind of their resource.
    """

    def __init__(self, platform: Platform, kinds: Sequence[Work]) -> None:
        self.kinds = {work.kind: work for work in kinds}
        self._platform = platform
        self._lock = threading.Lock()
        # What has ended is not here for long.
        self._attempts: WeakValueDictionary[tuple[str, str], Attempt] = WeakValueDictionary()
        self._closed = False

    def resume(self) -> None:
        """Start every job that an earlier platform left unfinished, in new folders."""
        remove(self._platform.folder / "jobs")
        for work in self.kinds.values():
            for document in self._platform.resources.list(work.kind):
                if status_of(work, document) in ("InProgress", "Stopping"):
                    self.start(work, document[f"{work.member}Name"])

    def start(self, work: Work, name: str) -> None:
        """Run a job whose document is there."""
        attempt = Attempt(self._platform, work, name)
        with self._lock:
            if not self._closed:
                self._attempts[work.kind, name] = attempt  # before it runs: a stop finds it
                attempt.start()

    def stop(self, work: Work, name: str) -> None:
        """Ask a running job to end; its program has 120 s."""

        def stopping(document: Document) -> None:
            if status_of(work, document) == "InProgress":
                document[f"{work.member}Status"] = "Stopping"
                if "SecondaryStatus" in document:
                    change_secondary(document, "Stopping", time.time())

        self._platform.resources.change(work.kind, name, stopping)
        if attempt := self._attempts.get((work.kind, name)):
            attempt.stop()

    def wait(self, work: Work, name: str) -> Document:
        """Wait for a job, and return its document; unfinished if the platform stops meanwhile."""
        if attempt := self._attempts.get((work.kind, name)):
            attempt.join()
        return self._platform.resources.get(work.kind, name)

    def close(self) -> None:
        """End all programs; their jobs stay unfinished."""
        with self._lock:
            self._closed = True
            attempts = list(self._attempts.values())
        for attempt in attempts:
            attempt.abandon()
