"""Each fault of a small container is found by the check that is meant for it, and by no other."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from boostline.conformance.bench import Limits
from boostline.conformance.command import Command
from boostline.conformance.inputs import Inputs
from boostline.conformance.subject import Launch, Process
from boostline.conformance.suite import CHECKS, Finding, examine
from tests.conformance.small import (
    CONTAINER,
    IMAGE,
    PATIENT,
    SEALED,
    failing,
    lay_inputs,
    own_default,
)

pytestmark = pytest.mark.slow

TRAINING = {
    "never succeeds": "completes",
    "no model": "model",
    "link": "plain-files",
    "writes to a channel": "channels",
    "plain hyperparameters": "encoded-hyperparameters",
    "undocumented member": "documented-configuration",
    "no metrics": "metrics",
    "takes any argument": "unknown-argument",
    "failure is 0": "failure-exit",
    "no reason": "failure-reason",
    "long reason": "failure-length",
    "ignores SIGTERM": "stop",
    "does not resume": "checkpoints",
}
PROCESSING = {
    "never succeeds": "completes",
    "no output": "outputs",
    "link": "plain-files",
    "failure is 0": "failure-exit",
    "no reason": "message",
    "reason in Latin-1": "message-text",
    "long reason": "message-length",
}
HOSTING = {
    "never healthy": "ping",
    "ping with a body": "ping-empty",
    "slow ping after an invocation": "ping-in-time",
    "model not needed": "ready",
    "another port": "default-port",
    "port 8080 alone": "asked-port",
    "few connections": "connections",
    "execution parameters": "execution-parameters",
    "no batch": "batch",
    "writes to the model": "model-read-only",
    "ignores SIGTERM": "stop",
    "drops requests": "in-flight",
    "cannot restart": "restart",
    "no invocations": "invocations",
    "refuses unknown headers": "unknown-headers",
    "refuses attributes": "attributes-taken",
    "long attributes": "attributes-set",
    "any Content-Type": "content-type",
    "any Accept": "accept",
    "no Content-Type": "answer-type",
    "one request at once": "at-once",
    "no chunks": "chunked",
    "large body": "large-payload",
    "5xx for a bad request": "bad-input",
    "broken for good": "survives",
}
SHORT = {
    "never healthy": {"start": 1.0},
    "another port": {"start": 15.0},
    "slow ping after an invocation": {"ping": 1.0},
    "ignores SIGTERM": {"job_stop": 3.0, "server_stop": 3.0},
}
MODELS = {
    "never loads": "load",
    "loads twice": "load-again",
    "no list": "list",
    "invokes any model": "invoke",
    "never unloads": "unload",
}
# Faults that do not touch each other are looked for in one go.
TOGETHER = (
    ("training", "link", "writes to a channel", "no metrics", "takes any argument", "no reason"),
    ("training", "plain hyperparameters", "undocumented member", "long reason", "ignores SIGTERM"),
    ("training", "never succeeds"),
    ("training", "no model"),
    ("training", "failure is 0"),
    ("training", "does not resume"),
    ("processing", "link", "reason in Latin-1"),
    ("processing", "no output", "long reason"),
    ("processing", "never succeeds", "no reason"),
    ("processing", "failure is 0"),
    (
        *("hosting", "ping with a body", "execution parameters", "refuses unknown headers"),
        *("refuses attributes", "any Content-Type", "any Accept", "no batch"),
        *("writes to the model", "drops requests", "cannot restart"),
    ),
    (
        *("hosting", "no Content-Type", "long attributes", "one request at once", "no chunks"),
        *("large body", "5xx for a bad request", "model not needed", "ignores SIGTERM"),
    ),
    ("hosting", "never healthy"),
    ("hosting", "slow ping after an invocation", "broken for good"),
    ("hosting", "another port"),
    ("hosting", "port 8080 alone"),
    ("hosting", "few connections"),
    ("hosting", "no invocations"),
    ("models", "never loads"),
    ("models", "loads twice", "no list", "invokes any model", "never unloads"),
)
FAULTS = {
    "training": TRAINING,
    "processing": PROCESSING,
    "hosting": HOSTING,
    "models": MODELS,
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return lay_inputs(tmp_path_factory.mktemp("inputs"))


class Awaited(Command):
    """A command whose trainings end when somebody waits for that: none is over before SIGTERM."""

    def start(self, launch: Launch) -> Process:
        process = super().start(launch)
        wait = process.wait

        def awaited(seconds: float) -> int | None:
            if seconds > 1:
                (launch.folder / "awaited").touch()
            return wait(seconds)

        process.wait = awaited  # type: ignore[method-assign]
        return process


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    return {"AWAITED": "1", **own_default(monkeypatch)}


def examined(
    fault: str, inputs: Inputs, environment: dict[str, str], limits: Limits = PATIENT
) -> list[Finding]:
    command = Awaited([sys.executable, str(CONTAINER), fault], environment)
    return list(examine(command, inputs, limits))


def test_without_a_fault_all_holds(inputs: Inputs, environment: dict[str, str]) -> None:
    findings = examined("none", replace(inputs, many=True), environment)
    assert [finding.check for finding in findings] == list(CHECKS)
    assert failing(findings) == {}
    missing = {f.check.name for f in findings if f.outcome == "not applicable"}
    assert missing == IMAGE | SEALED


@pytest.mark.parametrize("faults", TOGETHER, ids=",".join)
def test_a_fault_is_found_by_its_check(
    inputs: Inputs, environment: dict[str, str], faults: tuple[str, ...]
) -> None:
    part, *asked = faults
    given = {
        "training": Inputs(training=inputs.training),
        "processing": Inputs(processing=inputs.processing),
        "hosting": Inputs(model=inputs.model, request=inputs.request),
        "models": replace(inputs, training=None, processing=None, many=True),
    }[part]
    short = {name: limit for fault in asked for name, limit in SHORT.get(fault, {}).items()}
    limits = replace(PATIENT, **short)
    found = failing(examined(",".join(asked), given, environment, limits))
    assert set(found) == {f"{part}.{FAULTS[part][fault]}" for fault in asked}, found


def test_every_check_of_a_container_has_its_fault() -> None:
    named = {f"{part}.{check}" for part, faults in FAULTS.items() for check in faults.values()}
    assert {check.name for check in CHECKS} - named == IMAGE | SEALED
    asked = {(part, fault) for part, *faults in TOGETHER for fault in faults}
    assert asked == {(part, fault) for part, faults in FAULTS.items() for fault in faults}


def test_what_was_not_given_is_said(inputs: Inputs) -> None:
    findings = examined("none", Inputs(), {})
    assert {finding.outcome for finding in findings} == {"not applicable"}
    whys = {f.check.name: f.why for f in findings}
    assert "--training" in whys["training.model"]
    assert "--processing" in whys["processing.outputs"]
    assert "--model" in whys["hosting.ready"]
