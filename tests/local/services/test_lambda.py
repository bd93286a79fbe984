from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from boostline.local.platform import Platform, Settings
from boostline.local.services.lambda_ import service, worker
from boostline.local.services.lambda_.permissions import allows, statement
from boostline.local.store.metrics import dimensions
from boostline.local.wire.server import running
from tests.conftest import RunningPlatform

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ROLE = "arn:aws:iam::000000000000:role/functions"
ECHO = "def handler(event, context):\n    return event\n"
# Tells its pid, then does what the event says over a connection to the test.
CALLER = """
import os, socket
def handler(event, context):
    with socket.create_connection(("127.0.0.1", event["port"])) as connection:
        connection.sendall(str(os.getpid()).encode())
        return connection.recv(100).decode()
"""

SETTINGS = {"Handler": "main.handler", "Runtime": RUNTIME, "Role": ROLE}
PATIENCE = 60  # seconds: a busy machine starts and runs a function late

Make = Callable[..., str]


def zipped(**modules: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, source in modules.items():
            # The time would make another file of the same code.
            archive.writestr(zipfile.ZipInfo(f"{name}.py"), source)
    return file.getvalue()


@pytest.fixture
def make(shared_platform: RunningPlatform, request: pytest.FixtureRequest) -> Iterator[Make]:
    client = shared_platform.client("lambda")
    name = re.sub(r"\W+", "-", request.node.name)[-60:].strip("-")

    def create(source: str = ECHO, **settings: Any) -> str:
        code = settings.pop("Code", {"ZipFile": zipped(main=source)})
        settings = {**SETTINGS, "Timeout": PATIENCE} | settings
        client.create_function(FunctionName=name, Code=code, **settings)
        return name

    yield create
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        client.delete_function(FunctionName=name)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


def port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def invoke(platform: RunningPlatform, name: str, event: object = None, **more: Any) -> Any:
    payload = json.dumps(event).encode()
    client = platform.client("lambda")
    answer = client.invoke(FunctionName=name, Payload=payload, **more)
    body = answer["Payload"].read()
    answer["Payload"] = json.loads(body) if body else None
    return answer


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_function_answers(shared_platform: RunningPlatform, make: Make) -> None:
    name = make(Description="an echo", Tags={"team": "a"})
    answer = invoke(shared_platform, name, {"a": [1, "ü"]})
    assert answer["Payload"] == {"a": [1, "ü"]}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer


def test_its_configuration_is_aws_s(shared_platform: RunningPlatform) -> None:
    name, client = "configured", shared_platform.client("lambda")
    client.create_function(
        FunctionName=name,
        Code={"ZipFile": zipped(main=ECHO)},
        Environment={"Variables": {"SIDE": "left"}},
        Tags={"team": "a"},
        **SETTINGS,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    found = client.get_function(FunctionName=name)
    configuration = found["Configuration"]
    code = zipped(main=ECHO)
    assert found["Tags"] == {"team": "a"}
    assert configuration["FunctionArn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert configuration["CodeSize"] == len(code)
    sha256 = base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert configuration["CodeSha256"] == sha256
    assert configuration["Environment"] == {"Variables": {"SIDE": "left"}}
    assert (configuration["Timeout"], configuration["MemorySize"]) == (3, 128)
    assert (configuration["Version"], configuration["State"]) == ("$LATEST", "Active")
    by_arn = client.get_function_configuration(FunctionName=configuration["FunctionArn"])
    assert by_arn["RevisionId"] == configuration["RevisionId"]


def test_code_comes_from_s3(shared_platform: RunningPlatform, make: Make) -> None:
    s3 = shared_platform.client("s3")
    s3.create_bucket(Bucket="functions")
    s3.put_object(Bucket="functions", Key="echo.zip", Body=zipped(main=ECHO))
    name = make(Code={"S3Bucket": "functions", "S3Key": "echo.zip"})
    assert invoke(shared_platform, name, 7)["Payload"] == 7
    code, message = refused(
        shared_platform.client("lambda").update_function_code,
        FunctionName=name,
        S3Bucket="functions",
        S3Key="none.zip",
    )
    assert code == "InvalidParameterValueException"
    assert "NoSuchKey" in message


def test_new_code_and_variables_reach_the_next_invocation(
    shared_platform: RunningPlatform, make: Make
) -> None:
    client = shared_platform.client("lambda")
    source = "import os\ndef handler(event, context):\n    return os.environ.get('SIDE'), {}\n"
    name = make(source.format(1))
    assert invoke(shared_platform, name)["Payload"] == [None, 1]
    code = zipped(main=source.format(2))
    assert client.update_function_code(FunctionName=name, ZipFile=code)["State"] == "Active"
    assert invoke(shared_platform, name)["Payload"] == [None, 2]
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"SIDE": "left"}}
    )
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert invoke(shared_platform, name)["Payload"] == ["left", 2]


