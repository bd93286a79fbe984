"""The endpoints of a platform: creation, update, removal, and their return after a restart."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from boostline.local.engine.work import remove
from boostline.local.hosting.capture import Captures
from boostline.local.hosting.client import ANSWER_TIMEOUT
from boostline.local.hosting.container import ServerFailed
from boostline.local.hosting.fleet import Fleet
from boostline.local.hosting.rollout import Rollout
from boostline.local.platform import Platform
from boostline.local.store.resources import Document, Missing

ENDPOINT = "endpoint"
SHOWN = ("EndpointConfigName", "ProductionVariants", "DataCaptureConfig")
LAST_GRACE = 5.0  # seconds between SIGTERM and SIGKILL when the platform stops
REASON_LENGTH = 1024  # characters of FailureReason
MOMENT = 0.25  # seconds between two looks at the alarms while traffic moves
ENDED = "the endpoint is being ended"


class Endpoints:
    """Brings endpoints to what their documents say.

    Beside the members of DescribeEndpoint, a document has `Deployed` and, during a change,
    `Wanted`, both plans: the configuration's name (`EndpointConfigName`), `ProductionVariants` as
    they are described, `Containers`, which is what each variant runs (see `Container`),
    `DataCaptureConfig`, if there is one, `DeploymentConfig`, which says how the traffic moves, and
    `Kept` if the servers there are go on with new weights. Changes to configurations and models
    made later do not touch an endpoint.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.captures = Captures(platform)
        self._lock = threading.Lock()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._traffic: dict[str, dict[Fleet, float]] = {}  # who answers for an endpoint: shares
        self._alive: set[Fleet] = set()  # those that start or drain among them
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()

    def fleet(self, name: str) -> Fleet | None:
        """Return servers that answer for an endpoint, if there are any: by their share."""
        shares = self._traffic.get(name)
        if shares is None:
            return None
        if len(shares) == 1:
            return next(iter(shares))
        (fleet,) = random.choices(list(shares), list(shares.values()))  # noqa: S311
        return fleet

    def serving(self, name: str) -> list[Fleet]:
        """Return all that answer for an endpoint: two fleets while traffic moves."""
        return list(self._traffic.get(name, ()))

    def change(self, name: str) -> None:
        """Bring an endpoint to what its document has as `Wanted`; return at once."""
        self._apart(self._bring, name)

    def delete(self, name: str) -> None:
        """End an endpoint whose document says Deleting; return at once."""
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
                self._apart(self._bring, name)

    def close(self) -> None:
        """End all servers; their endpoints come back with the next platform."""
        self._closed.set()
        with self._lock:
            alive = list(self._alive)
        with ThreadPoolExecutor(len(alive) + 1) as executor:
            for fleet in alive:
                executor.submit(fleet.close, 0.0, LAST_GRACE)
        for thread in self._threads:
            thread.join()
        self.captures.close()

    def _apart(self, act: Callable[[str], None], name: str) -> None:
        thread = threading.Thread(target=act, args=(name,), name=f"endpoint {name}", daemon=True)
        with self._lock:
            self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()

    def _bring(self, name: str) -> None:
        """Start what was deployed before the platform, then what is wanted."""
        document = self._platform.resources.find(ENDPOINT, name) or {}
        wanted = document.get("Wanted")
        reason = "" if wanted else document.get("FailureReason", "")
        if "Deployed" in document and name not in self._traffic:
            reason = self._deploy(name, document["Deployed"]) or reason
        if wanted is not None:
            reason = self._deploy(name, wanted)
        if not self._closed.is_set():
            self._settle(name, reason, None if reason else wanted)

    def _deploy(self, name: str, wanted: Document) -> str:
        """Start servers and let the traffic move to them; return why that failed, or nothing."""
        with self._turns[name]:
            before = self.fleet(name)
            if before is not None and wanted.get("Kept"):
                before.weigh(wanted)
                return ""
            fleet = Fleet(self._platform, name, wanted)
            with self._lock:
                document = self._platform.resources.find(ENDPOINT, name) or {}
                if self._closed.is_set() or document.get("EndpointStatus") == "Deleting":
                    return ENDED
                self._alive.add(fleet)
                fleet.start()
            try:
                fleet.settle()
            except ServerFailed as error:
                self._end(fleet, drain=0)
                return str(error)
            if before is None:
                self._traffic[name] = {fleet: 1.0}
                return ""
            counts = [each["DesiredInstanceCount"] for each in wanted["ProductionVariants"]]
            rollout = Rollout.of(wanted.get("DeploymentConfig"), counts)
            reason = self._shift(name, before, fleet, rollout)
            self._end(fleet if reason else before, drain=ANSWER_TIMEOUT)
            return reason

    def _shift(self, name: str, before: Fleet, fleet: Fleet, rollout: Rollout) -> str:
        """Move the traffic step by step; after an alarm move it back, and return what it was."""
        for share in rollout.shares:
            old = {before: 1 - share} if share < 1 else {}
            self._traffic[name] = {**old, fleet: share}
            if reason := self._bake(fleet, rollout):
                if reason != ENDED:
                    self._traffic[name] = {before: 1.0}
                    self._roll_back(name, reason)
                return reason
        ends = time.monotonic() + rollout.termination
        while fleet in self._alive and (left := ends - time.monotonic()) > 0:
            self._closed.wait(min(left, MOMENT))
        return ""

    def _bake(self, fleet: Fleet, rollout: Rollout) -> str:
        """Watch the alarms; return why the traffic has to move back, or nothing."""
        ends = time.monotonic() + rollout.interval
        while True:
            left = ends - time.monotonic()
            if reason := self._tripped(rollout.alarms):
                return reason
            if left <= 0:
                return ""
            if self._closed.wait(min(left, MOMENT)) or fleet not in self._alive:
                return ENDED

    def _roll_back(self, name: str, reason: str) -> None:
        """Note that what was wanted is not wanted any more: a later platform must not try again."""

        def change(document: Document) -> None:
            document.pop("Wanted", None)
            if document["EndpointStatus"] != "Deleting":
                document["EndpointStatus"] = "RollingBack"
            document["FailureReason"] = reason[:REASON_LENGTH]

        with contextlib.suppress(Missing):  # deleted meanwhile
            self._platform.resources.change(ENDPOINT, name, change)

    def _tripped(self, names: tuple[str, ...]) -> str:
        """Return which of some alarms are on, and why."""
        if not names:
            return ""
        asked = {"AlarmNames": list(names), "StateValue": "ALARM"}
        found = self._platform.call("cloudwatch", "DescribeAlarms", asked)["MetricAlarms"]
        said = "; ".join(f"{alarm['AlarmName']} ({alarm['StateReason']})" for alarm in found)
        return f"The update was rolled back: alarms are in state ALARM: {said}" if found else ""

    def _delete(self, name: str) -> None:
        with self._lock:  # what starts from now on sees the status
            self._traffic.pop(name, None)
            alive = [fleet for fleet in self._alive if fleet.endpoint == name]
        for fleet in alive:
            self._end(fleet, drain=ANSWER_TIMEOUT)
        with self._turns[name]:
            self._traffic.pop(name, None)
            if not self._closed.is_set():
                self._platform.resources.delete(ENDPOINT, name)

    def _end(self, fleet: Fleet, drain: float) -> None:
        fleet.close(drain)
        with self._lock:
            self._alive.discard(fleet)

    def _settle(self, name: str, reason: str, deployed: Document | None) -> None:
        def settle(document: Document) -> None:
            for member in ("Wanted", "FailureReason", "PendingDeploymentSummary"):
                document.pop(member, None)
            if document["EndpointStatus"] != "Deleting":
                document["EndpointStatus"] = "InService" if name in self._traffic else "Failed"
            if reason:
                document["FailureReason"] = reason[:REASON_LENGTH]
            if deployed is not None:
                document["Deployed"] = deployed
                document |= {member: deployed.get(member) for member in SHOWN}
            document["LastModifiedTime"] = time.time()

        with contextlib.suppress(Missing):  # deleted meanwhile
            self._platform.resources.change(ENDPOINT, name, settle)
