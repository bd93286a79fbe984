"""The endpoints of a platform: creation, update, removal, and their return after a restart."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from boostline.local.engine.work import remove
from boostline.local.hosting.container import ServerFailed
from boostline.local.hosting.fleet import Document, Fleet
from boostline.local.hosting.server import ANSWER_TIMEOUT
from boostline.local.platform import Platform
from boostline.local.runners.base import Runner
from boostline.local.store.resources import Missing

ENDPOINT = "endpoint"
LAST_GRACE = 5.0  # seconds between SIGTERM and SIGKILL when the platform stops
REASON_LENGTH = 1024  # characters of FailureReason


class Endpoints:
    """Brings endpoints to what their documents say.

    Beside the members of DescribeEndpoint, a document has `Deployed` and, during a change,
    `Wanted`: the configuration's name (`EndpointConfigName`), `ProductionVariants` as they are
    described, and `Fleet`, the variants as `Fleet` takes them. Changes to configurations and models
    made later do not touch an endpoint.
    """

    def __init__(self, platform: Platform, runner: Runner) -> None:
        self._platform = platform
        self._runner = runner
        self._lock = threading.Lock()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._fleets: dict[str, Fleet] = {}
        self._pending: dict[str, Fleet] = {}
        self._retired: list[Fleet] = []
        self._deleting: set[str] = set()
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()

    def fleet(self, name: str) -> Fleet | None:
        """Return the servers that answer for an endpoint, if there are any."""
        return self._fleets.get(name)

    def change(self, name: str) -> None:
        """Bring an endpoint to what its document has as `Wanted`; return at once."""
        self._apart(self._change, name)

    def delete(self, name: str) -> None:
        """End an endpoint whose document says Deleting; return at once."""
        with self._lock:
            self._deleting.add(name)
        self._apart(self._delete, name)

    def resume(self) -> None:
        """Bring back the endpoints of an earlier platform, in new folders."""
        remove(self._platform.folder / "endpoints")
        for document in self._platform.resources.list(ENDPOINT):
            name = document["EndpointName"]
            if document["EndpointStatus"] == "Deleting":
                self.delete(name)
            elif "Deployed" in document or "Wanted" in document:
                if "Wanted" not in document:
                    self._platform.resources.update(ENDPOINT, name, EndpointStatus="SystemUpdating")
                self._apart(self._return, name)

    def close(self) -> None:
        """End all servers; their endpoints come back with the next platform."""
        self._closed.set()
        with self._lock:
            fleets = [*self._fleets.values(), *self._pending.values(), *self._retired]
        with ThreadPoolExecutor(max(1, len(fleets))) as executor:
            for fleet in fleets:
                executor.submit(fleet.close, 0.0, LAST_GRACE)
        for thread in self._threads:
            thread.join()

    def _apart(self, act: Callable[[str], None], name: str) -> None:
        thread = threading.Thread(target=act, args=(name,), name=f"endpoint {name}", daemon=True)
        with self._lock:
            self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()

    def _return(self, name: str) -> None:
        """Start what was deployed; then go on with a change that was under way."""
        document = self._platform.resources.find(ENDPOINT, name) or {}
        deployed, wanted = document.get("Deployed"), document.get("Wanted")
        if deployed is not None:
            reason = self._deploy(name, deployed)
            if wanted is None and not self._closed.is_set():
                self._settle(name, "Failed" if reason else "InService", reason)
        if wanted is not None:
            self._change(name)

    def _change(self, name: str) -> None:
        document = self._platform.resources.find(ENDPOINT, name) or {}
        wanted = document.get("Wanted")
        if wanted is None:
            return
        reason = self._deploy(name, wanted)
        if self._closed.is_set():
            return
        if reason and name not in self._fleets:
            self._settle(name, "Failed", reason)
        elif reason:
            self._settle(name, "InService", reason)
        else:
            self._settle(name, "InService", "", wanted)

    def _deploy(self, name: str, wanted: Document) -> str:
        """Start servers and let the traffic move to them; return why that failed, or nothing."""
        with self._turns[name]:
            fleet = Fleet(self._platform, self._runner, name, wanted["Fleet"])
            with self._lock:
                if self._closed.is_set() or name in self._deleting:
                    return "the endpoint is being ended"
                self._pending[name] = fleet
                fleet.start()
            try:
                fleet.settle()
            except ServerFailed as error:
                fleet.close()
                return str(error)
            finally:
                with self._lock:
                    self._pending.pop(name, None)
            with self._lock:
                before = self._fleets.get(name)
                self._fleets[name] = fleet
                if before is not None:
                    self._retired.append(before)
            if before is not None:
                before.close(drain=ANSWER_TIMEOUT)
                with self._lock:
                    self._retired.remove(before)
            return ""

    def _delete(self, name: str) -> None:
        with self._lock:
            pending = self._pending.get(name)
        if pending is not None:
            pending.close()
        with self._turns[name]:
            with self._lock:
                fleet = self._fleets.pop(name, None)
            if fleet is not None:
                fleet.close(drain=ANSWER_TIMEOUT)
            if not self._closed.is_set():
                self._platform.resources.delete(ENDPOINT, name)
                with self._lock:
                    self._deleting.discard(name)

    def _settle(
        self, name: str, status: str, reason: str, deployed: Document | None = None
    ) -> None:
        def settle(document: Document) -> None:
            document.pop("Wanted", None)
            document.pop("FailureReason", None)
            if document["EndpointStatus"] != "Deleting":
                document["EndpointStatus"] = status
            if reason:
                document["FailureReason"] = reason[:REASON_LENGTH]
            if deployed is not None:
                document["Deployed"] = deployed
                document["EndpointConfigName"] = deployed["EndpointConfigName"]
                document["ProductionVariants"] = deployed["ProductionVariants"]
            document["LastModifiedTime"] = time.time()

        try:
            self._platform.resources.change(ENDPOINT, name, settle)
        except Missing:
            return  # deleted meanwhile
