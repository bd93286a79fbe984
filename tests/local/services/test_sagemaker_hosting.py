from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import running
from tests.conftest import RunningPlatform
from tests.local.services.sagemaker_bench import ROLE, Bench, image, images

ECHO = """
name = (base / "model/name").read_text()
def invoke(self, body):
    attributes = self.headers.get("X-Amzn-SageMaker-Custom-Attributes", "")
    kind = self.headers.get("Content-Type", "")
    text = f"{name} {os.environ.get('GREETING', '')} {kind} ".encode() + body
    self.answer(200, text, Content_Type="text/plain",
                X_Amzn_SageMaker_Custom_Attributes="got=" + attributes)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Mapping[str, Any]:
    return {"images": images(tmp_path / "programs")}


@pytest.fixture
def bench(platform: RunningPlatform, tmp_path: Path) -> Bench:
    bench = Bench(platform, tmp_path / "programs")
    serve(bench, ECHO)
    return bench


def serve(bench: Bench, body: str, name: str = "serve") -> None:
    """Write a server: `invoke(self, body)` answers `/invocations`."""
    bench.program(name, f"{body}\nHandler.invoke = invoke\nrun()\n", serves=True)


def model(bench: Bench, name: str, program: str = "serve", **environment: str) -> None:
    """Make a model and a configuration of that name; the model's file `name` holds it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("name")
        member.size = len(name)
        archive.addfile(member, io.BytesIO(name.encode()))
    data = bench.put(f"models/{name}/model.tar.gz", packed.getvalue())
    bench.sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": image(program),
            "ModelDataUrl": data,
            "Environment": environment,
        },
    )
    configure(bench, name, {"AllTraffic": name})


def configure(bench: Bench, name: str, variants: dict[str, str], **members: Any) -> None:
    bench.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": variant,
                "ModelName": served,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
                **members,
            }
            for variant, served in variants.items()
        ],
    )


def settled(bench: Bench, name: str = "live") -> dict[str, Any]:
    return bench.settled(
        lambda: bench.sagemaker.describe_endpoint(EndpointName=name), "EndpointStatus"
    )


def deploy(bench: Bench, config: str, name: str = "live") -> dict[str, Any]:
    bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    return settled(bench, name)


def update(bench: Bench, config: str) -> dict[str, Any]:
    bench.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName=config)
    return settled(bench)


def ask(bench: Bench, body: bytes = b"x", **members: Any) -> dict[str, Any]:
    answer: dict[str, Any] = bench.runtime.invoke_endpoint(
        EndpointName="live", Body=body, **members
    )
    return answer | {"Body": answer["Body"].read()}


def test_endpoint_answers_with_its_model(bench: Bench) -> None:
    model(bench, "one", GREETING="hello")
    endpoint = deploy(bench, "one")
    assert endpoint["EndpointStatus"] == "InService", endpoint
    assert endpoint["EndpointConfigName"] == "one"
    (variant,) = endpoint["ProductionVariants"]
    assert (variant["VariantName"], variant["CurrentInstanceCount"]) == ("AllTraffic", 1)
    answer = ask(bench, b"body", ContentType="text/csv", CustomAttributes="a=b")
    assert answer["Body"] == b"one hello text/csv body"
    assert answer["ContentType"] == "text/plain"
    assert answer["CustomAttributes"] == "got=a=b"
    assert answer["InvokedProductionVariant"] == "AllTraffic"


def test_what_the_container_refuses_becomes_a_model_error(bench: Bench) -> None:
    serve(bench, "def invoke(self, body): self.answer(int(body), b'no: ' + body)")
    model(bench, "one")
    deploy(bench, "one")
    for status, kind in ((400, "client"), (500, "server")):
        with pytest.raises(ClientError) as error:
            ask(bench, str(status).encode())
        response = error.value.response
        assert response["Error"]["Code"] == "ModelError"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
        assert response["OriginalStatusCode"] == status
        assert response["OriginalMessage"] == f"no: {status}"
        assert ":log-group:/aws/sagemaker/Endpoints/live:" in response["LogStreamArn"]
        assert f"Received {kind} error ({status}) from primary" in response["Error"]["Message"]


