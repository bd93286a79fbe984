"""`infra/serving.yaml`, deployed as it stands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.conftest import RunningPlatform
from tests.local.services.cloudformation.serving_bench import WAITING, Serving
from tests.local.services.cloudformation.stacks_bench import INFRA, Stack

pytestmark = pytest.mark.slow
TEMPLATE = (INFRA / "serving.yaml").read_text()
ENDPOINT = "churn--staging"


@pytest.fixture
def bench(platform: RunningPlatform, tmp_path: Path) -> Serving:
    bench = Serving(platform, tmp_path / "programs")
    bench.prepare()
    return bench


@pytest.fixture
def stack(platform: RunningPlatform) -> Stack:
    return Stack(platform, ENDPOINT)


def scored(bench: Serving) -> str:
    answer = bench.runtime.invoke_endpoint(EndpointName=ENDPOINT, Body=b"x")
    return str(answer["Body"].read().decode().split()[0])


def got(stack: Stack, path: str) -> tuple[int, dict[str, Any]]:
    """Return what the deployed API answers with the stack's key."""
    found = stack.outputs()
    keys = stack.running.client("apigateway")
    key = keys.get_api_key(apiKey=found["ApiKeyId"], includeValue=True)["value"]
    url = f"{stack.running.endpoint}/restapis/{found['ApiId']}/staging{path}"
    answer = urllib3.request("GET", url, headers={"x-api-key": key})
    return answer.status, json.loads(answer.data)


def access_log(bench: Serving) -> dict[str, str]:
    """Return the first line of the stage's access log, once it is stored."""
    group = f"/aws/apigateway/{ENDPOINT}"
    bench.until(lambda: bool(bench.lines(group, "")))
    line: dict[str, str] = json.loads(bench.lines(group, "")[0])
    return line


def test_the_aws_cli_deploys_the_template_and_says_when_nothing_changes(
    bench: Serving, stack: Stack, tmp_path: Path
) -> None:
    values = bench.values(bench.package("one"))
    address = stack.running.platform.address
    command = [
        *(str(Path(sys.executable).parent / "aws"), "cloudformation", "deploy"),
        *("--template-file", str(INFRA / "serving.yaml"), "--stack-name", ENDPOINT),
        *("--parameter-overrides", *(f"{name}={value}" for name, value in values.items())),
    ]
    environment = {
        "AWS_ENDPOINT_URL": address.endpoint,
        "AWS_ACCESS_KEY_ID": address.access_key,
        "AWS_SECRET_ACCESS_KEY": address.secret_key,
        "AWS_DEFAULT_REGION": address.region,
        "HOME": str(tmp_path),
    }

    def deploy(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *more], env=environment, capture_output=True, text=True, check=False
        )

    first = deploy()
    assert first.returncode == 0, (first.stdout, first.stderr, stack.events())
    assert f"Successfully created/updated stack - {ENDPOINT}" in first.stdout
    assert scored(bench) == "one"
    assert got(stack, "/health") == (200, {"endpoint": ENDPOINT, "path": "/health", "code": "one"})
    line = access_log(bench)
    assert {
        "method": "GET",
        "path": "/health",
        "status": "200",
        "error": "-",
    }.items() <= line.items()
    assert line["key"] == stack.outputs()["ApiKeyId"]
    again = deploy("--no-fail-on-empty-changeset", "--s3-bucket", "bench")
    assert again.returncode == 0
    assert "No changes to deploy" in again.stdout


