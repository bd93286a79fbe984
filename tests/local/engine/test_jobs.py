from __future__ import annotations

import io
import json
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from boostline.contracts.pipeline import StepUnion
from boostline.local.engine.attempt import Attempt
from boostline.local.engine.jobs import TRAINING, Jobs
from boostline.local.engine.record import EXECUTION
from boostline.local.engine.steps import Steps
from boostline.local.platform import Platform, Settings
from boostline.local.runners.process import ProcessRunner
from boostline.local.services.sagemaker.service import SageMaker

PROGRAM = """
import os, pathlib
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
data = base / "input/data/train/a.csv"
(base / "model/m").write_text(f"{data.read_text()} {data.stat().st_mode & 0o777:o}")
"""


ROLE = "arn:aws:iam::000000000000:role/any"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}


def processing(name: str, *needed: str) -> dict[str, Any]:
    arguments = {
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": "any"},
        "ProcessingResources": {"ClusterConfig": CLUSTER},
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, "DependsOn": needed}


def pipeline(*steps: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps({"Version": "2020-12-01", "Steps": steps})
    return {"PipelineName": "pipe", "PipelineDefinition": text, "RoleArn": ROLE}


def test_job_runs_where_opt_ml_has_to_be_moved(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    platform = Platform(
        Settings(tmp_path / "platform", images={"*": (sys.executable, str(program))})
    )
    platform.objects.create_bucket("bench")
    platform.objects.write("s3://bench/data/a.csv", b"a")
    platform.runner = ProcessRunner(platform.database, platform.settings.images, moved=True)
    jobs = Jobs(platform, (TRAINING,))
    source = {"S3DataSource": {"S3Uri": "s3://bench/data/", "S3DataType": "S3Prefix"}}
    service = platform.get(SageMaker)
    service.jobs = jobs
    service.create_training_job(
        {
            "TrainingJobName": "moved",
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": "any", "TrainingInputMode": "File"},
            "InputDataConfig": [{"ChannelName": "train", "DataSource": source}],
            "OutputDataConfig": {"S3OutputPath": "s3://bench/out"},
        }
    )
    job = jobs.wait(TRAINING, "moved")
    assert job["TrainingJobStatus"] == "Completed", job
    model = io.BytesIO(platform.objects.read("s3://bench/out/moved/output/model.tar.gz"))
    with tarfile.open(fileobj=model) as archive:
        archive.extractall(tmp_path / "model", filter="data")
    assert (tmp_path / "model/m").read_text() == "a 444"
    jobs.close()
    platform.stop()


def test_execution_whose_making_is_rolled_back_never_was(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("")
    platform = Platform(
        Settings(tmp_path / "platform", images={"*": (sys.executable, str(program))})
    )
    service = platform.get(SageMaker)
    service.start()
    service.create_pipeline(pipeline(processing("Step")))

    def fail_to_store() -> None:
        with platform.database.transaction():
            service.start_pipeline_execution({"PipelineName": "pipe"})
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        fail_to_store()
    for thread in threading.enumerate():
        if thread.name == "Step":
            thread.join()
    listed = service.list_pipeline_executions({"PipelineName": "pipe"})
    assert listed == {"PipelineExecutionSummaries": []}
    assert service.list_processing_jobs({}) == {"ProcessingJobSummaries": []}
    platform.stop()


def test_job_is_stopped_however_early_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program.py"
    program.write_text("import signal; signal.pause()")
    platform = Platform(
        Settings(tmp_path / "platform", images={"*": (sys.executable, str(program))})
    )
    platform.objects.create_bucket("bench")
    service = platform.get(SageMaker)
    service.jobs.close()  # the job is there, and does not run yet
    service.create_training_job(
        {
            "TrainingJobName": "early",
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": "any", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bench/out"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 20},
        }
    )
    jobs, begin = Jobs(platform, (TRAINING,)), Attempt.start

    def begin_and_stop(attempt: Attempt) -> None:
        begin(attempt)
        while platform.resources.get(TRAINING.kind, "early")["SecondaryStatus"] != "Training":
            time.sleep(0.01)
        jobs.stop(TRAINING, "early")

    monkeypatch.setattr(Attempt, "start", begin_and_stop)
    jobs.start(TRAINING, "early")
    assert jobs.wait(TRAINING, "early")["SecondaryStatus"] == "Stopped"
    jobs.close()
    platform.stop()


def test_execution_that_breaks_starts_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = Platform(Settings(tmp_path / "platform", images={"*": (sys.executable,)}))
    service = platform.get(SageMaker)
    service.start()
    service.create_pipeline(
        pipeline(processing("Broken"), processing("Other"), processing("Next", "Other"))
    )

    def status(arn: str) -> str:
        execution = service.describe_pipeline_execution({"PipelineExecutionArn": arn})
        return str(execution["PipelineExecutionStatus"])

    def do(_: Steps, step: StepUnion, __: Any) -> None:
        if step.name == "Broken":
            raise RuntimeError("a mistake of the platform's own")
        (execution,) = platform.resources.list(EXECUTION)
        while status(execution["PipelineExecutionArn"]) != "Failed":
            time.sleep(0.01)

    monkeypatch.setattr(Steps, "do", do)
    arn = service.start_pipeline_execution({"PipelineName": "pipe"})["PipelineExecutionArn"]
    for thread in threading.enumerate():
        if thread.name in ("Broken", "Other"):
            thread.join()
    found = service.list_pipeline_execution_steps({"PipelineExecutionArn": arn})
    assert {step["StepName"] for step in found["PipelineExecutionSteps"]} == {"Broken", "Other"}
    assert status(arn) == "Failed"
    platform.stop()
