from __future__ import annotations

import asyncio
import datetime as dt
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from boostline.contracts.strict import StrictError
from boostline.local.service import Service
from tests.conftest import RunningPlatform
from tests.local.raw import Reply, send, sign

TARGET = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WHO = b"Action=GetCallerIdentity&Version=2011-06-15"


def who(platform: RunningPlatform, **headers: str) -> Reply:
    """Ask who one is, with headers changed after they were signed."""
    new = {name.replace("_", "-").title(): value for name, value in headers.items()}
    made = sign(platform, "sts", "POST", "/", WHO, FORM)
    return send(platform, "POST", "/", WHO, {**made, **new})


def refused(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_signed_request_is_answered(shared_platform: RunningPlatform) -> None:
    reply = who(shared_platform)
    assert reply.status == 200
    assert b"user/boostline</Arn>" in reply.body
    assert reply.headers["x-amzn-requestid"].encode() in reply.body


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "b.localhost"])
def test_a_foreign_host_is_refused(shared_platform: RunningPlatform, host: str) -> None:
    assert who(shared_platform, host=host).status == 403
    reply = send(shared_platform, "GET", "/restapis/a/prod/x", headers={"Host": host})
    assert (reply.status, reply.json) == (403, {"message": "this Host is not served"})


def test_two_hosts_are_refused(shared_platform: RunningPlatform) -> None:
    ours = shared_platform.endpoint.removeprefix("http://")
    headers = {"Host": ours, "host": "evil.example"}
    assert send(shared_platform, "GET", "/", headers=headers).status in {400, 403}


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_all_names_of_loopback_are_served(shared_platform: RunningPlatform, name: str) -> None:
    host = f"{name}:{shared_platform.platform.port}"
    reply = send(shared_platform, "GET", "/", headers={"Host": host})
    assert reply.status == 403
    assert b"<Code>AccessDenied</Code>" in reply.body


def test_unsigned_requests_are_refused(shared_platform: RunningPlatform) -> None:
    reply = send(shared_platform, "POST", "/", b"{}", TARGET)
    assert reply.status == 403
    assert reply.json["__type"] == "MissingAuthenticationTokenException"
    reply = send(shared_platform, "POST", "/", WHO, FORM)
    assert reply.status == 403
    assert b"<Code>MissingAuthenticationToken</Code>" in reply.body
    reply = send(shared_platform, "PUT", "/bucket/key", b"content")
    assert reply.status == 403
    assert b"<Code>AccessDenied</Code>" in reply.body


@pytest.mark.parametrize("service", ["s3", "sagemaker", "lambda", "sts", "apigateway"])
def test_no_client_gets_in_unsigned(shared_platform: RunningPlatform, service: str) -> None:
    client = boto3.client(
        service,
        "us-east-1",
        endpoint_url=shared_platform.endpoint,
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    calls = {
        "s3": "list_buckets",
        "sagemaker": "list_models",
        "lambda": "list_functions",
        "sts": "get_caller_identity",
        "apigateway": "get_rest_apis",
    }
    assert refused(getattr(client, calls[service]))[1] == 403


@pytest.mark.parametrize(
    ("service", "call", "params", "unknown", "wrong"),
    [
        ("s3", "list_buckets", {}, "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", {}, "InvalidClientTokenId", "SignatureDoesNotMatch"),
        (
            "logs",
            "describe_log_groups",
            {},
            "UnrecognizedClientException",
            "InvalidSignatureException",
        ),
        (
            "lambda",
            "list_functions",
            {},
            "UnrecognizedClientException",
            "InvalidSignatureException",
        ),
        (
            "sagemaker-runtime",
            "invoke_endpoint",
            {"EndpointName": "e", "Body": b""},
            "UnrecognizedClientException",
            "InvalidSignatureException",
        ),
    ],
)
def test_other_keys_are_refused_as_the_service_does(
    shared_platform: RunningPlatform,
    service: str,
    call: str,
    params: dict[str, Any],
    unknown: str,
    wrong: str,
) -> None:
    key = shared_platform.platform.credentials.access_key
    for access_key, code in (("AKIAIOSFODNN7EXAMPLE", unknown), (key, wrong)):
        client = boto3.client(
            service,
            "us-east-1",
            endpoint_url=shared_platform.endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key="a secret of another",
            config=Config(retries={"total_max_attempts": 1}),
        )
        assert refused(getattr(client, call), **params) == (code, 403)


def test_what_was_changed_on_the_way_is_refused(shared_platform: RunningPlatform) -> None:
    reply = who(shared_platform, content_type="text/plain")
    assert (reply.status, b"SignatureDoesNotMatch" in reply.body) == (403, True)
    made = sign(shared_platform, "sts", "POST", "/", WHO, FORM)
    reply = send(shared_platform, "POST", "/", WHO + b"&More=1", made)
    assert (reply.status, b"SignatureDoesNotMatch" in reply.body) == (403, True)


def test_another_body_than_the_declared_one_is_not_stored(
    shared_platform: RunningPlatform,
) -> None:
    s3 = shared_platform.client("s3")
    s3.create_bucket(Bucket="payload")
    made = sign(shared_platform, "s3", "PUT", "/payload/key", b"what was signed")
    reply = send(shared_platform, "PUT", "/payload/key", b"what was sent!!", made)
    assert reply.status == 400
    assert b"XAmzContentSHA256Mismatch" in reply.body
    assert "Contents" not in s3.list_objects_v2(Bucket="payload")


def test_an_old_request_cannot_be_replayed(
    shared_platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=16)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: old)
    reply = send(shared_platform, "GET", "/", headers=sign(shared_platform, "s3", "GET", "/"))
    assert reply.status == 403
    assert b"<Code>RequestTimeTooSkewed</Code>" in reply.body