def test_a_new_version_a_failure_and_the_end(bench: Serving, stack: Stack) -> None:
    assert stack.create(TEMPLATE, bench.values(bench.package("one"))) == "CREATE_COMPLETE"
    before = stack.physical()

    values = bench.values(bench.package("two"), "two", "/health", "/schema")
    values["ApiRevision"] = "b"
    shown = stack.change_set(TEMPLATE, values)
    changes = {
        each["ResourceChange"]["LogicalResourceId"]: (
            each["ResourceChange"]["Action"],
            each["ResourceChange"].get("Replacement"),
        )
        for each in shown["Changes"]
    }
    assert changes == {
        "Model": ("Modify", "True"),
        "EndpointConfig": ("Modify", "Conditional"),
        "Endpoint": ("Modify", "False"),
        "Function": ("Modify", "False"),
        "Api": ("Modify", "False"),
        "DeploymentA": ("Remove", None),
        "DeploymentB": ("Add", None),
        "ApiStage": ("Modify", "False"),
    }
    assert got(stack, "/schema")[0] == 403
    assert stack.update(TEMPLATE, values) == "UPDATE_COMPLETE", stack.reasons("Endpoint")
    assert scored(bench) == "two"
    assert got(stack, "/schema") == (200, {"endpoint": ENDPOINT, "path": "/schema", "code": "two"})
    after = stack.physical()
    assert {name for name in before if before[name] != after.get(name)} == {
        "Model",
        "EndpointConfig",
        "DeploymentA",
    }
    assert len(bench.sagemaker.list_models()["Models"]) == 1

    bench.program("other", 'sys.exit("this version does not start")')
    values |= bench.values(bench.package("three", "other"), "three")
    assert stack.update(TEMPLATE, values) == "UPDATE_ROLLBACK_COMPLETE", stack.events()
    assert "this version does not start" in stack.reasons("Endpoint")
    assert stack.physical() == after
    assert scored(bench) == "two"
    # It went on with the old configuration by itself, and was not told to change once more.
    kept = bench.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    assert "this version does not start" in kept["FailureReason"]
    assert got(stack, "/schema")[1]["code"] == "two"
    assert len(bench.sagemaker.list_models()["Models"]) == 1

    refused = bench.values(bench.package("four", status="PendingManualApproval"))
    assert stack.update(TEMPLATE, values | refused) == "UPDATE_ROLLBACK_COMPLETE"
    assert "PendingManualApproval" in stack.reasons("Model")

    assert stack.delete() == "DELETE_COMPLETE"
    assert bench.sagemaker.list_models()["Models"] == []
    assert bench.sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert bench.sagemaker.list_endpoints()["Endpoints"] == []
    assert stack.running.client("lambda").list_functions()["Functions"] == []
    gateway = stack.running.client("apigateway")
    found = [gateway.get_rest_apis(), gateway.get_api_keys()]
    assert [each["items"] for each in found] == [[], []]
    assert stack.running.platform.resources.list("apigateway.plan") == []


def test_a_first_deployment_that_fails_leaves_nothing(bench: Serving, stack: Stack) -> None:
    bench.program("other", 'sys.exit("this version does not start")')
    values = bench.values(bench.package("one", "other"))
    assert stack.create(TEMPLATE, values) == "ROLLBACK_COMPLETE"
    assert ("Endpoint", "CREATE_FAILED") in stack.events()
    assert stack.physical() == {}
    assert bench.sagemaker.list_endpoints()["Endpoints"] == []
    with pytest.raises(
        stack.client.exceptions.ClientError, match="ROLLBACK_COMPLETE state and can"
    ):
        stack.update(TEMPLATE, values)
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_rollout_that_is_cancelled_comes_back(
    bench: Serving, stack: Stack, tmp_path: Path
) -> None:
    assert stack.create(TEMPLATE, bench.values(bench.package("one"))) == "CREATE_COMPLETE"
    before = stack.physical()
    ready = tmp_path / "ready"
    bench.program("other", WAITING.format(ready=str(ready)), serves=True)
    values = bench.values(bench.package("two", "other"))
    stack.client.update_stack(**stack.ask(TEMPLATE, values))
    with pytest.raises(stack.client.exceptions.ClientError, match="is in UPDATE_IN_PROGRESS"):
        stack.update(TEMPLATE, values)
    bench.until(lambda: ("Endpoint", "UPDATE_IN_PROGRESS") in stack.events())
    stack.client.cancel_update_stack(StackName=stack.name)
    bench.until(lambda: "cancelled" in stack.reasons("Endpoint"))
    ready.touch()  # an endpoint's change comes to its end, as on AWS
    assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE", stack.events()
    assert stack.physical() == before
    assert scored(bench) == "one"
