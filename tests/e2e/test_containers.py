"""The whole line in the model image that `make images` made."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

import boostline
from boostline.local.platform import Credentials
from tests.e2e.line import ROOT, Line
from tests.local.runners.engine_bench import engine, missing, must_run

pytestmark = pytest.mark.slow

IMAGE = f"boostline-model:{boostline.__version__}"


@pytest.fixture
def url() -> Iterator[str]:
    with engine() as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    """A client of an engine that has the image."""
    client = docker.APIClient(base_url=url, version="auto")
    if not client.images(f"localhost/{IMAGE}"):
        missing(f"no image {IMAGE}: run `make images`")
    must_run(client, f"localhost/{IMAGE}")
    yield client
    client.close()


@pytest.fixture
def line(url: str, client: Any, tmp_path: Path) -> Iterator[Line]:
    project = Path(shutil.copytree(ROOT / "examples/customer_churn", tmp_path / "project"))
    own = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    places = {"DOCKER_HOST": url, "BOOSTLINE_DIR": str(tmp_path / "platform")}
    line = Line(tmp_path / "platform", project, own | places)
    line.up("--runner", "container", "--memory", "4g")
    yield line
    line.down()
    assert running(client, line) == []


def running(client: Any, line: Line) -> list[Any]:
    """Return the platform's containers."""
    label = f"boostline.platform={Credentials.read(line.folder).access_key}"
    found: list[Any] = client.containers(all=True, filters={"label": label})
    return found


def test_the_line_runs_in_the_image_and_comes_back_after_a_kill(client: Any, line: Line) -> None:
    execution = line.json("run")
    assert execution["status"] == "Succeeded", execution
    assert running(client, line) == []
    line.run("models", "approve", "1", "--reason", "the gates hold")
    line.run("deploy", "staging")
    answer = json.loads(line.run("predict").stdout)
    (served,) = running(client, line)
    assert IMAGE in served["Image"]
    assert served["Labels"]["boostline.owner"].startswith("endpoint/customer-churn--staging")
    assert line.process is not None
    assert line.process.stdout is not None
    line.process.kill()
    line.process.wait(20)
    line.process.stdout.close()
    line.up("--runner", "container")
    line.client("sagemaker").get_waiter("endpoint_in_service").wait(
        EndpointName="customer-churn--staging", WaiterConfig={"Delay": 1, "MaxAttempts": 240}
    )
    assert json.loads(line.run("predict").stdout)["predictions"] == answer["predictions"]
    (again,) = running(client, line)
    assert again["Id"] != served["Id"]
