from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import running
from tests.conftest import RunningPlatform
from tests.local.services.hosting_bench import (
    ECHO,
    ask,
    await_answer,
    await_deleted,
    configure,
    deploy,
    described,
    model,
    serve,
    settled,
    update,
)
from tests.local.services.sagemaker_bench import ROLE, Bench, image, images


@pytest.fixture
def bench(bench: Bench) -> Bench:
    serve(bench, ECHO)
    return bench


def test_endpoint_answers_with_its_model(bench: Bench) -> None:
    model(bench, "one", GREETING="hello")
    endpoint = deploy(bench, "one")
    assert endpoint["EndpointStatus"] == "InService", endpoint
    assert endpoint["EndpointConfigName"] == "one"
    (variant,) = endpoint["ProductionVariants"]
    assert (variant["VariantName"], variant["CurrentInstanceCount"]) == ("AllTraffic", 1)
    (deployed,) = variant["DeployedImages"]
    assert deployed["SpecifiedImage"] == deployed["ResolvedImage"] == image("serve")
    answer = ask(bench, b"body", ContentType="text/csv", CustomAttributes="a=b")
    assert answer["Body"] == b"one hello text/csv body"
    assert answer["ContentType"] == "text/plain"
    assert answer["CustomAttributes"] == "got=a=b"
    assert answer["InvokedProductionVariant"] == "AllTraffic"


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


@pytest.mark.slow
def test_reason_of_a_failure_ends_with_the_very_last_line(bench: Bench) -> None:
    bench.program("other", "[print('x' * 200) for _ in range(30)]; sys.exit('it was this')")
    model(bench, "one", "other")
    assert deploy(bench, "one")["FailureReason"].endswith("it was this")


@pytest.mark.slow
def test_endpoint_that_is_being_updated_can_be_deleted(bench: Bench) -> None:
    model(bench, "one")
    deploy(bench, "one")
    go = bench.programs / "go"
    serve(
        bench,
        f"""
        def end(code, leave=os._exit):
            while not pathlib.Path({str(go)!r}).exists():
                time.sleep(0.01)
            leave(code)
        os._exit = end
        def invoke(self, body): pass
        Handler.do_GET = lambda self: [print("asked"), self.answer(503)]
        """,
    )
    bench.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="one")
    assert ask(bench)["Body"].startswith(b"one")
    bench.await_line("/aws/sagemaker/Endpoints/live", "asked")
    bench.sagemaker.delete_endpoint(EndpointName="live")
    bench.sagemaker.delete_endpoint(EndpointName="live")  # while the first one waits for a server
    go.touch()
    await_deleted(bench)
    assert not list((bench.running.settings.folder / "endpoints").iterdir())


def test_endpoint_that_is_being_made_can_be_deleted(bench: Bench) -> None:
    serve(bench, "def invoke(self, body): pass\nHandler.do_GET = lambda self: self.answer(503)")
    model(bench, "one")
    bench.sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="one")
    bench.sagemaker.delete_endpoint(EndpointName="live")
    await_deleted(bench)


@pytest.mark.slow
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
    await_answer(bench)


@pytest.mark.slow
def test_update_can_retain_what_was_deployed(bench: Bench) -> None:
    model(bench, "one")
    model(bench, "two")
    configure(bench, "both", {"A": "one", "B": "two"}, 5.0, 2.0, count=4)
    configure(bench, "again", {"A": "two", "C": "two"}, 1.0, 3.0)
    deploy(bench, "both")
    request = {
        "EndpointName": "live",
        "EndpointConfigName": "again",
        "RetainAllVariantProperties": True,
    }
    bench.sagemaker.update_endpoint(**request)
    assert settled(bench)["EndpointConfigName"] == "again"
    for name, weight, count in (("A", 5.0, 4), ("C", 3.0, 1)):
        variant = described(bench)[name]
        assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (weight, count)
    assert ask(bench, TargetVariant="A")["Body"].startswith(b"two")
    update(bench, "again")
    assert described(bench)["A"]["CurrentWeight"] == 1.0
    given_up = [{"VariantPropertyType": "DesiredWeight"}]
    with pytest.raises(ClientError, match="ExcludeRetainedVariantProperties: the local platform"):
        bench.sagemaker.update_endpoint(**request, ExcludeRetainedVariantProperties=given_up)


@pytest.mark.slow
def test_update_that_would_retain_no_weight_is_refused(bench: Bench) -> None:
    model(bench, "one")
    configure(bench, "both", {"A": "one", "B": "one"}, 0.0, 1.0)
    configure(bench, "alone", {"A": "one"}, 1.0)
    deploy(bench, "both")
    with pytest.raises(ClientError, match="needs a weight above 0"):
        bench.sagemaker.update_endpoint(
            EndpointName="live", EndpointConfigName="alone", RetainAllVariantProperties=True
        )
    assert ask(bench)["InvokedProductionVariant"] == "B"


def test_broken_archive_is_named_by_its_uri(bench: Bench) -> None:
    model(bench, "one")
    bench.put("models/one/model.tar.gz", b"no archive")
    reason = deploy(bench, "one")["FailureReason"]
    assert "s3://bench/models/one/model.tar.gz: neither a tar.gz nor a zip" in reason
    assert "/blobs/" not in reason