def test_invocations_and_errors_are_measured(shared_platform: RunningPlatform, make: Make) -> None:
    client = shared_platform.client("lambda")
    name = make("def handler(event, context):\n    return 1 / event")
    for payload in (b"1", b"0", b"2"):
        client.invoke(FunctionName=name, Payload=payload)
    found = [
        shared_platform.platform.metrics.window(
            "AWS/Lambda", metric, dimensions(FunctionName=name), 0, time.time() + 1
        )
        for metric in ("Invocations", "Errors", "Duration")
    ]
    assert [each and each.count for each in found] == [3, 3, 3]
    assert [each and each.total for each in found[:2]] == [3, 1]
    assert found[2] is not None
    assert 0 < found[2].least <= found[2].most < 60_000


def test_an_exception_is_a_function_error(shared_platform: RunningPlatform, make: Make) -> None:
    name = make("def handler(event, context):\n    raise KeyError('no such row')\n")
    answer = invoke(shared_platform, name, LogType="Tail")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert answer["Payload"]["errorType"] == "KeyError"
    assert answer["Payload"]["errorMessage"] == "'no such row'"
    assert "main.py" in answer["Payload"]["stackTrace"][0]
    assert "[ERROR] KeyError" in base64.b64decode(answer["LogResult"]).decode()


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        ("import nothing_of_that_name", "Runtime.ImportModuleError", "nothing_of_that_name"),
        ("def handler(", "Runtime.UserCodeSyntaxError", "Syntax error in module 'main'"),
        ("other = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing"),
        ("import os; os._exit(3)", "Runtime.ExitError", "exit status 3"),
        ("import os; os.kill(os.getpid(), 9)", "Runtime.ExitError", "signal: killed"),
    ],
)
def test_a_function_that_cannot_start_says_why(
    shared_platform: RunningPlatform, make: Make, source: str, kind: str, said: str
) -> None:
    answer = invoke(shared_platform, make(source), {})
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == kind
    assert said in answer["Payload"]["errorMessage"]


def test_a_crash_ends_one_invocation_only(shared_platform: RunningPlatform, make: Make) -> None:
    name = make("import os\ndef handler(event, context):\n    return event or os._exit(0)\n")
    assert invoke(shared_platform, name, 1)["Payload"] == 1
    crash = invoke(shared_platform, name, 0)["Payload"]
    assert crash["errorType"] == "Runtime.ExitError"
    assert crash["errorMessage"].endswith("Runtime exited without providing a reason")
    assert invoke(shared_platform, name, 2)["Payload"] == 2


