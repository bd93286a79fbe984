from __future__ import annotations

import io
import json
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from boostline.local.engine.jobs import TRAINING, Jobs
from boostline.local.platform import Platform, Settings
from boostline.local.runners.process import ProcessRunner
from boostline.local.services.sagemaker.service import SageMaker

PROGRAM = """
import os, pathlib
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
data = base / "input/data/train/a.csv"
(base / "model/m").write_text(f"{data.read_text()} {data.stat().st_mode & 0o777:o}")
"""


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
            "RoleArn": "arn:aws:iam::000000000000:role/any",
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
    step = {
        "Name": "Step",
        "Type": "Processing",
        "Arguments": {
            "RoleArn": "arn:aws:iam::000000000000:role/any",
            "AppSpecification": {"ImageUri": "any"},
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 1,
                }
            },
        },
    }
    service.create_pipeline(
        {
            "PipelineName": "pipe",
            "PipelineDefinition": json.dumps({"Version": "2020-12-01", "Steps": [step]}),
            "RoleArn": "arn:aws:iam::000000000000:role/any",
        }
    )

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
