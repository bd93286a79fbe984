"""`make test-aws` without AWS: nothing unasked, and the way there and back on the platform."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boostline.cli.platform import IMAGES
from tests.aws import costs
from tests.conftest import RunningPlatform, start

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tests.aws"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    plain = {n: t for n, t in os.environ.items() if not n.startswith(("AWS_", "BOOSTLINE"))}
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "", "HOME": str(folder)}
    return plain | nowhere | {"BOOSTLINE_DIR": str(folder / "platform")} | more


def test_it_does_nothing_unasked(tmp_path: Path) -> None:
    asked = {"BOOSTLINE_AWS_ACCOUNT": "123456789012", "BOOSTLINE_AWS_REGION": "eu-central-1"}
    for given in ({}, asked, {"BOOSTLINE_AWS_TEST": "1"}):
        done = _run(environment(tmp_path, **given))
        assert done.returncode == 2
        assert f"{costs.total():.2f}  in all" in done.stdout
        assert "BOOSTLINE_AWS_TEST=1" in done.stdout


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    yield from start(tmp_path_factory.mktemp("aws") / "platform", images=IMAGES)


@pytest.mark.slow
def test_there_and_back_on_the_local_platform(platform: RunningPlatform) -> None:
    done = _run(environment(platform.settings.folder.parent), "--target", "local")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "/predict: 200" in done.stdout
    assert "without a key: 403" in done.stdout
    assert "passed; nothing is left" in done.stdout
    assert _there(platform) == []


@pytest.mark.slow
def test_who_interrupts_it_finds_nothing_left(platform: RunningPlatform) -> None:
    given = environment(platform.settings.folder.parent, PYTHONUNBUFFERED="1")
    with subprocess.Popen(
        [*COMMAND, "--target", "local"],
        cwd=ROOT,
        env=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as test:
        assert test.stdout is not None
        said = ""
        for line in test.stdout:
            said += line
            if line.startswith("$ boostline run"):
                os.killpg(test.pid, signal.SIGINT)  # as Ctrl-C does
            if line.startswith("removing everything"):
                os.killpg(test.pid, signal.SIGINT)
    assert test.returncode == 1, said
    assert "FAILED interrupted\nfailed\n" in said
    assert _there(platform) == []


def test_it_does_not_start_where_boostline_is_used(platform: RunningPlatform) -> None:
    s3, bucket = platform.client("s3"), "boostline-us-east-1-000000000000"
    s3.create_bucket(Bucket=bucket)
    done = _run(environment(platform.settings.folder.parent), "--target", "local")
    s3.delete_bucket(Bucket=bucket)
    assert done.returncode == 3
    assert f"there already: bucket {bucket}" in done.stderr


def _there(platform: RunningPlatform) -> list[Any]:
    return [
        *platform.client("cloudformation").describe_stacks()["Stacks"],
        *platform.client("s3").list_buckets()["Buckets"],
        *platform.client("sagemaker").list_endpoints()["Endpoints"],
        *platform.client("sagemaker").list_models()["Models"],
        *platform.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"],
        *platform.client("sagemaker").list_pipelines()["PipelineSummaries"],
        *platform.client("lambda").list_functions()["Functions"],
        *platform.client("apigateway").get_rest_apis()["items"],
    ]


def _run(given: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, env=given, capture_output=True, text=True, check=False
    )
