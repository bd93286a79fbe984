"""The endpoints of a platform: creation, update, removal, and their return after a restart."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time

from boostline.local.folders import remove
from boostline.local.hosting.capture import Captures
from boostline.local.hosting.client import ANSWER_TIMEOUT
from boostline.local.hosting.fleet import Fleet
from boostline.local.hosting.rollout import Rollout
from boostline.local.hosting.server import GRACE, ServerFailed
from boostline.local.platform import Platform
from boostline.local.store.resources import Document, Missing

LOG = logging.getLogger(__name__)
ENDPOINT = "endpoint"
SHOWN = ("EndpointConfigName", "ProductionVariants", "DataCaptureConfig")
LAST_GRACE = 5.0  # seconds between SIGTERM and SIGKILL when the platform stops
REASON_LENGTH = 1024  # characters of FailureReason
AGAIN = 5.0  # seconds until what could not be noted is tried anew
MOMENT = 0.25  # seconds between two looks at document and alarms during a change


class Ended(Exception):
    """The endpoint is being deleted, or the platform stops."""


class Endpoint:
    """Brings an endpoint to what its document says, in a thread of its own.

    Beside the members of DescribeEndpoint, a document has `Deployed` and, during a change,
    `Wanted`, both plans: the configuration's name (`EndpointConfigName`), `ProductionVariants` as
    they are described, each with the `Container` that it runs, `DataCaptureConfig`, if there is
    one, and `DeploymentConfig`, which says how the traffic moves. Changes to configurations and
    models made later do not touch an endpoint.

    `traffic` is who answers, with their shares: two fleets while it moves. It is replaced, never
    changed.
    """

    def __init__(self, platform: Platform, name: str) -> None:
        self.traffic: dict[Fleet, float] = {}
        self._platform = platform
        self._name = name
        self._fleets: list[Fleet] = []  # those that start or drain among them
        self._news = threading.Event()
        self._stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"endpoint {name}", daemon=True)
        self.thread.start()

    def fleet(self) -> Fleet | None:
        """Return servers that answer, if there are any: by their share."""
        shares = self.traffic
        return random.choices(list(shares), list(shares.values()))[0] if shares else None  # noqa: S311

    def look(self) -> None:
        """Let it see that the document says something else."""
        self._news.set()

    def stop(self) -> None:
        """End the servers, for a later platform to start them again; `thread` ends then."""
        self._stopping.set()
        self._news.set()

    def _run(self) -> None:
        with contextlib.suppress(Ended):
            while True:
                self._news.clear()
                try:
                    self._bring(self._document())
                except Ended:
                    raise
                except Exception:  # a full disk: what the document says is still to be done
                    LOG.exception("endpoint %s", self._name)
                    self._close([fleet for fleet in self._fleets if fleet not in self.traffic])
                    self._news.wait(AGAIN)
                else:
                    self._news.wait()
        self.traffic = {}
        self._close(list(self._fleets))
        if not self._stopping.is_set():
            self._platform.resources.delete(ENDPOINT, self._name)

    def _document(self) -> Document:
        document = self._platform.resources.find(ENDPOINT, self._name)
        if document is None or document["EndpointStatus"] == "Deleting" or self._stopping.is_set():
            raise Ended
        return document

    def _bring(self, document: Document) -> None:
        """Start what was deployed before the platform, then what is wanted."""
        wanted, reason = document.get("Wanted"), document.get("FailureReason", "")
        if "Deployed" in document and not self.traffic:
            reason = self._deploy(document["Deployed"]) or reason
        if wanted is not None:
            reason = self._deploy(wanted)
        status = "InService" if self.traffic else "Failed"
        self._note(status, reason, None if reason else wanted)

    def _deploy(self, plan: Document) -> str:
        """Start servers and let the traffic move to them; return why that failed, or nothing."""
        before, leaving, reason = list(self.traffic), list(self.traffic), ""
        fleet = Fleet(self._platform, self._name, plan)
        self._fleets.append(fleet)
        try:
            fleet.start()
            while not fleet.settled(MOMENT):
                self._document()
            self._shift(before, fleet, Rollout.of(plan) if before else Rollout())
        except (ServerFailed, OSError) as error:
            leaving, reason = [fleet], str(error)
        self._close(leaving)
        return reason

    def _shift(self, before: list[Fleet], fleet: Fleet, rollout: Rollout) -> None:
        """Move the traffic step by step, and back if it has to go: `ServerFailed` says why."""
        try:
            for share in rollout.shares:
                others = dict.fromkeys(before, 1 - share) if share < 1 else {}
                self.traffic = {fleet: share, **others}
                self._bake(rollout.interval, rollout.alarms)
        except ServerFailed as error:
            self.traffic = dict.fromkeys(before, 1.0)
            # What was wanted is not wanted any more: a later platform must not try again.
            self._note("RollingBack", str(error))
            raise
        self._bake(rollout.termination, ())

    def _bake(self, seconds: float, alarms: tuple[str, ...]) -> None:
        """Let time pass, and watch alarms: `ServerFailed` says which are on, and why."""
        ends = time.monotonic() + seconds
        while True:
            self._document()
            left = ends - time.monotonic()
            asked = {"AlarmNames": list(alarms), "StateValue": "ALARM"}
            answer = self._platform.call("cloudwatch", "DescribeAlarms", asked) if alarms else {}
            found = answer.get("MetricAlarms", [])
            if on := "; ".join(f"{each['AlarmName']} ({each['StateReason']})" for each in found):
                what = "The update was rolled back: alarms are in state ALARM"
                raise ServerFailed(f"{what}: {on}")
            if left <= 0:
                return
            self._news.wait(min(left, MOMENT))

    def _close(self, fleets: list[Fleet]) -> None:
        for fleet in fleets:
            fleet.close(ANSWER_TIMEOUT, LAST_GRACE if self._stopping.is_set() else GRACE)
            self._fleets.remove(fleet)

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

        with contextlib.suppress(Missing):
            self._platform.resources.change(ENDPOINT, self._name, note)


class Endpoints:
    """The endpoints by name. What takes time is done apart: each call returns at once."""

    def __init__(self, platform: Platform) -> None:
        self.captures = Captures(platform)
        self._platform = platform
        self._endpoints: dict[str, Endpoint] = {}

    def find(self, name: str) -> Endpoint | None:
        """Return an endpoint, if there is one."""
        return self._endpoints.get(name)

    def begin(self, name: str) -> None:
        """Begin to bring about an endpoint whose document is there."""
        self._endpoints[name] = Endpoint(self._platform, name)

    def look(self, name: str) -> None:
        """Let an endpoint see that its document says something else."""
        if endpoint := self.find(name):
            endpoint.look()

    def resume(self) -> None:
        """Bring back the endpoints of an earlier platform, in new folders."""
        remove(self._platform.folder / "endpoints")
        for document in self._platform.resources.list(ENDPOINT):
            name, deleting = document["EndpointName"], document["EndpointStatus"] == "Deleting"
            if "Deployed" in document and "Wanted" not in document and not deleting:
                self._platform.resources.update(ENDPOINT, name, EndpointStatus="SystemUpdating")
            self.begin(name)

    def close(self) -> None:
        """End all servers; their endpoints come back with the next platform."""
        endpoints = list(self._endpoints.values())
        for endpoint in endpoints:
            endpoint.stop()
        for endpoint in endpoints:
            endpoint.thread.join()
        self.captures.write()