def test_model_data_that_is_gone_is_named(bench: Bench) -> None:
    model(bench, "one")
    bench.s3.delete_object(Bucket="bench", Key="models/one/model.tar.gz")
    reason = deploy(bench, "one")["FailureReason"]
    assert reason == "there is no model data at s3://bench/models/one/model.tar.gz"


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


@pytest.mark.slow
def test_deleted_endpoint_is_gone_and_its_name_free(bench: Bench) -> None:
    model(bench, "one")
    deploy(bench, "one")
    bench.sagemaker.delete_endpoint(EndpointName="live")
    await_deleted(bench)
    with pytest.raises(ClientError, match="Endpoint live of account 000000000000 not found"):
        ask(bench)
    assert deploy(bench, "one")["EndpointStatus"] == "InService"


NOT_THERE: list[tuple[str, dict[str, Any], str]] = [
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
]


def test_what_is_not_there_is_refused_by_name(bench: Bench) -> None:
    for operation, request, problem in NOT_THERE:
        with pytest.raises(ClientError, match="ValidationException") as error:
            getattr(bench.sagemaker, operation)(**request)
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_update_under_way_goes_on_with_the_next_platform(tmp_path: Path) -> None:
    folder, programs, ready = tmp_path / "platform", tmp_path / "programs", tmp_path / "ready"
    for bench in running_again(folder, programs):
        serve(bench, ECHO)
        serve(
            bench,
            f"""
            ready = pathlib.Path({str(ready)!r})
            Handler.do_GET = lambda self: self.answer(200 if ready.exists() else 503)
            {ECHO.strip().splitlines()[0]}
            def invoke(self, body): self.answer(200, name.encode())
            """,
            "other",
        )
        model(bench, "one")
        model(bench, "two", "other")
        deploy(bench, "one")
        bench.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="two")
    for bench in running_again(folder, programs):
        await_answer(bench)
        assert ask(bench)["Body"].startswith(b"one")
        ready.touch()
        assert settled(bench)["EndpointConfigName"] == "two"
        assert ask(bench)["Body"] == b"two"


def serving(programs: Path) -> set[int]:
    """Return the processes that run the server's program."""
    script = str(programs / "serve.py").encode()
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and script in (entry / "cmdline").read_bytes().split(b"\0"):
                found.add(int(entry.name))
    return found


def await_serving(programs: Path) -> int:
    deadline = time.monotonic() + 60
    while not (found := serving(programs)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found.pop()


PLATFORM = """
import sys, time
from pathlib import Path
from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import running
from tests.local.services.sagemaker_bench import images
with running(Platform(Settings(Path(sys.argv[1]), port=0, images=images(Path(sys.argv[2]))))):
    time.sleep(600)
"""


@pytest.mark.slow
def test_endpoints_come_back_after_a_killed_platform(tmp_path: Path) -> None:
    folder, programs = tmp_path / "platform", tmp_path / "programs"
    for bench in running_again(folder, programs):
        serve(bench, "def invoke(self, body): self.answer(200, str(os.getpid()).encode())")
        model(bench, "one")
        deploy(bench, "one")
    line = [sys.executable, "-c", PLATFORM, str(folder), str(programs)]
    with subprocess.Popen(line) as platform:
        try:
            orphan = await_serving(programs)
        finally:
            platform.kill()
    for bench in running_again(folder, programs):
        assert settled(bench)["EndpointStatus"] == "InService"
        assert int(ask(bench)["Body"]) != orphan
        assert serving(programs) == {int(ask(bench)["Body"])}


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            {"AsyncInferenceConfig": {"OutputConfig": {}}},
            "AsyncInferenceConfig: the local platform",
        ),
        (
            {
                "DataCaptureConfig": {
                    "InitialSamplingPercentage": 1,
                    "DestinationS3Uri": "s3://nowhere/x",
                    "CaptureOptions": [{"CaptureMode": "Input"}],
                }
            },
            "DestinationS3Uri s3://nowhere/x: there is no such bucket",
        ),
    ],
)
def test_configuration_of_what_is_not_here_is_refused(
    bench: Bench, members: dict[str, Any], problem: str
) -> None:
    model(bench, "one")
    with pytest.raises(ClientError, match=problem):
        configure(bench, "other", {"A": "one"}, **members)


def test_lists_are_newest_first_filtered_sorted_and_paged(bench: Bench) -> None:
    for name in ("b", "a", "c-x"):
        model(bench, name)
    for operation, output, member in (
        ("list_models", "Models", "ModelName"),
        ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    ):

        def names(
            operation: str = operation, output: str = output, member: str = member, **asked: Any
        ) -> list[str]:
            pages = bench.sagemaker.get_paginator(operation).paginate(**asked)
            return [each[member] for page in pages for each in page[output]]

        assert names() == ["c-x", "a", "b"]
        assert names(SortOrder="Ascending", MaxResults=1) == ["b", "a", "c-x"]
        assert names(SortBy="Name", SortOrder="Ascending") == ["a", "b", "c-x"]
        assert names(NameContains="-X") == ["c-x"]
        assert names(CreationTimeAfter=time.time() + 60) == []
    with pytest.raises(ClientError, match="Invalid NextToken"):
        bench.sagemaker.list_models(NextToken="nonsense")
