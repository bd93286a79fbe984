"""The endpoints of a platform: creation, update, removal, and their return after a restart."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from boostline.local.engine.work import remove
from boostline.local.hosting.capture import Captures
from boostline.local.hosting.client import ANSWER_TIMEOUT
from boostline.local.hosting.fleet import Fleet
from boostline.local.hosting.rollout import Rollout
from boostline.local.hosting.server import GRACE, ServerFailed
from boostline.local.platform import Platform
from boostline.local.store.resources import Document, Missing

ENDPOINT = "endpoint"
SHOWN = ("EndpointConfigName", "ProductionVariants", "DataCaptureConfig")
LAST_GRACE = 5.0  # seconds between SIGTERM and SIGKILL when the platform stops
REASON_LENGTH = 1024  # characters of FailureReason
MOMENT = 0.25  # seconds between two looks at the alarms while traffic moves
ENDED = "the endpoint is being ended"


class Endpoint:
    """Brings an endpoint to what its document says.

    Beside the members of DescribeEndpoint, a document has `Deployed` and, during a change,
    `Wanted`, both plans: the configuration's name (`EndpointConfigName`), `ProductionVariants` as
    they are described, `Containers`, which is what each variant runs (see `Container`),
    `DataCaptureConfig`, if there is one, and `DeploymentConfig`, which says how the traffic moves.
    Changes to configurations and models made later do not touch an endpoint.

    `traffic` is who answers, with their shares: two fleets while it moves. It is replaced, never
    changed.
    """

    def __init__(self, platform: Platform, name: str) -> None:
        self.name = name
        self.traffic: dict[Fleet, float] = {}
        self._platform = platform
        self._lock = threading.Lock()
        self._fleets: set[Fleet] = set()  # those that start or drain among them
        self._ended = threading.Event()
        self._turn = threading.Lock()  # one change after another

    def fleet(self) -> Fleet | None:
        """Return servers that answer, if there are any: by their share."""
        shares = self.traffic
        return random.choices(list(shares), list(shares.values()))[0] if shares else None  # noqa: S311

    def bring(self) -> None:
        """Start what was deployed before the platform, then what is wanted."""
        with self._turn:
            document = self._platform.resources.find(ENDPOINT, self.name) or {}
            wanted, reason = document.get("Wanted"), document.get("FailureReason", "")
            if "Deployed" in document and not self.traffic:
                reason = self._deploy(document["Deployed"]) or reason
            if wanted is not None:
                reason = self._deploy(wanted)
            if not self._ended.is_set():
                status = "InService" if self.traffic else "Failed"
                self._note(status, reason, None if reason else wanted)

    def end(self, drain: float, grace: float = GRACE) -> None:
        """Take no more requests, stop all servers, and what goes on."""
        with self._lock:
            self._ended.set()
            self.traffic = {}
            fleets = list(self._fleets)
        with ThreadPoolExecutor(len(fleets) + 1) as executor:
            for fleet in fleets:
                executor.submit(fleet.close, drain, grace)
        with self._turn:  # what went on has ended
            pass

    def _deploy(self, plan: Document) -> str:
        """Start servers and let the traffic move to them; return why that failed, or nothing."""
        before = list(self.traffic)
        with self._lock:
            if self._ended.is_set():
                return ENDED
            fleet = Fleet(self._platform, self.name, plan)
            self._fleets.add(fleet)
            fleet.start()
        leaving, reason = before, ""
        try:
            fleet.settle()
            self._shift(before, fleet, Rollout.of(plan) if before else Rollout())
        except ServerFailed as error:
            leaving, reason = [fleet], str(error)
        for each in leaving:
            each.close(ANSWER_TIMEOUT)
            with self._lock:
                self._fleets.discard(each)
        return reason

    def _shift(self, before: list[Fleet], fleet: Fleet, rollout: Rollout) -> None:
        """Move the traffic step by step, and back if it has to go: `ServerFailed` says why."""
        try:
            for share in rollout.shares:
                others = dict.fromkeys(before, 1 - share) if share < 1 else {}
                self._route({fleet: share, **others})
                self._bake(rollout)
        except ServerFailed as error:
            self._route(dict.fromkeys(before, 1.0))
            # What was wanted is not wanted any more: a later platform must not try again.
            self._note("RollingBack", str(error))
            raise
        self._ended.wait(rollout.termination)

    def _route(self, traffic: dict[Fleet, float]) -> None:
        with self._lock:
            if self._ended.is_set():
                raise ServerFailed(ENDED)
            self.traffic = traffic

    def _bake(self, rollout: Rollout) -> None:
        """Watch the alarms: `ServerFailed` says which are on, and why."""
        ends = time.monotonic() + rollout.interval
        while True:
            left = ends - time.monotonic()
            if rollout.alarms:
                asked = {"AlarmNames": list(rollout.alarms), "StateValue": "ALARM"}
                answer = self._platform.call("cloudwatch", "DescribeAlarms", asked)
                on = [
                    f"{each['AlarmName']} ({each['StateReason']})"
                    for each in answer["MetricAlarms"]
                ]
                if on:
                    said = f"The update was rolled back: alarms are in state ALARM: {'; '.join(on)}"
                    raise ServerFailed(said)
            if left <= 0:
                return
            if self._ended.wait(min(left, MOMENT)):
                raise ServerFailed(ENDED)

    def _note(self, status: str, reason: str, deployed: Document | None = None) -> None:
        """Note how a change went."""

        def note(document: Document) -> None:
            for member in ("Wanted", "FailureReason", "PendingDeploymentSummary"):
                document.pop(member, None)
            if document["EndpointStatus"] != "Deleting":
                document["EndpointStatus"] = status
            if reason:
                document["FailureReason"] = reason[:REASON_LENGTH]
            if deployed is not None:
                document["Deployed"] = deployed
                document |= {member: deployed.get(member) for member in SHOWN}
            document["LastModifiedTime"] = time.time()

        with contextlib.suppress(Missing):  # deleted meanwhile
            self._platform.resources.change(ENDPOINT, self.name, note)


class Endpoints:
    """All of them, by name. What takes time is done apart: each call returns at once."""

    def __init__(self, platform: Platform) -> None:
        self.captures = Captures(platform)
        self._platform = platform
        self._lock = threading.Lock()
        self._endpoints: dict[str, Endpoint] = {}
        self._threads: list[threading.Thread] = []
        self._closed = False

    def find(self, name: str) -> Endpoint | None:
        """Return an endpoint, if this platform has begun to bring it."""
        return self._endpoints.get(name)

    def change(self, name: str) -> None:
        """Bring an endpoint to what its document has as `Wanted`."""
        self._apart(name, Endpoint.bring)

    def delete(self, name: str) -> None:
        """End an endpoint whose document says Deleting."""
        self._apart(name, self._delete)

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
                self.change(name)

    def close(self) -> None:
        """End all servers; their endpoints come back with the next platform."""
        with self._lock:
            self._closed = True
            endpoints = list(self._endpoints.values())
        with ThreadPoolExecutor(len(endpoints) + 1) as executor:
            for endpoint in endpoints:
                executor.submit(endpoint.end, 0.0, LAST_GRACE)
        for thread in self._threads:
            thread.join()
        self.captures.close()

    def _apart(self, name: str, act: Callable[[Endpoint], None]) -> None:
        with self._lock:
            if self._closed:
                return
            endpoint = self._endpoints.setdefault(name, Endpoint(self._platform, name))
            thread = threading.Thread(
                target=act, args=(endpoint,), name=f"endpoint {name}", daemon=True
            )
            self._threads = [*(t for t in self._threads if t.is_alive()), thread]
            thread.start()

    def _delete(self, endpoint: Endpoint) -> None:
        endpoint.end(ANSWER_TIMEOUT)
        with self._lock:
            del self._endpoints[endpoint.name]
        self._platform.resources.delete(ENDPOINT, endpoint.name)
