"""Sends events to the commands that stand for the targets of rules."""

from __future__ import annotations

import logging
import shlex
import threading
import time
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from boostline.contracts.address import VARIABLE
from boostline.local.environment import scrubbed
from boostline.local.folders import remove
from boostline.local.platform import Platform
from boostline.local.runners.base import Program, RunnerError, Sink
from boostline.local.runners.process import Process
from boostline.local.runners.processes import Processes
from boostline.local.services.events.inputs import made
from boostline.local.services.events.patterns import matches, read
from boostline.local.store.events import RULE
from boostline.local.store.resources import Document

LOG = logging.getLogger(__name__)
DELIVERY = "event-delivery"
OWNER = "event/"
GRACE = 5.0  # seconds between SIGTERM and SIGKILL when the platform stops
LONGEST_PAUSE = 60.0  # seconds between two attempts
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html
RETRIES = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}


class Deliveries:
    """Each event at least once, to one target one after another; a delivery outlives the platform.

    To deliver is to run the command: it is run again if it could not be started, or was ended with
    the platform, and not because it failed, as a pipeline that fails is not started again.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._processes = Processes(platform.database)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Thread] = {}
        self._programs: dict[str, Program] = {}
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """End what an earlier platform left, and go on with what it had to send."""
        self._processes.end_left_over(OWNER)
        remove(self._platform.folder / "events")
        self._thread.start()

    def close(self) -> None:
        """End the commands; they are run again by the next platform."""
        self._closed.set()
        self._platform.events.arrived.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            programs, threads = [*self._programs.values()], [*self._busy.values()]
        for program in programs:
            program.stop(GRACE)
        for thread in threads:
            thread.join()

    def route(self) -> None:
        """Make deliveries of what has arrived, by the rules as they are."""
        with self._platform.database.transaction():
            for number, event in self._platform.events.waiting():
                for rule in self._platform.resources.list(RULE):
                    for target, given in _inputs(rule, event):
                        self._add(rule["Name"], target, event["id"], given)
                self._platform.events.drop(number)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._platform.events.arrived.clear()
            try:
                self.route()
                pause = self._begin()
            except Exception:  # or nothing would ever be sent again
                LOG.exception("events")
                pause = LONGEST_PAUSE
            self._platform.events.arrived.wait(pause)

    def _add(self, rule: str, target: Document, event: str, given: str) -> None:
        for time_ in range(self._platform.settings.deliveries):
            document = {
                "Rule": rule,
                "Target": target,
                "Event": event,
                "Input": given,
                "Attempts": 0,
                "CreationTime": time.time(),
                "Due": 0.0,
            }
            name = f"{event}-{rule}-{target['Id']}-{time_}"
            self._platform.resources.create(DELIVERY, name, document | {"Name": name})

    def _begin(self) -> float | None:
        """Start what is due to targets that have nothing else to do; return when to look again."""
        waits = []
        with self._lock:
            for document in self._platform.resources.list(DELIVERY):
                key = document["Target"]["Arn"]
                wait = document["Due"] - time.time()
                if key in self._busy or self._closed.is_set():
                    continue
                if wait > 0:
                    waits.append(wait)
                    continue
                work = partial(self._deliver, key, document)
                self._busy[key] = threading.Thread(target=work, name=key, daemon=True)
                self._busy[key].start()
        return min(waits, default=None)

    def _deliver(self, key: str, document: Document) -> None:
        name, target = document["Name"], document["Target"]
        stream = f"{target['Id']}/{document['Event']}"
        tell = partial(self._platform.logs.append, f"/aws/events/{document['Rule']}", stream)
        try:
            if self._send(document, tell):
                self._platform.resources.delete(DELIVERY, name)
        except RunnerError as error:
            tell([str(error)])
            self._again(document, tell)
        except Exception:
            LOG.exception("%s", name)
            self._again(document, tell)
        finally:
            with self._lock:
                del self._busy[key]
                self._programs.pop(name, None)
            self._platform.events.arrived.set()

    def _send(self, document: Document, tell: Sink) -> bool:
        """Run the command that stands for a target; return whether that is done with."""
        name, arn, given = document["Name"], document["Target"]["Arn"], document["Input"]
        declared = self._platform.settings.targets.items()
        command = next((line for glob, line in declared if fnmatchcase(arn, glob)), None)
        if command is None:
            tell([f"no command is declared for {arn}: boostline up --on-event '{arn}=COMMAND'"])
            return True
        home = self._platform.folder / "events" / name
        home.mkdir(parents=True, exist_ok=True)
        (home / "event.json").write_text(given)
        environment = scrubbed(self._platform, home, {VARIABLE: str(self._platform.folder)})
        tell([f"{arn}: {shlex.join(command)}"])
        owner, event = f"{OWNER}{name}", home / "event.json"
        program = Process(self._processes, owner, command, environment, Path.cwd(), tell, event)
        with self._lock:
            self._programs[name] = program
        if self._closed.is_set():
            program.stop(GRACE)
        code = program.wait()
        done = not self._closed.is_set()  # what is told as done is not run again
        remove(home)
        if done:
            if code:
                what, group = shlex.join(command), f"/aws/events/{document['Rule']}"
                LOG.warning("%s: exit code %d; its lines are in log group %s", what, code, group)
            tell([f"exit code {code}"])
        return done

    def _again(self, document: Document, tell: Sink) -> None:
        """Put a delivery off that could not be begun, unless it was tried often or long enough."""
        limits = RETRIES | document["Target"].get("RetryPolicy", {})
        attempts, age = document["Attempts"] + 1, time.time() - document["CreationTime"]
        if attempts > limits["MaximumRetryAttempts"] or age > limits["MaximumEventAgeInSeconds"]:
            tell([f"given up after {attempts} attempts in {age:.0f} s"])
            self._platform.resources.delete(DELIVERY, document["Name"])
            return
        due = time.time() + min(LONGEST_PAUSE, 2.0**attempts)
        self._platform.resources.update(DELIVERY, document["Name"], Attempts=attempts, Due=due)


def _inputs(rule: Document, event: Document) -> list[tuple[Document, str]]:
    """Return the targets of a rule that are to get an event, and what they get."""
    try:
        if rule["State"] == "DISABLED" or not matches(read(rule["EventPattern"]), event):
            return []
        return [(target, made(target, event)) for target in rule["Targets"]]
    except Exception:  # or no other rule would ever get an event again
        LOG.exception("rule %s gets no event %s", rule["Name"], event["id"])
        return []