def test_program_that_ends_fails_the_endpoint_with_its_last_lines(bench: Bench) -> None:
    bench.program("other", 'sys.exit("no such model here")')
    model(bench, "one", "other")
    endpoint = deploy(bench, "one")
    assert endpoint["EndpointStatus"] == "Failed"
    assert "production variant AllTraffic" in endpoint["FailureReason"]
    assert "no such model here" in endpoint["FailureReason"]
    lines = bench.lines("/aws/sagemaker/Endpoints/live", "AllTraffic/i-")
    assert lines == ["no such model here"] * 2
    with pytest.raises(ClientError, match="is Failed"):
        ask(bench)
    bench.sagemaker.delete_endpoint(EndpointName="live")


def test_endpoint_that_is_being_made_can_be_deleted(bench: Bench) -> None:
    serve(bench, "def invoke(self, body): pass\nHandler.do_GET = lambda self: self.answer(503)")
    model(bench, "one")
    bench.sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="one")
    bench.sagemaker.delete_endpoint(EndpointName="live")
    bench.sagemaker.get_waiter("endpoint_deleted").wait(
        EndpointName="live", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )


def test_update_moves_the_traffic_without_losing_a_request(bench: Bench) -> None:
    model(bench, "one")
    model(bench, "two")
    deploy(bench, "one")
    seen: list[bytes] = []
    done = threading.Event()

    def press() -> None:
        client = bench.runtime
        while not done.is_set():
            seen.append(client.invoke_endpoint(EndpointName="live", Body=b"")["Body"].read())

    with ThreadPoolExecutor(4) as executor:
        pressing = [executor.submit(press) for _ in range(4)]
        try:
            endpoint = update(bench, "two")
            ask(bench)
        finally:
            done.set()
        for future in pressing:
            future.result()
    assert endpoint["EndpointConfigName"] == "two"
    assert {text.split()[0] for text in seen} == {b"one", b"two"}
    assert ask(bench)["Body"].startswith(b"two")


def test_failed_update_keeps_what_was_served(bench: Bench) -> None:
    bench.program("other", 'sys.exit("broken")')
    model(bench, "one")
    model(bench, "bad", "other")
    deploy(bench, "one")
    endpoint = update(bench, "bad")
    assert endpoint["EndpointStatus"] == "InService"
    assert endpoint["EndpointConfigName"] == "one"
    assert "broken" in endpoint["FailureReason"]
    assert ask(bench)["Body"].startswith(b"one")
    assert "FailureReason" not in update(bench, "one")


def test_dead_program_is_replaced(bench: Bench) -> None:
    serve(bench, "def invoke(self, body): os._exit(3) if body == b'die' else self.answer(200)")
    model(bench, "one")
    deploy(bench, "one")
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        ask(bench, b"die")
    deadline = time.monotonic() + 30
    while (problem := refusal(bench)) is not None:
        assert "ServiceUnavailable" in problem
        assert time.monotonic() < deadline
        time.sleep(0.05)


def refusal(bench: Bench) -> str | None:
    try:
        ask(bench, b"live")
    except ClientError as error:
        return str(error)
    return None


def test_variants_share_the_traffic_by_weight(bench: Bench) -> None:
    model(bench, "one")
    model(bench, "two")
    bench.sagemaker.create_endpoint_config(
        EndpointConfigName="both",
        ProductionVariants=[
            {"VariantName": "A", "ModelName": "one", "InitialVariantWeight": 0.0},
            {"VariantName": "B", "ModelName": "two", "InitialVariantWeight": 2.0},
        ],
    )
    deploy(bench, "both")
    assert {ask(bench)["InvokedProductionVariant"] for _ in range(20)} == {"B"}
    assert ask(bench, TargetVariant="A")["Body"].startswith(b"one")
    with pytest.raises(ClientError, match="Variant C not found"):
        ask(bench, TargetVariant="C")


