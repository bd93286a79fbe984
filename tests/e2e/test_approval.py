"""A person approves a version, and the project's own rule brings it to staging."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from boostline.local.platform import Platform, Settings
from boostline.local.services.events.delivery import DELIVERY
from tests.e2e.line import BIN, QUICK, Line

pytestmark = pytest.mark.slow
STACK = "customer-churn--staging"
GROUP = "/aws/events/customer-churn--approved"
PATIENCE = 120  # seconds


@pytest.fixture(scope="module")
def made(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A platform where a command stands for the project's CodePipeline."""
    folder = tmp_path_factory.mktemp("approval")
    project = line.copy(folder, *QUICK)
    places = {"BOOSTLINE_DIR": str(folder / "platform")}
    found = Line(folder / "platform", project, line.environment | places)
    command = f"{BIN}/boostline deploy staging --project {project}"
    found.up("--on-event", f"*:codepipeline:*={command}")
    yield found
    found.down()


def said(line: Line) -> list[str]:
    """Return the lines of the commands that the rule has started."""
    logs = line.client("logs")
    try:
        events = logs.filter_log_events(logGroupName=GROUP)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"] for event in events]


def wait(line: Line, text: str, count: int = 1) -> None:
    """Wait until so many of the commands that the rule has started have said something."""
    until = time.monotonic() + PATIENCE
    while "\n".join(found := said(line)).count(text) < count:
        assert time.monotonic() < until, found
        time.sleep(0.2)


def commands(line: Line) -> tuple[int, int]:
    """End the platform; return how many commands the rule has started, and how many are left."""
    line.down()
    platform = Platform(Settings(line.folder))
    try:
        return len(platform.logs.streams(GROUP)), len(platform.resources.list(DELIVERY))
    finally:
        platform.stop()


def events(line: Line) -> list[dict[str, Any]]:
    client = line.client("cloudformation")
    found: list[dict[str, Any]] = client.describe_stack_events(StackName=STACK)["StackEvents"]
    return found


def test_an_approval_reaches_staging_by_itself_and_only_once(made: Line) -> None:
    made.run("run")
    made.run("aws", "bootstrap")  # it adopts the bucket and the registry that are there
    made.run("models", "approve", "1")
    wait(made, "version 1 answers at")
    answer = json.loads(made.run("api", "try").stdout)
    assert answer["model"] == "customer-churn/1"
    done = len(events(made))
    # Neither the outcome that was recorded nor another approval deploys it again.
    made.run("models", "reject", "1")
    made.run("models", "approve", "1")
    wait(made, "stage staging has version 1 already")
    assert len(events(made)) == done
    wait(made, "exit code 0", 2)
    assert commands(made) == (2, 0), "something other than the two approvals started a command"
