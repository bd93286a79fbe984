"""The small container of these tests: what fits it, and what a command cannot show of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from boostline.conformance import hosting, server
from boostline.conformance.bench import Limits
from boostline.conformance.inputs import Inputs, Request, read_job
from boostline.conformance.suite import Finding
from boostline.contracts.archives import pack
from boostline.contracts.ports import free_port

# For a machine that does much else; faults that only time can show have shorter ones.
PATIENT = Limits(
    start=120, ping=30, connection=5, job_stop=120, server_stop=120, watch=60, silence=60
)
CONTAINER = Path(__file__).with_name("container.py")
IMAGE = {"image.entry-point", "image.nothing-shipped", "image.root"}
SEALED = {"training.sealed", "processing.sealed", "hosting.sealed"}
REGEX = "loss=([0-9.]+)"


def lay_inputs(folder: Path) -> Inputs:
    """Write jobs, a model and a request that the small container takes."""
    training = {
        "HyperParameters": {"rounds": "10"},
        "AlgorithmSpecification": {"MetricDefinitions": [{"Name": "loss", "Regex": REGEX}]},
    }
    output = {"OutputName": "sum", "S3Output": {"LocalPath": "/opt/ml/processing/output/sum"}}
    _lay_job(folder / "training", "train", training)
    _lay_job(folder / "processing", "numbers", {"ProcessingOutputConfig": {"Outputs": [output]}})
    (folder / "model").mkdir()
    (folder / "model/model.txt").write_text("7")
    pack(folder / "model", folder / "model.tar.gz")
    return Inputs(
        read_job(folder / "training"),
        read_job(folder / "processing"),
        folder / "model.tar.gz",
        Request(b"[1, 2]", "application/json"),
    )


def own_default(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Let the small container, told so, have another port than 8080, which others may have."""
    port = free_port()
    for module in (server, hosting):
        monkeypatch.setattr(module, "DEFAULT_PORT", port)
    return {"DEFAULT_PORT": str(port)}


def failing(findings: Iterable[Finding]) -> dict[str, str]:
    """Return why checks fail, by their names."""
    return {f.check.name: f.why for f in findings if f.outcome == "fails"}


def _lay_job(folder: Path, channel: str, request: dict[str, object]) -> None:
    (folder / channel).mkdir(parents=True)
    (folder / channel / "1.txt").write_text("1")
    (folder / "job.json").write_text(json.dumps(request))