def test_model_of_a_package_takes_its_container_and_adds_variables(bench: Bench) -> None:
    model(bench, "one")
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    arn = bench.sagemaker.create_model_package(
        ModelPackageGroupName="churn",
        InferenceSpecification={
            "Containers": [
                {
                    "Image": image("serve"),
                    "ModelDataUrl": "s3://bench/models/one/model.tar.gz",
                    "Environment": {"GREETING": "packaged", "OTHER": "1"},
                }
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    request = {
        "ModelName": "packaged",
        "ExecutionRoleArn": ROLE,
        "Containers": [{"ModelPackageName": arn, "Environment": {"GREETING": "mine"}}],
    }
    with pytest.raises(ClientError, match="must be Approved"):
        bench.sagemaker.create_model(**request)
    bench.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    bench.sagemaker.create_model(**request)
    configure(bench, "packaged", {"AllTraffic": "packaged"})
    deploy(bench, "packaged")
    assert ask(bench)["Body"].startswith(b"one mine")


def test_endpoint_in_change_cannot_be_updated(bench: Bench) -> None:
    serve(bench, "def invoke(self, body): pass\nHandler.do_GET = lambda self: self.answer(503)")
    model(bench, "one")
    bench.sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="one")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        bench.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="one")
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        bench.sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="one")
    with pytest.raises(ClientError, match="Endpoint live is Creating"):
        ask(bench)
    (summary,) = bench.sagemaker.list_endpoints(StatusEquals="Creating")["Endpoints"]
    assert summary["EndpointName"] == "live"


def test_deleted_endpoint_is_gone_and_its_name_free(bench: Bench) -> None:
    model(bench, "one")
    deploy(bench, "one")
    bench.sagemaker.delete_endpoint(EndpointName="live")
    bench.sagemaker.get_waiter("endpoint_deleted").wait(
        EndpointName="live", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    with pytest.raises(ClientError, match="Endpoint live of account 000000000000 not found"):
        ask(bench)
    assert deploy(bench, "one")["EndpointStatus"] == "InService"


@pytest.mark.parametrize(
    ("operation", "request_", "problem"),
    [
        ("describe_model", {"ModelName": "no"}, 'Could not find model "arn:aws:sagemaker'),
        ("describe_endpoint", {"EndpointName": "no"}, 'Could not find endpoint "arn:aws'),
        ("delete_endpoint", {"EndpointName": "no"}, "Could not find endpoint"),
        (
            "describe_endpoint_config",
            {"EndpointConfigName": "no"},
            "Could not find endpoint configuration",
        ),
        (
            "create_endpoint",
            {"EndpointName": "e", "EndpointConfigName": "no"},
            "Could not find endpoint configuration",
        ),
        (
            "create_model",
            {"ModelName": "m", "PrimaryContainer": {"Image": "unknown:1"}},
            "no local program stands for the image 'unknown:1'",
        ),
        (
            "create_model",
            {
                "ModelName": "m",
                "PrimaryContainer": {"Image": image("serve"), "ModelDataUrl": "s3://bench/no"},
            },
            "Could not find model data at s3://bench/no",
        ),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    bench: Bench, operation: str, request_: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ClientError, match="ValidationException") as error:
        getattr(bench.sagemaker, operation)(**request_)
    assert problem in str(error.value)


def test_names_are_given_once(bench: Bench) -> None:
    model(bench, "one")
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        model(bench, "one")
    with pytest.raises(ClientError, match="Cannot create already existing endpoint configuration"):
        configure(bench, "one", {"AllTraffic": "one"})


def running_again(folder: Path, programs: Path) -> Iterator[Bench]:
    platform = Platform(Settings(folder, port=0, images=images(programs)))
    with running(platform):
        yield Bench(RunningPlatform(platform), programs)


def test_endpoints_come_back_with_the_platform(tmp_path: Path) -> None:
    folder, programs = tmp_path / "platform", tmp_path / "programs"
    for bench in running_again(folder, programs):
        serve(bench, ECHO)
        model(bench, "one")
        deploy(bench, "one")
        bench.sagemaker.delete_endpoint_config(EndpointConfigName="one")
        bench.sagemaker.delete_model(ModelName="one")
    for bench in running_again(folder, programs):
        assert settled(bench)["EndpointStatus"] == "InService"
        assert ask(bench)["Body"].startswith(b"one")
    assert list((folder / "endpoints").iterdir()) == []