def test_a_function_is_stopped_at_its_timeout(shared_platform: RunningPlatform, make: Make) -> None:
    source = (
        "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'slept'\n"
    )
    name = make(source, Timeout=1)
    answer = invoke(shared_platform, name, 60, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    message = answer["Payload"]["errorMessage"]
    request_id = message.split()[1]
    assert message == f"RequestId: {request_id} Error: Task timed out after 1.00 seconds"
    assert answer["Payload"]["errorType"] == "Sandbox.Timedout"
    log = base64.b64decode(answer["LogResult"]).decode()
    assert f"Z {request_id} Task timed out after 1.00 seconds" in log
    assert f"REPORT RequestId: {request_id}" in log
    client = shared_platform.client("lambda")
    client.update_function_configuration(FunctionName=name, Timeout=PATIENCE)
    assert invoke(shared_platform, name, 0)["Payload"] == "slept"


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for a process's memory")
@pytest.mark.parametrize("then", ["return 'too late'", "time.sleep(60)"])
def test_a_function_has_its_memory_and_no_more(
    shared_platform: RunningPlatform, make: Make, then: str
) -> None:
    source = f"""
import time
def handler(event, context):
    held = b"x" * (event * 1_000_000)
    {"if event > 100: " + then}
    return len(held)
"""
    name = make(source, MemorySize=128)
    answer = invoke(shared_platform, name, 150, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "Runtime.OutOfMemory"
    said = answer["Payload"]["errorMessage"]
    assert said.endswith("Error: Runtime exited with error: signal: killed")
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "Memory Size: 128 MB\tMax Memory Used: 128 MB" in log
    assert invoke(shared_platform, name, 10)["Payload"] == 10_000_000
    client = shared_platform.client("lambda")
    client.update_function_configuration(FunctionName=name, MemorySize=512)
    assert invoke(shared_platform, name, 90)["Payload"] == 90_000_000


def test_it_sees_its_zip_and_what_aws_provides(
    shared_platform: RunningPlatform, make: Make
) -> None:
    source = """
import importlib
def handler(event, context):
    found = {}
    for name in event:
        try:
            found[name] = importlib.import_module(name).__name__
        except ImportError:
            found[name] = None
    return found
"""
    names = ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six"]
    hidden = ["boostline", "polars", "pytest", "pip", "msgspec", "starlette"]
    code = {"ZipFile": zipped(main=source, starlette="")}
    found = invoke(shared_platform, make(Code=code), [*names, *hidden])["Payload"]
    assert {name for name in found if found[name]} == {*names, "starlette"}


def test_nothing_of_the_caller_reaches_it(
    shared_platform: RunningPlatform, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = DECOY\naws_secret_access_key = DECOY\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "SECRET_OF_MINE"):
        monkeypatch.setenv(name, "DECOY")
    source = """
import os, boto3
def handler(event, context):
    key = boto3.Session().get_credentials().access_key
    return dict(os.environ), key, boto3.client("sts").get_caller_identity()["Account"]
"""
    name = make(source, Environment={"Variables": {"ENDPOINT_NAME": "churn"}})
    environment, key, account = invoke(shared_platform, name)["Payload"]
    assert "DECOY" not in json.dumps(environment)
    assert str(tmp_path) not in json.dumps(environment)
    assert (key, account) == (shared_platform.platform.credentials.access_key, "000000000000")
    assert environment["ENDPOINT_NAME"] == "churn"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert environment["_HANDLER"] == "main.handler"
    assert environment["AWS_REGION"] == "us-east-1"


def test_its_lines_are_in_its_log_group(shared_platform: RunningPlatform, make: Make) -> None:
    source = """
import logging
print("at start")
def handler(event, context):
    print("printed", context.aws_request_id)
    logging.warning("warned")
"""
    name = make(source)
    answer = invoke(shared_platform, name, LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode().splitlines()
    start, printed, warned, end, report = tail
    request_id = printed.split()[1]
    assert start == f"START RequestId: {request_id} Version: $LATEST"
    assert warned.startswith("[WARNING]")
    assert end == f"END RequestId: {request_id}"
    assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert "Init Duration: " in report
    # Retiring a function's workers does not lose what they wrote.
    client = shared_platform.client("lambda")
    client.delete_function(FunctionName=name)
    logs = shared_platform.platform.logs
    (stream,) = logs.streams(f"/aws/lambda/{name}")
    assert "/[$LATEST]" in stream
    lines = [event.message for event in logs.events(f"/aws/lambda/{name}")]
    assert lines[1:] == ["at start", *tail]


def test_a_function_may_write_a_lot(shared_platform: RunningPlatform, make: Make) -> None:
    source = """
def handler(event, context):
    for number in range(event):
        print(number)
    print("no end of line", end="")
"""
    name = make(source)
    answer = invoke(shared_platform, name, 50_000, LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert tail[-4:-2] == ["49999", "no end of line"]
    shared_platform.client("lambda").delete_function(FunctionName=name)
    logs = shared_platform.platform.logs
    written = [e.message for e in logs.events(f"/aws/lambda/{name}", limit=100_000)]
    assert [line for line in written if line.isdecimal()] == [str(n) for n in range(50_000)]


@pytest.mark.slow
def test_slow_starts_have_time_of_their_own(
    shared_platform: RunningPlatform, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "INIT_SECONDS", PATIENCE)
    name = make(f"import time\ntime.sleep(6)\n{ECHO}", Timeout=5)
    assert invoke(shared_platform, name, "there")["Payload"] == "there"
    monkeypatch.setattr(worker, "INIT_SECONDS", 0.3)
    code = zipped(main=f"import time\ntime.sleep(60)\n{ECHO}")
    shared_platform.client("lambda").update_function_code(FunctionName=name, ZipFile=code)
    answer = invoke(shared_platform, name)
    assert answer["FunctionError"] == "Unhandled"
    assert "Task timed out after 5.00 seconds" in answer["Payload"]["errorMessage"]


@pytest.mark.skipif(sys.platform != "linux", reason="waits for a process that is no child")
def test_an_idle_worker_that_died_is_replaced(shared_platform: RunningPlatform, make: Make) -> None:
    name = make("import os\ndef handler(event, context):\n    return os.getpid()\n")
    pid = invoke(shared_platform, name)["Payload"]
    descriptor = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    select.select([descriptor], [], [])  # until it has ended
    os.close(descriptor)
    answer = invoke(shared_platform, name)
    assert "FunctionError" not in answer
    assert answer["Payload"] != pid


def test_workers_are_kept_warm(shared_platform: RunningPlatform, make: Make) -> None:
    name = make("import os\ndef handler(event, context):\n    return os.getpid()\n")
    pids = {invoke(shared_platform, name)["Payload"] for _ in range(3)}
    assert len(pids) == 1


def test_invocations_run_side_by_side(
    shared_platform: RunningPlatform, make: Make, listener: socket.socket
) -> None:
    name = make(CALLER)
    event = {"port": port(listener)}
    with ThreadPoolExecutor() as threads:
        running_now = [threads.submit(invoke, shared_platform, name, event) for _ in range(3)]
        connections = [listener.accept()[0] for _ in running_now]  # all three are there at once
        pids = {connection.recv(100) for connection in connections}
        for connection in connections:
            connection.sendall(b"go")
            connection.close()
        assert [each.result()["Payload"] for each in running_now] == ["go"] * 3
    assert len(pids) == 3


@pytest.fixture
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_WORKERS", 1)


@pytest.mark.usefixtures("one_worker")
def test_a_change_frees_a_function_from_what_still_runs(
    shared_platform: RunningPlatform, make: Make, listener: socket.socket
) -> None:
    name, order = make(CALLER), {"port": port(listener)}
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(invoke, shared_platform, name, order)
        connection, _ = listener.accept()
        with connection:
            changed = zipped(main=ECHO)
            shared_platform.client("lambda").update_function_code(
                FunctionName=name, ZipFile=changed
            )
            assert invoke(shared_platform, name, "new")["Payload"] == "new"
            connection.sendall(b"old")
        assert old.result()["Payload"] == "old"
    assert invoke(shared_platform, name, "kept")["Payload"] == "kept"


@pytest.mark.usefixtures("one_worker")
def test_what_was_accepted_outlives_its_function(
    shared_platform: RunningPlatform, make: Make, listener: socket.socket
) -> None:
    name, order = make(CALLER), {"port": port(listener)}
    for _ in range(3):
        assert invoke(shared_platform, name, order, InvocationType="Event")["StatusCode"] == 202
    connection, _ = listener.accept()
    shared_platform.client("lambda").delete_function(FunctionName=name)
    for _ in range(2):  # the ones that wait
        connection.close()
        connection, _ = listener.accept()
    connection.close()


def test_reserved_concurrency_is_a_limit(
    shared_platform: RunningPlatform, make: Make, listener: socket.socket
) -> None:
    client = shared_platform.client("lambda")
    name = make(CALLER)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    found = client.get_function(FunctionName=name)
    assert found["Concurrency"] == {"ReservedConcurrentExecutions": 1}
    with ThreadPoolExecutor() as threads:
        first = threads.submit(invoke, shared_platform, name, {"port": port(listener)})
        connection, _ = listener.accept()
        with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
            client.invoke(FunctionName=name)
        with connection:
            connection.sendall(b"go")
        assert first.result()["Payload"] == "go"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    throttles = shared_platform.platform.metrics.window(
        "AWS/Lambda", "Throttles", dimensions(FunctionName=name), 0, time.time() + 1
    )
    assert throttles is not None
    assert throttles.total == 1
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert refused(client.invoke, FunctionName=name)[0] == "TooManyRequestsException"
    client.delete_function_concurrency(FunctionName=name)
    assert "Concurrency" not in client.get_function(FunctionName=name)
    assert "FunctionError" in invoke(shared_platform, name)


def test_network_and_key_are_kept_and_shown(shared_platform: RunningPlatform, make: Make) -> None:
    key = "arn:aws:kms:us-east-1:000000000000:key/1"
    network = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    name = make(VpcConfig=network, KMSKeyArn=key, TracingConfig={"Mode": "Active"})
    found = shared_platform.client("lambda").get_function_configuration(FunctionName=name)
    assert (found["VpcConfig"], found["KMSKeyArn"]) == (network, key)
    assert found["TracingConfig"] == {"Mode": "Active"}


def test_a_function_is_deleted_by_its_arn(shared_platform: RunningPlatform, make: Make) -> None:
    name = make("import os\ndef handler(event, context):\n    return os.getpid()\n")
    pid = invoke(shared_platform, name)["Payload"]
    client = shared_platform.client("lambda")
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    client.delete_function(FunctionName=arn)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_event_is_handled_after_the_answer(
    shared_platform: RunningPlatform, make: Make, listener: socket.socket
) -> None:
    name = make(CALLER)
    answer = invoke(shared_platform, name, {"port": port(listener)}, InvocationType="Event")
    assert (answer["StatusCode"], answer["Payload"]) == (202, None)
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(100).isdigit()


def test_payloads_have_limits(shared_platform: RunningPlatform, make: Make) -> None:
    client = shared_platform.client("lambda")
    name = make("def handler(event, context):\n    return 'x' * event\n")
    large = json.dumps("x" * 6_291_456).encode()
    assert refused(client.invoke, FunctionName=name, Payload=large)[0] == (
        "RequestEntityTooLargeException"
    )
    event = json.dumps("x" * 1_048_576).encode()
    too_large = refused(client.invoke, FunctionName=name, Payload=event, InvocationType="Event")
    assert too_large[0] == "RequestEntityTooLargeException"
    answer = invoke(shared_platform, name, 6_300_000)
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "Function.ResponseSizeTooLarge"
    assert len(invoke(shared_platform, name, 6_000_000)["Payload"]) == 6_000_000
    for bad in (b"{", b"[" * 100_000):
        assert refused(client.invoke, FunctionName=name, Payload=bad)[0] == (
            "InvalidRequestContentException"
        )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"Runtime": "nodejs22.x"}, f"which is {RUNTIME}"),
        ({"Code": {"ImageUri": "a.dkr.ecr/b:c"}, "PackageType": "Image"}, "ImageUri"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:a:1"]}, "Layers"),
        ({"Publish": True}, "Publish"),
        ({"LoggingConfig": {"LogFormat": "JSON"}}, "LoggingConfig"),
        ({"Environment": {"Variables": {"AWS_REGION": "eu-west-1"}}}, "AWS_REGION"),
        ({"Environment": {"Variables": {"LONG": "b" * 4096}}}, "4KB limit"),
        ({"Code": {"ZipFile": b"no zip"}}, "Could not unzip uploaded file: neither a tar.gz"),
        ({"Code": {}}, "provide a source"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    make: Make, settings: dict[str, Any], said: str
) -> None:
    code, message = refused(make, **settings)
    assert code == "InvalidParameterValueException"
    assert said in message


def test_a_zip_that_leaves_its_folder_is_refused(
    make: Make, shared_platform: RunningPlatform
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../outside.py", "")
    code, message = refused(make, Code={"ZipFile": file.getvalue()})
    assert (code, "outside the folder" in message) == ("InvalidParameterValueException", True)
    assert not list(shared_platform.platform.folder.rglob("outside.py"))


def test_names_are_taken_once_and_free_again(shared_platform: RunningPlatform, make: Make) -> None:
    client = shared_platform.client("lambda")
    name = make()
    assert refused(make)[0] == "ResourceConflictException"
    client.delete_function(FunctionName=name)
    code, message = refused(client.get_function, FunctionName=name)
    assert code == "ResourceNotFoundException"
    assert message.endswith(f"function:{name}")
    assert refused(client.invoke, FunctionName=name)[0] == "ResourceNotFoundException"
    make("def handler(event, context):\n    return 'new'\n")
    assert invoke(shared_platform, name)["Payload"] == "new"


def test_only_latest_exists(shared_platform: RunningPlatform, make: Make) -> None:
    name = make()
    client = shared_platform.client("lambda")
    assert invoke(shared_platform, name, 1, Qualifier="$LATEST")["Payload"] == 1
    assert refused(client.invoke, FunctionName=name, Qualifier="7")[0] == (
        "ResourceNotFoundException"
    )


def test_functions_are_listed_page_by_page(platform: RunningPlatform) -> None:
    client = platform.client("lambda")
    names = ["a", "b", "c"]
    for name in reversed(names):
        client.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Role=ROLE,
            Handler="main.handler",
            Code={"ZipFile": zipped(main=ECHO)},
        )
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    assert [[one["FunctionName"] for one in page["Functions"]] for page in pages] == [
        ["a", "b"],
        ["c"],
    ]


def test_permissions_come_and_go(shared_platform: RunningPlatform, make: Make) -> None:
    client = shared_platform.client("lambda")
    name = make()
    request = {
        "FunctionName": name,
        "StatementId": "api",
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": "arn:aws:execute-api:us-east-1:000000000000:abc/*/*",
    }
    added = json.loads(client.add_permission(**request)["Statement"])
    assert added["Principal"] == {"Service": "apigateway.amazonaws.com"}
    assert refused(client.add_permission, **request)[0] == "ResourceConflictException"
    client.remove_permission(FunctionName=name, StatementId="api")
    gone = refused(client.remove_permission, FunctionName=name, StatementId="api")
    assert gone[0] == "ResourceNotFoundException"
    others = {"Principal": "*"}, {"Action": "lambda:GetFunction"}, {"SourceAccount": "0" * 12}
    for other in others:
        code, _ = refused(client.add_permission, **request | other)
        assert code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({}, True),
        ({"SourceArn": "arn:aws:execute-api:us-east-1:000000000000:abc/*/POST/predict"}, True),
        ({"SourceArn": "arn:aws:execute-api:us-east-1:000000000000:abc/*/GET/predict"}, False),
        ({"SourceArn": "arn:aws:execute-api:us-east-1:000000000000:other/*/*"}, False),
        ({"SourceArn": "arn:aws:execute-api:*"}, False),
        ({"Principal": "s3.amazonaws.com"}, False),
    ],
)
def test_a_permission_is_for_one_caller(changes: dict[str, str], allowed: bool) -> None:
    request = {
        "StatementId": "a",
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
    }
    made = statement("arn:aws:lambda:us-east-1:000000000000:function:f", request | changes)
    source = "arn:aws:execute-api:us-east-1:000000000000:abc/prod/POST/predict"
    assert allows(made, "apigateway.amazonaws.com", source) is allowed


def test_functions_outlive_the_platform_and_workers_do_not(tmp_path: Path) -> None:
    source = "import os\ndef handler(event, context):\n    return os.getpid()\n"
    first = Platform(Settings(tmp_path, port=0))
    with running(first):
        client = RunningPlatform(first).client("lambda")
        code = {"ZipFile": zipped(main=source)}
        client.create_function(
            FunctionName="f", Runtime=RUNTIME, Role=ROLE, Handler="main.handler", Code=code
        )
        pid = invoke(RunningPlatform(first), "f")["Payload"]
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not any((tmp_path / "functions" / "scratch").iterdir())
    second = Platform(Settings(tmp_path, port=0))
    with running(second):
        assert invoke(RunningPlatform(second), "f")["Payload"] != pid


def test_the_platform_s_end_ends_what_runs(tmp_path: Path, listener: socket.socket) -> None:
    platform = Platform(Settings(tmp_path, port=0))
    with running(platform):
        client = RunningPlatform(platform).client("lambda")
        client.create_function(
            FunctionName="f",
            Runtime=RUNTIME,
            Role=ROLE,
            Handler="main.handler",
            Timeout=100,
            Code={"ZipFile": zipped(main=CALLER)},
        )
        event = {"port": port(listener)}
        invoke(RunningPlatform(platform), "f", event, InvocationType="Event")
        connection, _ = listener.accept()
        pid = int(connection.recv(100))
    with connection:
        assert connection.recv(100) == b""
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not any((tmp_path / "functions" / "scratch").iterdir())


PLATFORM = """
import sys
from pathlib import Path
from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import serve
platform = Platform(Settings(Path(sys.argv[1]), port=0))
serve(platform, lambda port: print(port, *vars(platform.credentials).values(), flush=True))
"""


@pytest.mark.slow
def test_a_killed_platform_leaves_no_worker(tmp_path: Path, listener: socket.socket) -> None:
    started = subprocess.Popen(
        [sys.executable, "-c", PLATFORM, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    with started, started.stdout:
        at, key, secret = started.stdout.readline().split()
        client = boto3.Session(key, secret, region_name="us-east-1").client(
            "lambda", endpoint_url=f"http://127.0.0.1:{at}"
        )
        client.create_function(
            FunctionName="f",
            Runtime=RUNTIME,
            Role=ROLE,
            Handler="main.handler",
            Timeout=100,
            Code={"ZipFile": zipped(main=CALLER)},
        )
        payload = json.dumps({"port": port(listener)}).encode()
        client.invoke(FunctionName="f", InvocationType="Event", Payload=payload)
        connection, _ = listener.accept()
        with connection:
            assert int(connection.recv(100)) > 0
            started.send_signal(signal.SIGKILL)
            # The worker's end closes its connection: it was busy, and it was not asked.
            readable, _, _ = select.select([connection], [], [], PATIENCE)
            assert readable
            assert connection.recv(100) == b""