def test_what_the_platform_does_not_have_is_refused_by_name(
    shared_platform: RunningPlatform,
) -> None:
    s3 = shared_platform.client("s3")
    assert refused(s3.get_bucket_website, Bucket="abc") == ("NotImplemented", 501)
    with pytest.raises(ClientError, match="does not have sagemaker:ListApps; it has CreateP"):
        shared_platform.client("sagemaker").list_apps()
    with pytest.raises(ClientError, match="does not have the service sqs; it has apigateway"):
        shared_platform.client("sqs").list_queues()


def test_what_aws_does_not_have_is_unknown(shared_platform: RunningPlatform) -> None:
    headers = {"X-Amz-Target": "SageMaker.MakeCoffee"}
    made = sign(shared_platform, "sagemaker", "POST", "/", b"{}", headers)
    reply = send(shared_platform, "POST", "/", b"{}", made)
    assert (reply.status, reply.json["__type"]) == (400, "UnknownOperationException")
    made = sign(shared_platform, "lambda", "GET", "/2015-03-31/coffee")
    reply = send(shared_platform, "GET", "/2015-03-31/coffee", headers=made)
    assert reply.status == 404
    assert reply.headers["x-amzn-errortype"] == "UnknownOperationException"


BAD = [b"{", b"[]", b'"x"', b"\xff", b'{"limit": NaN}', b'{"limit": "1"}', b'{"limit": 1.5}']
BAD += [
    b'{"logGroupNamePrefix": 1}',
    b'{"accountIdentifiers": {}}',
    b'{"includeLinkedAccounts": 1}',
    b'{"limit": ' + b"[" * 400 + b"]" * 400 + b"}",
    b"[" * 100_000,
    b'{"limit": 9223372036854775808}',
]


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_what_cannot_be_read_is_refused(shared_platform: RunningPlatform, body: bytes) -> None:
    made = sign(shared_platform, "logs", "POST", "/", body, TARGET)
    reply = send(shared_platform, "POST", "/", body, made)
    assert (reply.status, reply.json["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize("moment", ["1e999", "1e300", "-1e15", '"never"', "[]"])
def test_a_time_that_no_calendar_has_is_refused(
    shared_platform: RunningPlatform, moment: str
) -> None:
    body = f'{{"CreationTimeAfter": {moment}}}'.encode()
    headers = {"X-Amz-Target": "SageMaker.ListModels"}
    made = sign(shared_platform, "sagemaker", "POST", "/", body, headers)
    reply = send(shared_platform, "POST", "/", body, made)
    assert (reply.status, reply.json["__type"]) == (400, "SerializationException")


def test_what_a_shape_nests_without_end_is_read_or_refused(
    shared_platform: RunningPlatform,
) -> None:
    headers = {"X-Amz-Target": "SageMaker.Search"}

    def search(depth: int) -> Reply:
        inner = '{"SubExpressions": [' * depth + "{}" + "]}" * depth
        body = f'{{"Resource": "TrainingJob", "SearchExpression": {inner}}}'.encode()
        made = sign(shared_platform, "sagemaker", "POST", "/", body, headers)
        return send(shared_platform, "POST", "/", body, made)

    for depth in (90, 150, 2_000):
        assert search(depth).status in {200, 400}


def test_what_is_not_well_formed_is_refused_in_the_services_words(
    shared_platform: RunningPlatform,
) -> None:
    body = b'{"limit": 51, "logGroupNamePrefix": ""}'
    made = sign(shared_platform, "logs", "POST", "/", body, TARGET)
    reply = send(shared_platform, "POST", "/", body, made)
    assert (reply.status, reply.json["__type"]) == (400, "InvalidParameterException")
    assert reply.json["message"].startswith("3 validation errors detected: Value '")
    assert "at 'limit' failed to satisfy constraint: Member must have value less" in str(reply.json)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused(shared_platform: RunningPlatform, encoding: str) -> None:
    text = '<!DOCTYPE a [<!ENTITY b "c">]><Delete><Object><Key>&b;</Key></Object></Delete>'
    body = text.encode(encoding)
    made = sign(shared_platform, "s3", "POST", "/bucket?delete", body)
    reply = send(shared_platform, "POST", "/bucket?delete", body, made)
    assert reply.status == 400
    assert b"MalformedXML" in reply.body


def test_a_body_that_is_too_long_is_refused(shared_platform: RunningPlatform) -> None:
    body = b"{" + b" " * (6 << 20) + b"}"
    made = sign(shared_platform, "logs", "POST", "/", body, TARGET)
    reply = send(shared_platform, "POST", "/", body, made)
    assert (reply.status, reply.json["__type"]) == (413, "RequestEntityTooLargeException")


class Peculiar(Service):
    """A service that fails, waits, or runs in the loop."""

    def __init__(self, platform: Any) -> None:
        super().__init__(platform)
        self.waiting = threading.Semaphore(0)
        self.go_on = threading.Event()

    def get_caller_identity(self, _: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("a secret detail")

    async def get_role(self, _: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"Role": {"RoleName": str(asyncio.get_running_loop().is_running())}}

    def invoke_endpoint(self, _: dict[str, Any]) -> dict[str, Any]:
        self.waiting.release()
        self.go_on.wait(60)
        return {"Body": b"done"}


class Echo(Service):
    """An endpoint that gives back what it gets."""

    def invoke_endpoint(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Body": request["Body"], "ContentType": request["ContentType"]}


def test_a_failure_of_the_platform_keeps_its_details(
    platform: RunningPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.platform._services["sts"] = Peculiar(platform.platform)
    with pytest.raises(ClientError, match="InternalFailure") as caught:
        platform.client("sts").get_caller_identity()
    metadata = caught.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 500
    assert "secret" not in str(caught.value)
    assert "a secret detail" in caplog.text
    assert metadata["RequestId"] in caplog.text


def test_a_handler_may_be_async(platform: RunningPlatform) -> None:
    platform.platform._services["iam"] = Peculiar(platform.platform)
    assert platform.client("iam").get_role(RoleName="r")["Role"]["RoleName"] == "True"


def test_slow_endpoints_keep_nobody_else_waiting(platform: RunningPlatform) -> None:
    slow = Peculiar(platform.platform)
    platform.platform._services["sagemaker-runtime"] = slow
    runtime = platform.client("sagemaker-runtime", max_pool_connections=80)

    def invoke(_: int) -> bytes:
        body: bytes = runtime.invoke_endpoint(EndpointName="e", Body=b"")["Body"].read()
        return body

    with ThreadPoolExecutor(70) as pool:
        answers = pool.map(invoke, range(70))
        for _ in range(64):
            assert slow.waiting.acquire(timeout=60)
        assert platform.client("sts").get_caller_identity()["Account"]
        slow.go_on.set()
        assert list(answers) == [b"done"] * 70


def test_an_endpoint_takes_25_mb(platform: RunningPlatform) -> None:
    platform.platform._services["sagemaker-runtime"] = Echo(platform.platform)
    runtime = platform.client("sagemaker-runtime")
    body = bytes(range(256)) * 4 * 1024 * 25
    answer = runtime.invoke_endpoint(EndpointName="e", Body=body, ContentType="text/csv")
    assert answer["ContentType"] == "text/csv"
    assert answer["Body"].read() == body
    with pytest.raises(StrictError, match="less than or equal to 26214400"):
        runtime.invoke_endpoint(EndpointName="e", Body=body + b"x", ContentType="text/csv")


def test_an_upload_that_breaks_off_leaves_nothing(platform: RunningPlatform) -> None:
    platform.client("s3").create_bucket(Bucket="abc")
    body = b"x" * 100
    headers = sign(platform, "s3", "PUT", "/abc/key", body)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    port = platform.platform.port
    head = ["PUT /abc/key HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Length: 100", *lines]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body[:50])
        incoming = platform.platform.folder / "blobs" / "incoming"
        wait_for(lambda: any(incoming.iterdir()))
    wait_for(lambda: not any(incoming.iterdir()))
    assert "Contents" not in platform.client("s3").list_objects_v2(Bucket="abc")


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a folder, which tells nobody of its changes, is as it should be."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
