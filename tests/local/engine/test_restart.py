"""What is left of executions and jobs when the platform is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from boostline.contracts.pipeline import get
from boostline.local.platform import Platform, Settings
from boostline.local.runners.processes import started
from boostline.local.wire.server import running
from tests.conftest import RunningPlatform
from tests.local.services.sagemaker_bench import NAMES, ROLE, Bench, image, images

pytestmark = pytest.mark.slow

SERVE = """
import sys
from pathlib import Path
from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import serve
folder, programs, names = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split()
images = {f"*/{name}:*": (sys.executable, str(programs / f"{name}.py")) for name in names}
serve(Platform(Settings(folder, port=0, images=images)), lambda port: print(port, flush=True))
"""
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}
DEFINITION: dict[str, Any] = {
    "Version": "2020-12-01",
    "Steps": [
        {
            "Name": "Train",
            "Type": "Training",
            "Arguments": {
                "AlgorithmSpecification": {
                    "TrainingImage": image("train"),
                    "TrainingInputMode": "File",
                },
                "RoleArn": ROLE,
                "OutputDataConfig": {"S3OutputPath": "s3://bench/models"},
                "ResourceConfig": CLUSTER,
                "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            },
        },
        {
            "Name": "Register",
            "Type": "RegisterModel",
            "Arguments": {
                "ModelPackageGroupName": "churn",
                "InferenceSpecification": {
                    "Containers": [
                        {
                            "Image": image("serve"),
                            "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts"),
                        }
                    ],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                },
            },
        },
        {
            "Name": "After",
            "Type": "Processing",
            "DependsOn": ["Register"],
            "Arguments": {
                "AppSpecification": {"ImageUri": image("other")},
                "RoleArn": ROLE,
                "ProcessingResources": {"ClusterConfig": CLUSTER},
            },
        },
    ],
}


class Killable:
    """A platform in a process of its own."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(folder), str(programs), " ".join(NAMES)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@contextmanager
def here(folder: Path, programs: Path) -> Iterator[Bench]:
    """Run a platform in this process."""
    platform = Platform(Settings(folder, port=0, images=images(programs)))
    with running(platform):
        yield Bench(RunningPlatform(platform), programs)


def awaited(path: Path) -> str:
    deadline = time.monotonic() + 120
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)
    return path.read_text()


def execution(bench: Bench) -> dict[str, Any]:
    (summary,) = bench.sagemaker.list_pipeline_executions(PipelineName="pipe")[
        "PipelineExecutionSummaries"
    ]
    arn = summary["PipelineExecutionArn"]
    return bench.settled(
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        "PipelineExecutionStatus",
    )


@pytest.mark.parametrize("killed_in", ["train", "other"])
def test_execution_goes_on_after_a_kill_and_registers_once(tmp_path: Path, killed_in: str) -> None:
    folder, programs = tmp_path / "platform", tmp_path / "programs"
    waiting = tmp_path / "waiting"
    with here(folder, programs) as bench:
        for name in ("train", "other"):
            bench.program(
                name,
                f"""
                waiting = pathlib.Path({str(waiting)!r})
                if {name == killed_in} and not waiting.exists():
                    waiting.write_text(str(os.getpid()))
                    signal.pause()
                """,
            )
        bench.sagemaker.create_pipeline(
            PipelineName="pipe", PipelineDefinition=json.dumps(DEFINITION), RoleArn=ROLE
        )
    killable = Killable(folder, programs)
    start(Settings(folder, port=killable.port))
    pid = int(awaited(waiting))
    assert started(pid) is not None
    killable.kill()
    with here(folder, programs) as bench:
        assert started(pid) is None
        found = execution(bench)
        assert found["PipelineExecutionStatus"] == "Succeeded", found
        packages = bench.sagemaker.list_model_packages(ModelPackageGroupName="churn")
        assert len(packages["ModelPackageSummaryList"]) == 1
        jobs = bench.sagemaker.list_training_jobs()["TrainingJobSummaries"]
        assert [job["TrainingJobStatus"] for job in jobs] == ["Completed"]
        assert len(bench.keys("models/")) == 1


def test_wait_for_the_next_attempt_outlives_the_platform(tmp_path: Path) -> None:
    folder, programs = tmp_path / "platform", tmp_path / "programs"
    incoming, moved = folder / "blobs/incoming", folder / "blobs/moved"
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 3600}
    step = {**DEFINITION["Steps"][0], "RetryPolicies": [policy]}
    with here(folder, programs) as bench:
        bench.program("train", f"pathlib.Path({str(incoming)!r}).rename({str(moved)!r})")
        bench.sagemaker.create_pipeline(
            PipelineName="pipe",
            PipelineDefinition=json.dumps({**DEFINITION, "Steps": [step]}),
            RoleArn=ROLE,
        )
        bench.sagemaker.start_pipeline_execution(PipelineName="pipe")
        jobs = bench.sagemaker.list_training_jobs
        bench.until(
            lambda: [j["TrainingJobStatus"] for j in jobs()["TrainingJobSummaries"]] == ["Failed"]
        )
        bench.program("train", "")
    moved.rename(incoming)
    with here(folder, programs) as bench:
        assert execution(bench)["PipelineExecutionStatus"] == "Succeeded"
        assert len(bench.sagemaker.list_training_jobs()["TrainingJobSummaries"]) == 2


def start(settings: Settings) -> None:
    """Start the execution at a platform that runs elsewhere."""
    access_key, secret_key = (settings.folder / "credentials").read_text().split()
    client = boto3.client(
        "sagemaker",
        endpoint_url=f"http://127.0.0.1:{settings.port}",
        region_name=settings.region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )
    client.start_pipeline_execution(PipelineName="pipe")
