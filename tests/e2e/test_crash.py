"""Platforms that are killed at random moments: `BOOSTLINE_CRASH_SEED` repeats a run."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from boostline.contracts.pipeline import get
from tests.e2e.line import Line
from tests.local.services.pipelines_bench import REGISTER, gate, processing, training
from tests.local.services.sagemaker_bench import ROLE

pytestmark = pytest.mark.slow

ROUNDS = 50
ENOUGH = 4  # executions: a machine that is slower lets platforms live for longer
SECONDS = 0.8  # the longest life of a platform
EARLY = 0.2  # how often that counts from its start; else from when it answers
BROKEN = (
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    KeyError,  # the head of an answer came and its body did not: botocore compares no lengths
    ReadTimeoutError,
    ResponseStreamingError,
)
DONE = ("Succeeded", "Failed", "Stopped")
SERVE = """
import sys
from pathlib import Path
from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import serve
folder, programs, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
images = {f"*/{path.stem}:*": ("sh", str(path)) for path in programs.iterdir()}
serve(Platform(Settings(folder, port, images=images)), lambda port: print(port, flush=True))
"""
PROGRAMS = {
    "process": 'tr a-z A-Z < "$B/processing/input/data/data.txt"'
    ' > "$B/processing/output/train/train.csv"',
    "train": 'echo training; cat "$B/input/data/train/train.csv" > "$B/model/model.txt"',
    "evaluate": 'test -s "$B/processing/input/model/model.tar.gz" || exit 1\n'
    """echo '{"metrics": {"length": {"value": 9}}}'"""
    ' > "$B/processing/output/evaluation/evaluation.json"',
    "other": "sleep 0.05",
    "serve": "exit 1",
}
JOBS = ("Process", "Train", "Evaluate", "Beside")
STEPS = {*JOBS, "Gate", "Register"}


def definition() -> str:
    report = {
        "PropertyFileName": "Report",
        "OutputName": "evaluation",
        "FilePath": "evaluation.json",
    }
    model = {"model": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    parameters = {"Rounds": 1, "Bound": 5, "Approval": "PendingManualApproval"}
    types = {int: "Integer", str: "String"}
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": [
                {"Name": name, "Type": types[type(value)], "DefaultValue": value}
                for name, value in parameters.items()
            ],
            "Steps": [
                processing("Process", "process", {"data": "s3://bench/data.txt"}, {"train": "t"}),
                training(),
                processing("Beside", "other", {}, {}),
                processing(
                    "Evaluate", "evaluate", model, {"evaluation": "e"}, PropertyFiles=[report]
                ),
                gate("Gate", "metrics.length.value", get("Parameters.Bound"), [REGISTER], []),
            ],
        }
    )


def seeded() -> random.Random:
    seed = int(os.environ.get("BOOSTLINE_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"BOOSTLINE_CRASH_SEED={seed}")
    return random.Random(seed)


def processes_of(folder: Path) -> list[str]:
    """Return what runs with a folder in its command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                if os.fsencode(folder) in command + (entry / "environ").read_bytes():
                    found.append(f"{entry.name} {command!r}")
    return found


