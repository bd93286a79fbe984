"""Stacks of a platform that is killed: the next one goes on, and makes nothing twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import RunningPlatform, start
from tests.local.services.cloudformation.serving_bench import WAITING, Serving
from tests.local.services.cloudformation.stacks_bench import INFRA, Stack, template
from tests.local.services.sagemaker_bench import images

pytestmark = pytest.mark.slow

# Makes a stack, or changes it, in a platform that ends before it keeps so many changes.
KILLED = """
import os, sys
from pathlib import Path
from boostline.local.platform import Platform, Settings
from boostline.local.store.resources import Resources
from boostline.local.wire.server import running
folder, operation, body, left = sys.argv[1:]
left = int(left)
def counted(method):
    def call(self, kind, *arguments):
        global left
        if kind in {"cloudformation.stack", "cloudformation.resource"}:
            left -= 1
            if left < 0:
                os._exit(9)
        return method(self, kind, *arguments)
    return call
Resources.change, Resources.put = counted(Resources.change), counted(Resources.put)
platform = Platform(Settings(Path(folder), port=0))
with running(platform):
    platform.call("cloudformation", operation, {"StackName": "stack", "TemplateBody": body})
"""
PLAN = {"Type": "AWS::ApiGateway::UsagePlan"}
KEY = {"Type": "AWS::ApiGateway::ApiKey"}
MEMBER = {
    "Type": "AWS::ApiGateway::UsagePlanKey",
    "Properties": {"KeyId": {"Ref": "K"}, "UsagePlanId": {"Ref": "P"}, "KeyType": "API_KEY"},
}
FIRST = template({"K": KEY, "P": PLAN, "M": MEMBER})
SECOND = template(  # K is another, and so is M
    {"K": KEY | {"Properties": {"Name": "second"}}, "P": PLAN, "M": MEMBER}
)
BAD = template(
    {
        "K": KEY | {"Properties": {"Name": "third"}},
        "P": PLAN,
        "M": MEMBER,
        "Bad": {
            "Type": "AWS::S3::Bucket",
            "DependsOn": "M",
            "Properties": {"BucketName": "Not_A_Bucket"},
        },
    }
)


def killed(folder: Path, operation: str, body: str, left: int) -> None:
    """Begin to work on the stack, and end after so many changes that were kept."""
    line = [sys.executable, "-c", KILLED, str(folder), operation, body, str(left)]
    assert subprocess.run(line, check=False).returncode == 9


def held(running: RunningPlatform) -> tuple[list[str], int, int]:
    """Return the names of the keys, and how many plans there are, and keys in them."""
    gateway = running.client("apigateway")
    names = [key["name"][:8] for key in gateway.get_api_keys()["items"]]
    plans = running.platform.resources.list("apigateway.plan")
    return names, len(plans), sum(len(plan["keys"]) for plan in plans)


@pytest.mark.parametrize("left", [1, 4, 8])
def test_a_stack_is_made_to_its_end(tmp_path: Path, left: int) -> None:
    killed(tmp_path, "CreateStack", FIRST, left)
    for running in start(tmp_path):
        stack = Stack(running)
        assert stack.settled() == "CREATE_COMPLETE", stack.events()
        assert held(running) == (["stack-K-"], 1, 1)


@pytest.mark.parametrize("left", [4, 10])
def test_a_replacement_comes_to_its_end(tmp_path: Path, left: int) -> None:
    for running in start(tmp_path):
        assert Stack(running).create(FIRST) == "CREATE_COMPLETE"
    killed(tmp_path, "UpdateStack", SECOND, left)
    for running in start(tmp_path):
        stack = Stack(running)
        assert stack.settled() == "UPDATE_COMPLETE", stack.events()
        assert held(running) == (["second"], 1, 1)


@pytest.mark.parametrize("left", [12, 14])
def test_a_return_comes_to_its_end(tmp_path: Path, left: int) -> None:
    for running in start(tmp_path):
        stack = Stack(running)
        assert stack.create(SECOND) == "CREATE_COMPLETE"
        before = stack.physical()
    killed(tmp_path, "UpdateStack", BAD, left)
    for running in start(tmp_path):
        stack = Stack(running)
        assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE", stack.events()
        assert held(running) == (["second"], 1, 1)
        assert stack.physical() == before


def test_a_rollout_under_way_goes_on(tmp_path: Path) -> None:
    folder, programs = tmp_path / "platform", tmp_path / "programs"
    ready = tmp_path / "ready"
    template_ = (INFRA / "serving.yaml").read_text()
    for running in start(folder, images=images(programs)):
        bench = Serving(running, programs)
        bench.prepare()
        bench.program("other", WAITING.format(ready=str(ready)), serves=True)
        values = bench.values(bench.package("one", "other"))
        stack = Stack(running, "churn--staging")
        stack.client.create_stack(**stack.ask(template_, values))
        assert stack.described()["StackStatus"] == "CREATE_IN_PROGRESS"
    ready.touch()
    for running in start(folder, images=images(programs)):
        stack = Stack(running, "churn--staging")
        assert stack.settled() == "CREATE_COMPLETE", stack.events()
        runtime = running.client("sagemaker-runtime")
        answer = runtime.invoke_endpoint(EndpointName="churn--staging", Body=b"x")
        assert answer["Body"].read() == b"waited"
        assert len(running.client("sagemaker").list_models()["Models"]) == 1
