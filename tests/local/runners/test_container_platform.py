"""The platform's jobs and endpoints, when images themselves run."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from boostline.contracts.ports import free_port
from boostline.local.runners import container
from tests.conftest import RunningPlatform
from tests.local.runners.engine_bench import PLAIN, REGISTRY, SERVER
from tests.local.services.hosting_bench import deploy, model
from tests.local.services.sagemaker_bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("docker_host")]


@pytest.fixture
def settings(docker_host: None) -> Mapping[str, Any]:
    return {"containers": True, "memory": "256m"}


@pytest.fixture
def bench(platform: RunningPlatform, tmp_path: Path) -> Bench:
    return Bench(platform, tmp_path / "programs")


def training(program: str) -> dict[str, Any]:
    """Return a request's members that run a program in the image."""
    algorithm = {"TrainingImage": PLAIN, "TrainingInputMode": "File"}
    return {"AlgorithmSpecification": algorithm | {"ContainerArguments": ["-c", program]}}


def test_jobs_run_images(bench: Bench) -> None:
    program = "open('/opt/ml/model/m', 'w').write('trained'); print('a line')"
    job = bench.train("trained", **training(program))
    assert job["TrainingJobStatus"] == "Completed", job
    packed = bench.get(job["ModelArtifacts"]["S3ModelArtifacts"])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert archive.getnames() == ["m"]
    assert bench.lines("/aws/sagemaker/TrainingJobs", "trained") == ["a line"]
    application = {"ImageUri": PLAIN, "ContainerEntrypoint": ["/bin/sh", "-c", "exit 3"]}
    failed = bench.process("failed", AppSpecification=application)
    assert failed["FailureReason"] == "AlgorithmError: the program ended with exit code: 3"


def test_job_that_needs_more_memory_says_so_in_sagemakers_words(bench: Bench) -> None:
    job = bench.train("large", **training("bytearray(1 << 30)"))
    assert job["FailureReason"].startswith("ClientError: Please use an instance type with more m")


def test_image_that_is_not_here_is_refused_by_name(bench: Bench) -> None:
    algorithm = {"TrainingImage": f"{REGISTRY}/absent:1", "TrainingInputMode": "File"}
    with pytest.raises(bench.sagemaker.exceptions.ClientError, match=r"absent:1.*build it and tag"):
        bench.train("absent", AlgorithmSpecification=algorithm)


def test_endpoint_serves_an_image_and_a_second_at_its_only_port_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "ONLY_PORT", free_port())  # others on this host may have 8080
    model(bench, "m", SERVER)
    first = deploy(bench, "m")
    assert first["EndpointStatus"] == "InService", first["FailureReason"]
    answer = bench.runtime.invoke_endpoint(EndpointName="live", Body=b"asked")
    assert answer["Body"].read() == b"masked"
    bench.until(lambda: bench.lines("/aws/sagemaker/Endpoints/live", "") == ["arguments serve"])
    second = deploy(bench, "m", "second")
    assert second["EndpointStatus"] == "Failed"
    assert f"{SERVER} can only listen at port" in second["FailureReason"]


def test_transform_runs_an_image(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "ONLY_PORT", free_port())
    model(bench, "m", SERVER)
    source = {"S3DataType": "S3Prefix", "S3Uri": bench.put("in/a.csv", b"1\n2\n")}
    bench.sagemaker.create_transform_job(
        TransformJobName="batch",
        ModelName="m",
        TransformInput={"DataSource": {"S3DataSource": source}},
        TransformOutput={"S3OutputPath": "s3://bench/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    job = bench.settled(
        lambda: bench.sagemaker.describe_transform_job(TransformJobName="batch"),
        "TransformJobStatus",
    )
    assert job["TransformJobStatus"] == "Completed", job["FailureReason"]
    assert bench.get("s3://bench/out/a.csv.out") == b"m1\n2\n"