@dataclass
class Killed:
    """A platform of small programs, its client, and all that it has acknowledged."""

    folder: Path
    port: int
    clients: dict[str, Any]
    token: str = ""
    arns: list[str] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)

    def up(self) -> subprocess.Popen[str]:
        folders = [str(self.folder / "platform"), str(self.folder / "programs")]
        command = [sys.executable, "-c", SERVE, *folders, str(self.port)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def round(self, life: float, early: bool) -> None:
        """Ask for things until the platform is killed: so long after it started, or answers."""
        platform = self.up()
        assert platform.stdout is not None
        timer = threading.Timer(life, platform.kill)
        if early:
            timer.start()
        answers = platform.stdout.readline()
        if not early:
            timer.start()
        try:
            while answers:
                self.ask()
        except BROKEN:
            pass
        finally:
            timer.cancel()
            platform.kill()
            platform.communicate()

    def ask(self) -> None:
        """Start an execution if none runs, and store an object; note what is acknowledged."""
        if not self.arns or self.status(self.arns[-1]) in DONE:
            self.token = self.token or uuid.uuid4().hex  # the same until it is acknowledged
            started = self.clients["sagemaker"].start_pipeline_execution(
                PipelineName="pipe", ClientRequestToken=self.token
            )
            self.arns.append(started["PipelineExecutionArn"])
            self.token = ""
        key, body = f"objects/{uuid.uuid4().hex}", uuid.uuid4().bytes * 1000
        self.clients["s3"].put_object(Bucket="bench", Key=key, Body=body)
        self.objects[key] = body

    def status(self, arn: str) -> str:
        found = self.clients["sagemaker"].describe_pipeline_execution(PipelineExecutionArn=arn)
        return str(found["PipelineExecutionStatus"])

    def read(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.clients["s3"].get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def pages(self, operation: str, member: str, **request: Any) -> list[dict[str, Any]]:
        pages = self.clients["sagemaker"].get_paginator(operation).paginate(**request)
        return [found for page in pages for found in page[member]]


@pytest.fixture
def port() -> Iterator[int]:
    """A port that the system gives to nobody else while no platform listens on it."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server does
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.fixture
def killed(tmp_path: Path, port: int) -> Killed:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, body in PROGRAMS.items():
        text = f"B=${{SAGEMAKER_BASE_DIR:-/opt/ml}}\n{body}\n"
        (programs / f"{name}.sh").write_text(text)
    made = Killed(tmp_path, port, {})
    platform = made.up()
    assert platform.stdout is not None
    platform.stdout.readline()
    access_key, secret_key = (tmp_path / "platform/credentials").read_text().split()
    session = boto3.Session(access_key, secret_key, region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, read_timeout=20)
    for service in ("sagemaker", "s3"):
        endpoint = f"http://127.0.0.1:{port}"
        made.clients[service] = session.client(service, endpoint_url=endpoint, config=config)
    made.clients["s3"].create_bucket(Bucket="bench")
    made.clients["s3"].put_object(Bucket="bench", Key="data.txt", Body=b"abc")
    made.clients["sagemaker"].create_pipeline(
        PipelineName="pipe", PipelineDefinition=definition(), RoleArn=ROLE
    )
    platform.kill()
    platform.communicate()
    return made


def awaited(holds: Callable[[], bool], limit: float = 120) -> None:
    deadline = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.timeout(600)
def test_killed_platform_loses_nothing_and_does_nothing_twice(killed: Killed) -> None:
    rounds = seeded()
    number, longest = 0, SECONDS
    while number < ROUNDS or len(killed.arns) < ENOUGH:
        killed.round(rounds.uniform(0, longest), early=rounds.random() < EARLY)
        number, longest = number + 1, longest if number < ROUNDS else 1.5 * longest
    platform = killed.up()
    assert platform.stdout is not None
    platform.stdout.readline()
    try:
        check(killed)
    finally:
        platform.terminate()
        platform.communicate()
    assert processes_of(killed.folder) == []
    assert list((killed.folder / "platform/jobs").glob("*/*")) == []


def check(killed: Killed) -> None:
    summaries = killed.pages(
        "list_pipeline_executions", "PipelineExecutionSummaries", PipelineName="pipe"
    )
    known = {summary["PipelineExecutionArn"] for summary in summaries}
    assert set(killed.arns) <= known
    assert len(known - set(killed.arns)) <= bool(killed.token)  # the one not acknowledged
    print(f"{len(known)} executions, {len(killed.objects)} objects")
    awaited(lambda: all(killed.status(arn) in DONE for arn in known))
    for arn in known:
        assert killed.status(arn) == "Succeeded"
        found = killed.pages(
            "list_pipeline_execution_steps", "PipelineExecutionSteps", PipelineExecutionArn=arn
        )
        assert sorted(step["StepName"] for step in found) == sorted(STEPS)
        assert {step["StepStatus"] for step in found} == {"Succeeded"}
        assert {step["AttemptCount"] for step in found} == {1}
    packages = killed.pages(
        "list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName="churn"
    )
    numbers = sorted(package["ModelPackageVersion"] for package in packages)
    assert numbers == list(range(1, len(known) + 1))
    models = set()
    for package in packages:
        described = killed.clients["sagemaker"].describe_model_package(
            ModelPackageName=package["ModelPackageArn"]
        )
        models.add(described["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
    assert len(models) == len(known)
    assert all(killed.read(uri)[:2] == b"\x1f\x8b" for uri in models)
    trained = killed.pages("list_training_jobs", "TrainingJobSummaries")
    processed = killed.pages("list_processing_jobs", "ProcessingJobSummaries")
    assert [job["TrainingJobStatus"] for job in trained] == ["Completed"] * len(known)
    statuses = {job["ProcessingJobStatus"] for job in processed}
    assert (statuses, len(processed)) == ({"Completed"}, (len(JOBS) - 1) * len(known))
    for key, body in killed.objects.items():
        assert killed.read(f"s3://bench/{key}") == body


@pytest.mark.timeout(600)
def test_real_training_survives_kills(line: Line, tmp_path: Path) -> None:
    rounds = seeded()
    own = Line(tmp_path / "platform", line.project, dict(line.environment))
    own.environment["BOOSTLINE_DIR"] = str(own.folder)
    own.up()
    own.run("pipeline", "upsert")
    arn = own.run("pipeline", "start").stdout.strip()
    try:
        for _ in range(4):
            time.sleep(rounds.uniform(0.5, 5))
            assert own.process is not None
            own.process.kill()
            own.process.communicate()
            own.up()
        client = own.client("sagemaker")

        def described() -> dict[str, Any]:
            found: dict[str, Any] = client.describe_pipeline_execution(PipelineExecutionArn=arn)
            return found

        awaited(lambda: described()["PipelineExecutionStatus"] in DONE, 200)
        assert described()["PipelineExecutionStatus"] == "Succeeded", described()
        name = arn.split("/")[1]
        packages = client.list_model_packages(ModelPackageGroupName=name)
        assert len(packages["ModelPackageSummaryList"]) == 1
        trained = client.list_training_jobs()["TrainingJobSummaries"]
        assert [job["TrainingJobStatus"] for job in trained] == ["Completed"]
        with pytest.raises(ClientError, match="Failed or Stopped"):
            client.retry_pipeline_execution(PipelineExecutionArn=arn)
    finally:
        own.down()
    assert processes_of(own.folder) == []
