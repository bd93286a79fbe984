"""The gateway image, run by what runs functions on the platform: AWS's runtime interface client."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import boostline
from boostline.features.contract import FeatureContract
from boostline.local.services.lambda_.runtime import Launch
from boostline.local.services.lambda_.worker import Outcome, Worker
from tests.conftest import RunningPlatform
from tests.images.conftest import answers, call

pytestmark = [pytest.mark.slow, pytest.mark.image]

IMAGE = f"boostline-gateway:{boostline.__version__}"
DOCKERFILE = f"FROM {IMAGE}\nCOPY features.json /var/task/contract.json\n"
# What Lambda sets for a function that is an image; the image itself says the rest.
TOLD = """
AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL
AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_VERSION
AWS_LAMBDA_RUNTIME_API ENDPOINT_NAME
""".split()  # noqa: SIM905
RESTRICTED = ("--read-only", "--cap-drop=ALL", "--user=993:990", "--tmpfs=/tmp")


@dataclass(frozen=True)
class ImageLaunch(Launch):
    """Starts an image, as restricted as Lambda runs it, in place of a folder of code."""

    tool: str
    image: str

    def command(self) -> list[str]:
        run = [self.tool, "run", "--rm", "--network=host", f"--name={self.image}"]
        return [*run, *RESTRICTED, *(f"--env={name}" for name in TOLD), self.image]

    def environment(self, api: str, stream: str, scratch: Path) -> dict[str, str]:
        return {**os.environ, **super().environment(api, stream, scratch)}


@pytest.fixture
def launch(
    platform: RunningPlatform, contract: FeatureContract, tmp_path: Path
) -> Iterator[ImageLaunch]:
    """A container's program, of an image with a contract of its own."""
    run = ("run", "--rm", "--network=host", "--entrypoint=python", IMAGE, "--version")
    tools = [tool for tool in ("docker", "podman") if answers(tool, *run)]
    if not tools:
        reason = f"neither docker nor podman can run {IMAGE}: `make images` makes it"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    (tmp_path / "features.json").write_bytes(contract.to_json())
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    name = f"gateway-{uuid4().hex[:8]}"
    built = call(tools[0], "build", "--tag", name, str(tmp_path))
    assert built.returncode == 0, built.stderr
    configuration = {
        "FunctionName": "gateway",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:gateway",
        "Handler": "",
        "MemorySize": 512,
        "Version": "$LATEST",
        "Timeout": 29,
        "LoggingConfig": {"LogGroup": "/aws/lambda/gateway"},
        "Environment": {"Variables": {"ENDPOINT_NAME": "churn--staging"}},
    }
    yield ImageLaunch(platform.platform, configuration, tmp_path, tools[0], name)
    subprocess.run([tools[0], "rm", "--force", name], capture_output=True, check=False)
    subprocess.run([tools[0], "rmi", "--force", name], capture_output=True, check=False)


async def invoke(launch: ImageLaunch, events: list[dict[str, Any]]) -> list[Outcome]:
    worker, outcomes = Worker(launch), list[Outcome]()
    try:
        for event in events:
            if outcomes:
                assert await ready(worker)
            outcomes.append(await worker.run(json.dumps(event).encode(), "Root=1;Sampled=0"))
        await asyncio.to_thread(await_log, launch, '"service":"churn"')
    finally:
        await worker.stop()
    return outcomes


def await_log(launch: ImageLaunch, text: str) -> None:
    """Wait for a line: a container's come by way of its engine, and so after the answer."""
    logs = launch.platform.logs
    while not any(text in event.message for event in logs.events(launch.group)):
        time.sleep(0.1)


async def ready(worker: Worker) -> bool:
    """Wait longer than the platform would: the machine may be busy."""
    for _ in range(20):
        if await worker.ready():
            return True
    return False


def test_the_image_answers_as_the_zip_does(launch: ImageLaunch, contract: FeatureContract) -> None:
    bodies: list[tuple[str, str, object]] = [
        ("GET", "/health", None),
        ("POST", "/predict", {"day": 1, "eve": 2, "plan": "sometimes"}),
        ("POST", "/predict", {"day": 1, "eve": 2, "plan": "yes"}),
    ]
    events = [
        {"httpMethod": method, "resource": path, "body": json.dumps(body)}
        for method, path, body in bodies
    ]
    outcomes = asyncio.run(invoke(launch, events))
    assert not any(outcome.failed for outcome in outcomes), outcomes
    payloads = [json.loads(outcome.payload) for outcome in outcomes]
    health, refused, unavailable = (json.loads(payload["body"]) for payload in payloads)
    assert [payload["statusCode"] for payload in payloads] == [200, 400, 503]
    assert health == {"status": "ok", "features": contract.digest}
    assert refused["error"]["fields"][0]["field"] == "plan"
    assert unavailable["error"]["message"] == "there is no endpoint to answer"
