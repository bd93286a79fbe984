from __future__ import annotations

import io
import json
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

from boostline.local.platform import Platform, Settings
from boostline.local.services.apigateway import meter, validation
from boostline.local.services.apigateway.document import Document
from boostline.local.services.apigateway.meter import Meter
from boostline.local.services.apigateway.validation import Models
from boostline.local.wire.errors import AwsError
from boostline.local.wire.server import running
from tests.conftest import RunningPlatform
from tests.local.services.metrics_bench import measured

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:"
# Answers what the request's body says, or else with the event.
SOURCE = """
import json, time
def handler(event, context):
    order = json.loads(event["body"]) if event["body"] and event["body"][0] == "{" else {}
    time.sleep(order.get("sleep", 0))
    if "fail" in order:
        raise ValueError(order["fail"])
    return order.get("answer", {"statusCode": 200, "body": json.dumps(event)})
"""


def operation(function: str = "echo", keyed: bool = False, **integration: Any) -> dict[str, Any]:
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}{function}"
    return {
        "responses": {"200": {"description": "OK"}},
        **({"security": [{"key": []}]} if keyed else {}),
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": f"{uri}/invocations",
            **integration,
        },
    }


def document(paths: dict[str, Any], title: str = "api", **more: Any) -> dict[str, Any]:
    scheme = {"type": "apiKey", "name": "x-api-key", "in": "header"}
    return {
        "openapi": "3.0.1",
        "info": {"title": title, "version": "1"},
        "paths": paths,
        "components": {"securitySchemes": {"key": scheme}},
        **more,
    }


def encoded(paths: dict[str, Any], **more: Any) -> bytes:
    return json.dumps(document(paths, **more)).encode()


PATHS = {
    "/": {"get": operation()},
    "/open": {"post": operation(), "get": operation()},
    "/keyed": {"post": operation(keyed=True)},
    "/open/more": {"get": operation()},
    "/slow": {"post": operation(timeoutInMillis=100)},
    "/closed": {"get": operation("closed")},
    "/nobody": {"get": operation("nobody")},
}


class Deployed:
    """An API on a stage, as a client without AWS credentials sees it."""

    def __init__(self, platform: RunningPlatform, body: bytes | None = None) -> None:
        self.client = platform.client("apigateway")
        self.functions = platform.client("lambda")
        self.pool = urllib3.PoolManager(retries=False)
        self.id: str = self.client.import_rest_api(body=body or encoded(PATHS))["id"]
        self.client.create_deployment(restApiId=self.id, stageName="prod")
        self.url = f"{platform.endpoint}/restapis/{self.id}/prod"

    def call(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[urllib3.BaseHTTPResponse, Any]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.pool.request(method, self.url + path, body=data, headers=sent)
        try:
            return answer, answer.json()
        except ValueError:
            return answer, answer.data

    def key(self, name: str, **limits: Any) -> tuple[str, str]:
        """Return a key's value and its usage plan."""
        key = self.client.create_api_key(name=name, enabled=True)
        stages = [{"apiId": self.id, "stage": "prod"}]
        plan = self.client.create_usage_plan(name=name, apiStages=stages, **limits)["id"]
        self.client.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
        return key["value"], plan


def zipped(source: str = SOURCE) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("main.py", source)
    return file.getvalue()


def make_functions(platform: RunningPlatform) -> None:
    client = platform.client("lambda")
    for name in ("echo", "closed"):
        client.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Role="arn:aws:iam::000000000000:role/functions",
            Handler="main.handler",
            Timeout=20,
            Code={"ZipFile": zipped()},
        )
    client.add_permission(
        FunctionName="echo",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn="arn:aws:execute-api:us-east-1:000000000000:*/*/*",
    )


@pytest.fixture(scope="module")
def api(shared_platform: RunningPlatform) -> Iterator[Deployed]:
    make_functions(shared_platform)
    made = Deployed(shared_platform)
    yield made
    made.pool.clear()


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_the_function_gets_the_proxy_event(api: Deployed) -> None:
    answer, event = api.call(
        "POST", "/open?a=1&b=2&a=%C3%BC", {"x": 1}, user_agent="test", x_two="2"
    )
    assert answer.status == 200
    assert set(event) == {
        *("resource", "path", "httpMethod", "headers", "multiValueHeaders", "pathParameters"),
        *("queryStringParameters", "multiValueQueryStringParameters", "stageVariables"),
        *("requestContext", "body", "isBase64Encoded"),
    }
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/open", "/open", "POST")
    assert event["queryStringParameters"] == {"a": "ü", "b": "2"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "ü"], "b": ["2"]}
    assert (event["headers"]["x-two"], event["multiValueHeaders"]["x-two"]) == ("2", ["2"])
    assert event["headers"]["X-Forwarded-Proto"] == "http"
    assert event["pathParameters"] is event["stageVariables"] is None
    assert (event["body"], event["isBase64Encoded"]) == ('{"x": 1}', False)
    context = event["requestContext"]
    assert set(context) == {
        *("accountId", "apiId", "deploymentId", "domainName", "domainPrefix", "identity"),
        *("extendedRequestId", "httpMethod", "path", "protocol", "requestId", "requestTime"),
        *("requestTimeEpoch", "resourceId", "resourcePath", "stage"),
    }
    assert context["apiId"] == api.id
    assert (context["stage"], context["path"]) == ("prod", "/prod/open")
    assert (context["resourcePath"], context["httpMethod"]) == ("/open", "POST")
    assert context["accountId"] == "000000000000"
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["identity"]["userAgent"] == "test"
    assert "apiKey" not in context["identity"]
    assert abs(context["requestTimeEpoch"] / 1000 - datetime.now(UTC).timestamp()) < 60
    assert answer.headers["x-amzn-RequestId"] == context["requestId"]
    assert answer.headers["x-amz-apigw-id"] == context["extendedRequestId"]
    assert answer.headers["X-Amzn-Trace-Id"] == event["headers"]["X-Amzn-Trace-Id"]


def test_nothing_sent_is_null(api: Deployed) -> None:
    _, event = api.call("GET", "/open")
    assert event["body"] is None
    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/none"), ("PUT", "/open"), ("GET", "/open/"), ("GET", "/open/no")],
)
def test_an_unknown_route_is_forbidden(api: Deployed, method: str, path: str) -> None:
    answer, body = api.call(method, path)
    assert (answer.status, body) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_an_unknown_stage_is_forbidden(api: Deployed, shared_platform: RunningPlatform) -> None:
    for place in (f"{api.id}/none", "none/prod"):
        answer = api.pool.request("GET", f"{shared_platform.endpoint}/restapis/{place}/open")
        assert (answer.status, answer.json()) == (403, {"message": "Forbidden"})


def test_a_key_opens_its_stage_only(api: Deployed) -> None:
    value, plan = api.key("opens")
    stranger = api.client.create_api_key(name="of no plan", enabled=True)["value"]
    assert len(value) >= 20
    answer, event = api.call("POST", "/keyed", x_api_key=value)
    assert answer.status == 200
    assert event["requestContext"]["identity"]["apiKey"] == value
    for headers in ({}, {"x_api_key": "wrong" * 8}, {"x_api_key": stranger}):
        answer, body = api.call("POST", "/keyed", **headers)
        assert (answer.status, body) == (403, {"message": "Forbidden"})
    operations = [{"op": "remove", "path": "/apiStages", "value": f"{api.id}:prod"}]
    api.client.update_usage_plan(usagePlanId=plan, patchOperations=operations)
    assert api.call("POST", "/keyed", x_api_key=value)[0].status == 403


def test_a_disabled_or_deleted_key_opens_nothing(api: Deployed) -> None:
    disabled = api.client.create_api_key(name="disabled")
    value, plan = api.key("deleted")
    api.client.create_usage_plan_key(usagePlanId=plan, keyId=disabled["id"], keyType="API_KEY")
    assert api.call("POST", "/keyed", x_api_key=disabled["value"])[0].status == 403
    assert api.call("POST", "/keyed", x_api_key=value)[0].status == 200
    (key,) = api.client.get_api_keys(nameQuery="deleted")["items"]
    api.client.delete_api_key(apiKey=key["id"])
    assert api.call("POST", "/keyed", x_api_key=value)[0].status == 403


def test_a_plan_throttles(api: Deployed) -> None:
    value, plan = api.key("throttled", throttle={"rateLimit": 0.001, "burstLimit": 2})
    statuses = [api.call("POST", "/keyed", x_api_key=value)[0].status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert api.call("POST", "/keyed", x_api_key=value)[1] == {"message": "Too Many Requests"}
    operations = [{"op": "replace", "path": "/throttle/burstLimit", "value": "5"}]
    api.client.update_usage_plan(usagePlanId=plan, patchOperations=operations)
    assert api.call("POST", "/keyed", x_api_key=value)[0].status == 200


def test_a_quota_of_a_day_ends_and_outlives_a_restart(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "today", lambda: "2026-11-22")
    first = Platform(Settings(tmp_path, port=0))
    with running(first):
        platform = RunningPlatform(first)
        make_functions(platform)
        api = Deployed(platform)
        value, _ = api.key("quota", quota={"limit": 2, "period": "DAY"})
        assert api.call("POST", "/keyed", x_api_key=value)[0].status == 200
        api.pool.clear()
    second = Platform(Settings(tmp_path, port=0))
    with running(second):
        api.url = f"{second.endpoint}/restapis/{api.id}/prod"
        assert api.call("POST", "/keyed", x_api_key=value)[0].status == 200
        answer, body = api.call("POST", "/keyed", x_api_key=value)
        assert (answer.status, body) == (429, {"message": "Limit Exceeded"})
        monkeypatch.setattr(meter, "today", lambda: "2026-11-23")
        assert api.call("POST", "/keyed", x_api_key=value)[0].status == 200
        api.pool.clear()


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({"answer": "text"}, 502),
        ({"answer": {"body": "no status"}}, 502),
        ({"answer": {"statusCode": "many"}}, 502),
        ({"answer": {"statusCode": 200, "body": {"not": "text"}}}, 502),
        ({"answer": {"statusCode": 200, "other": 1}}, 502),
        ({"answer": {"statusCode": 200, "headers": {"a": "b\r\nc: d"}}}, 502),
        ({"answer": {"statusCode": 200, "headers": {"a\r\nb": "c"}}}, 502),
        ({"answer": {"statusCode": 200, "headers": {"a": "\u20ac"}}}, 502),
        ({"fail": "on purpose"}, 502),
    ],
)
def test_a_bad_answer_is_a_bad_gateway(api: Deployed, order: object, status: int) -> None:
    answer, body = api.call("POST", "/open", order)
    assert (answer.status, body) == (status, {"message": "Internal server error"})


def test_an_answer_is_passed_on(api: Deployed) -> None:
    order = {
        "answer": {
            "statusCode": 418,
            "headers": {"X-One": "1", "Server": "mine", "X-Number": 2},
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
            "body": "short and stout",
        }
    }
    answer, body = api.call("POST", "/open", order)
    assert (answer.status, body) == (418, b"short and stout")
    assert answer.headers.getlist("set-cookie") == ["a=1", "b=2"]
    assert (answer.headers["x-one"], answer.headers["x-number"]) == ("1", "2")
    assert answer.headers["x-amzn-remapped-server"] == "mine"
    assert answer.headers["content-type"] == "application/json"


def test_a_body_has_a_limit(api: Deployed) -> None:
    answer, body = api.call("POST", "/open", b"x" * 10_485_761)
    assert (answer.status, body) == (413, {"message": "Request Too Long"})
    assert api.call("POST", "/open", b"x" * 7_000_000)[0].status == 413  # Lambda takes 6 MB
    assert api.call("POST", "/open", b"x" * 1_000_000)[0].status == 200


def test_a_slow_function_times_out(api: Deployed) -> None:
    answer, body = api.call("POST", "/slow", {"sleep": 2})
    assert (answer.status, body) == (504, {"message": "Endpoint request timed out"})


@pytest.mark.parametrize("path", ["/closed", "/nobody"])
def test_a_function_has_to_be_there_and_to_permit_it(api: Deployed, path: str) -> None:
    answer, body = api.call("GET", path)
    assert (answer.status, body) == (500, {"message": "Internal server error"})


def test_a_throttled_function_is_an_internal_error(
    platform: RunningPlatform, staged: Staged
) -> None:
    platform.client("lambda").put_function_concurrency(
        FunctionName="echo", ReservedConcurrentExecutions=0
    )
    answer, body = staged.call("GET", "/open")
    assert (answer.status, body) == (500, {"message": "Internal server error"})


def test_many_at_once(api: Deployed) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: api.call("POST", "/open", {"n": n}), range(100)))
    assert [json.loads(event["body"])["n"] for _, event in answers] == list(range(100))


def test_a_stage_shows_what_was_deployed(api: Deployed) -> None:
    client = api.client
    made = client.import_rest_api(body=encoded({"/one": {"get": operation()}}, title="staged"))
    first = client.create_deployment(restApiId=made["id"], stageName="prod", description="one")
    replaced = encoded({"/two": {"get": operation()}}, title="staged again")
    client.put_rest_api(restApiId=made["id"], mode="overwrite", body=replaced)
    (found,) = client.get_rest_apis(limit=500)["items"][-1:]
    assert (found["name"], found["apiKeySource"]) == ("staged again", "HEADER")
    base = api.url.replace(api.id, made["id"])
    statuses = [api.pool.request("GET", f"{base}/{path}").status for path in ("one", "two")]
    assert statuses == [200, 403]
    second = client.create_deployment(restApiId=made["id"], stageName="prod")
    statuses = [api.pool.request("GET", f"{base}/{path}").status for path in ("one", "two")]
    assert statuses == [403, 200]
    stage = client.get_stage(restApiId=made["id"], stageName="prod")
    assert stage["deploymentId"] == second["id"] != first["id"]
    client.delete_rest_api(restApiId=made["id"])
    assert refused(client.delete_rest_api, restApiId=made["id"])[0] == "NotFoundException"
    assert api.pool.request("GET", f"{base}/two").status == 403


def test_listings_have_pages(platform: RunningPlatform) -> None:
    client = platform.client("apigateway")
    for number in range(5):
        client.create_api_key(name=f"key {number}")
    pages = client.get_paginator("get_api_keys").paginate(PaginationConfig={"PageSize": 2})
    names = [[key["name"] for key in page["items"]] for page in pages]
    assert names == [["key 0", "key 1"], ["key 2", "key 3"], ["key 4"]]
    assert all("value" not in key for key in client.get_api_keys()["items"])
    (found,) = client.get_api_keys(nameQuery="key 3", includeValues=True)["items"]
    shown = client.get_api_key(apiKey=found["id"], includeValue=True)
    assert shown["value"] == found["value"]
    assert "value" not in client.get_api_key(apiKey=found["id"])


def test_keys_and_plans_say_what_is_wrong(api: Deployed) -> None:
    client = api.client
    assert refused(client.create_api_key, value="v" * 20)[0] == "BadRequestException"
    assert refused(client.get_api_key, apiKey="none")[0] == "NotFoundException"
    assert refused(client.get_usage_plan, usagePlanId="none")[0] == "NotFoundException"
    stages = [{"apiId": api.id, "stage": "none"}]
    assert refused(client.create_usage_plan, name="p", apiStages=stages)[0] == "NotFoundException"
    for quota in ({"limit": 0, "period": "DAY"}, {"limit": 1, "period": "WEEK"}):
        assert refused(client.create_usage_plan, name="p", quota=quota)[0] == "BadRequestException"
    _, plan = api.key("says what is wrong")
    operations = [{"op": "replace", "path": "/productCode", "value": "x"}]
    code, message = refused(client.update_usage_plan, usagePlanId=plan, patchOperations=operations)
    assert (code, "/productCode" in message) == ("BadRequestException", True)
    for limit in ("nan", "inf", "-1"):
        operations = [{"op": "replace", "path": "/throttle/rateLimit", "value": limit}]
        code, _ = refused(client.update_usage_plan, usagePlanId=plan, patchOperations=operations)
        assert code == "BadRequestException"
    assert refused(client.delete_usage_plan, usagePlanId=plan)[0] == "BadRequestException"
    (key,) = client.get_api_keys(nameQuery="says what is wrong")["items"]
    twice = refused(
        client.create_usage_plan_key, usagePlanId=plan, keyId=key["id"], keyType="API_KEY"
    )
    assert twice[0] == "ConflictException"
    assert refused(client.get_api_keys, customerId="somebody")[0] == "BadRequestException"


EXTENSION = "x-amazon-apigateway-"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({f"{EXTENSION}request-validators": {"all": {"validate": 1}}}, "unknown field"),
        ({f"{EXTENSION}gateway-responses": {"THROTTLED": {"status": 1}}}, "unknown field"),
        ({f"{EXTENSION}policy": {}}, f"{EXTENSION}policy"),
        ({f"{EXTENSION}binary-media-types": ["image/*"]}, f"{EXTENSION}binary-media-types"),
        ({f"{EXTENSION}api-key-source": "AUTHORIZER"}, "AUTHORIZER"),
        ({"security": [{"key": []}]}, "security"),
        ({"info": {}}, "$.info"),
        ({"paths": None}, "$.paths"),
        ({"openapi": "2.0"}, "$.openapi"),
        ({"paths": {"/a/{b}": {}}}, "'/a/{b}' is not a path of texts"),
        (
            {"paths": {"/a": {f"{EXTENSION}any-method": operation()}}},
            f"the local platform does not have {EXTENSION}any-method",
        ),
        (
            {"paths": {"/a": {"get": {}}}},
            f"GET /a: Object missing required field `{EXTENSION}integration`",
        ),
        ({"paths": {"/a": {"get": operation(type="mock")}}}, "'mock'"),
        ({"paths": {"/a": {"get": operation(httpMethod="GET")}}}, "integration.httpMethod"),
        ({"paths": {"/a": {"get": operation(uri="http://a")}}}, "integration.uri"),
        ({"paths": {"/a": {"get": operation(timeoutInMillis=30_000)}}}, "<= 29000"),
        ({"paths": {"/a": {"get": operation(credentials="arn")}}}, "`credentials`"),
        (
            {"paths": {"/a": {"get": operation() | {"security": [{"oauth": []}]}}}},
            "GET /a: the local platform does not have oauth",
        ),
        (
            {"paths": {"/a": {"get": operation() | {f"{EXTENSION}request-validator": "all"}}}},
            f"GET /a: the local platform does not have {EXTENSION}request-validator",
        ),
        ({f"{EXTENSION}request-validator": "all"}, "there is no request validator 'all'"),
        (
            {f"{EXTENSION}request-validators": {"all": {"validateRequestParameters": True}}},
            "the local platform does not have validateRequestParameters",
        ),
    ],
)
def test_a_document_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(AwsError) as caught:
        Document(document({}) | changes)
    assert caught.value.code == "BadRequestException"
    assert said in caught.value.message


REF = "#/components/schemas/"


def modelled(models: dict[str, Any]) -> dict[str, Any]:
    """Return a document with models, one of which bodies have to fit."""
    media = {"application/json": {"schema": {"$ref": f"{REF}A"}}}
    content = document({"/a": {"post": operation() | {"requestBody": {"content": media}}}})
    content["components"]["schemas"] = models
    checks = {f"{EXTENSION}request-validators": {"all": {"validateRequestBody": True}}}
    return content | checks | {f"{EXTENSION}request-validator": "all"}


AROUND = {"A": {"allOf": [{"not": {"$ref": f"{REF}B"}}]}, "B": {"$ref": f"{REF}A"}}


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({"A": {"$ref": f"{REF}None"}}, f"there is no model at $ref '{REF}None'"),
        ({"A": {"items": {"$ref": "https://elsewhere"}}}, "no model at $ref 'https://elsewhere'"),
        ({"A": {"$ref": f"{REF}A"}}, f"a $ref leads back to itself: {REF}A"),
        (AROUND, "a $ref leads back to itself"),
        ({"A": {"patternProperties": {"(a": {}}}}, "cannot read the regular expression '(a'"),
        ({"A": {"properties": {"a": {"pattern": "*"}}}}, "a model is no JSON schema"),
        ({"A": json.loads('{"items":' * 180 + "{}" + "}" * 180)}, "a model is nested too deeply"),
    ],
)
def test_a_model_that_checks_nothing_is_refused(models: dict[str, Any], said: str) -> None:
    with pytest.raises(AwsError) as caught:
        Document(modelled(models))
    assert caught.value.code == "BadRequestException"
    assert said in caught.value.message


def test_a_model_may_have_its_like_inside() -> None:
    tree = {"properties": {"left": {"$ref": f"{REF}A"}, "all": {"items": [{"$ref": f"{REF}A"}]}}}
    inner = {"$ref": f"{REF}A/properties/all/items/0"}
    read = Document(
        modelled({"A": tree, "a/b~c": {"anyOf": [inner]}, "B": {"$ref": f"{REF}a~1b~0c"}})
    )
    found = read.find("POST", "/a")
    assert found is not None
    assert found.models is not None
    assert found.models.problems("application/json", b'{"left": {"left": {}}}') == ""


def test_what_is_said_of_a_path_is_no_method() -> None:
    said = {"summary": "a", "description": "b", "parameters": [], "servers": [], "x-own": {}}
    read = Document(document({"/a": {**said, "get": operation()}}))
    assert read.find("GET", "/a") is not None
    assert read.find("SUMMARY", "/a") is None
    for name in ("trace", "gett", "$ref", f"{EXTENSION}cors"):
        with pytest.raises(AwsError, match="/a: "):
            Document(document({"/a": {name: operation()}}))


def test_a_document_has_a_depth(api: Deployed) -> None:
    code, message = refused(api.client.import_rest_api, body=b"[" * 100_000)
    assert (code, "nested more than" in message) == ("BadRequestException", True)


def test_all_problems_of_a_document_are_told_at_once(api: Deployed) -> None:
    paths = {"/a": {"get": operation(type="mock")}, "/b": {"put": {}}}
    code, message = refused(api.client.import_rest_api, body=encoded(paths), failOnWarnings=True)
    assert code == "BadRequestException"
    assert "GET /a" in message
    assert "PUT /b" in message


def test_a_bucket_fills_with_time(platform: RunningPlatform) -> None:
    now = [0.0]
    counter = Meter(platform.platform.resources, clock=lambda: now[0])

    def throttled(times: int) -> list[bool]:
        return [counter.throttled("plan/key", 2.0, 3) for _ in range(times)]

    assert throttled(4) == [False, False, False, True]
    now[0] = 0.5
    assert throttled(2) == [False, True]
    now[0] = 100
    assert throttled(4) == [False, False, False, True]


@pytest.mark.parametrize("path", ["/restapis", "/restapis/", "/restapis/x", "/restapis/x/"])
def test_an_unsigned_path_that_is_no_route_is_refused(platform: RunningPlatform, path: str) -> None:
    assert urllib3.request("GET", platform.endpoint + path, retries=False).status == 403


SCHEMAS = {
    "Item": {
        "type": "object",
        "properties": {"a": {}, "b": {"type": "number"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
    "Items": {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Item"},
        "maxItems": 2,
    },
    "Words": {
        "type": "object",
        "properties": {
            "low": {"minimum": 1},
            "short": {"maxLength": 2},
            "few": {"minItems": 1},
            "none": {"additionalProperties": False},
        },
    },
}
WORDED = {
    "statusCode": 422,
    "responseParameters": {
        "gatewayresponse.header.x-why": "context.error.validationErrorString",
        "gatewayresponse.header.x-fixed": "'here'",
    },
    "responseTemplates": {
        "application/json": '{"said":$context.error.messageString,"id":"$context.requestId"}'
    },
}


ALIKE = {
    "responseParameters": {"gatewayresponse.header.x-path": "context.path"},
    "responseTemplates": {"application/json": '{"kind":"$context.error.responseType"}'},
}


@pytest.fixture(scope="module")
def validated(shared_platform: RunningPlatform, api: Deployed) -> Deployed:
    """An API whose bodies are checked."""
    media = {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}
    body = {"requestBody": {"required": True, "content": media}}
    many = {"application/json": {"schema": {"$ref": "#/components/schemas/Items"}}}
    words = {"application/json": {"schema": {"$ref": "#/components/schemas/Words"}}}
    paths = {
        "/item": {"post": operation() | body},
        "/items": {"post": operation() | {"requestBody": {"content": many}}},
        "/words": {"post": operation() | {"requestBody": {"content": words}}},
    }
    content = document(paths, title="validated")
    content["components"]["schemas"] = SCHEMAS
    content |= {
        f"{EXTENSION}request-validators": {
            "all": {"validateRequestBody": True, "validateRequestParameters": False}
        },
        f"{EXTENSION}request-validator": "all",
        f"{EXTENSION}gateway-responses": {"BAD_REQUEST_BODY": WORDED, "DEFAULT_4XX": ALIKE},
    }
    return Deployed(shared_platform, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/item", {"a": 1}, '[object has missing required properties (["b"])]'),
        ("/item", {}, '[object has missing required properties (["a","b"])]'),
        (
            "/item",
            {"a": 1, "b": 2, "shoe": 3},
            '[object instance has properties which are not allowed by the schema: ["shoe"]]',
        ),
        ("/item", {"a": 1, "b": "x"}, '[$.b does not fit type "number"]'),
        ("/item", b"{", "[the body is not JSON]"),
        ("/item", b"[" * 100_000, "[the body is nested too deeply]"),
        ("/item", b"", "[a body is required]"),
        ("/items", [{"a": 1, "b": 1}, {"a": 1}], 'missing required properties (["b"])'),
        (
            "/items",
            [{"a": 1, "b": 1}] * 1001,
            "[array is too long: must have at most 2 elements but instance has 1001 elements]",
        ),
        ("/words", {"few": []}, "[$.few does not fit minItems 1]"),
        (
            "/words",
            {"low": 0, "short": "x" * 100_000},
            "[$.low does not fit minimum 1, $.short does not fit maxLength 2]",
        ),
        ("/words", {"none": {"\n\u6f22": 1}}, r'["\n\u6f22"]'),
        ("/words", {"none": {f"odd {n}": 0 for n in range(20_000)}}, '"odd 1000","odd 10000"'),
    ],
)
def test_a_body_that_does_not_fit_is_refused_in_api_gateway_s_words(
    validated: Deployed, path: str, body: object, why: str
) -> None:
    answer, said = validated.call("POST", path, body, content_type="application/json")
    assert answer.status == 422
    assert why in answer.headers["x-why"]
    assert (answer.headers["x-fixed"], answer.headers["x-amzn-errortype"]) == (
        "here",
        "BadRequestException",
    )
    assert said == {"said": "Invalid request body", "id": answer.headers["x-amzn-requestid"]}


def test_a_long_body_holds_up_no_other_request(
    validated: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems, begun, answered = Models.problems, threading.Event(), threading.Event()

    def problems_later(models: Models, kind: str, body: bytes) -> str:
        begun.set()
        return problems(models, kind, body) if answered.wait(60) else "[nobody was answered]"

    monkeypatch.setattr(Models, "problems", problems_later)
    with ThreadPoolExecutor(1) as pool:
        body: list[dict[str, int]] = [{}] * 2_000
        long = pool.submit(validated.call, "POST", "/items", body, content_type="application/json")
        assert begun.wait(60)
        assert validated.call("GET", "/none")[0].status == 403
        answered.set()
        assert "missing required properties" in long.result()[0].headers["x-why"]


@pytest.mark.parametrize(
    ("inner", "body", "least"),
    [
        ({"type": "string"}, b"[%s1]" % (b"1," * 5_000), validation.MOST),
        ({"required": ["a"]}, b"[%s{}]" % (b"{}," * 5_000), validation.LOOKED_AT),
    ],
)
def test_the_search_for_problems_comes_to_an_end(
    inner: dict[str, Any], body: bytes, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at, sentence = [], validation._sentence

    def counted(error: Any) -> str:
        looked_at.append(error)
        return sentence(error)

    monkeypatch.setattr(validation, "_sentence", counted)
    models = Models({"application/json": {"schema": {"items": inner}}}, {}, required=True)
    assert models.problems("application/json", body)
    assert len(looked_at) == least


@pytest.mark.parametrize("path", ["/%0d%0aevil:%201", "/none%20", "/%00%7f"])
def test_a_header_made_of_a_path_is_one_line(validated: Deployed, path: str) -> None:
    answer, _ = validated.call("GET", path)
    assert answer.status == 403
    assert answer.headers["x-path"].startswith("/prod/")
    assert "evil" not in answer.headers


def test_a_refusal_without_words_of_its_own_has_its_family_s(validated: Deployed) -> None:
    answer, said = validated.call("GET", "/none")
    assert (answer.status, said) == (403, {"kind": "MISSING_AUTHENTICATION_TOKEN"})


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/item", {"a": None, "b": 2.5}, "application/json; charset=utf-8"),
        ("/items", [], "application/json"),
        ("/items", b"", "application/json"),
        ("/item", b"a,b", "text/csv"),
    ],
)
def test_what_fits_and_what_has_no_model_goes_through(
    validated: Deployed, path: str, body: object, kind: str
) -> None:
    answer, said = validated.call("POST", path, body, content_type=kind)
    assert (answer.status, said["path"]) == (200, path)


class Staged(Deployed):
    """An API with settings of its stage, and how they are changed."""

    group = "/aws/apigateway/staged"

    def set(self, **settings: str) -> None:
        """Change settings of all methods."""
        self.patch({f"/*/*/{name.replace('_', '/')}": value for name, value in settings.items()})

    def patch(self, values: dict[str, str | None]) -> dict[str, Any]:
        operations = [
            {"op": "remove", "path": path}
            if value is None
            else {"op": "replace", "path": path, "value": value}
            for path, value in values.items()
        ]
        request = {"restApiId": self.id, "stageName": "prod", "patchOperations": operations}
        return dict(self.client.update_stage(**request))

    def logs_to(self, line: str) -> None:
        arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{self.group}"
        place = "/accessLogSettings"
        self.patch({f"{place}/destinationArn": arn, f"{place}/format": line})


@pytest.fixture
def staged(platform: RunningPlatform) -> Iterator[Staged]:
    make_functions(platform)
    made = Staged(platform, encoded(PATHS, title="staged"))
    yield made
    made.pool.clear()


def lines(platform: RunningPlatform, group: str, count: int) -> list[str]:
    """Return the lines of a group, once there are so many: they are stored in the background."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = [event.message for event in platform.platform.logs.events(group)]
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise TimeoutError(group)


def test_each_request_is_a_line_of_the_access_log(
    platform: RunningPlatform, staged: Staged
) -> None:
    fields = "requestId httpMethod resourcePath path status responseLength identity.apiKeyId "
    fields += "error.message error.responseType stage responseLatency identity.userAgent none"
    staged.logs_to(json.dumps({name: f"$context.{name}" for name in fields.split()}))
    value, _ = staged.key("logged")
    (key,) = staged.client.get_api_keys(nameQuery="logged")["items"]
    answers = [
        staged.call("POST", "/keyed", {"answer": {"statusCode": 201}}, x_api_key=value),
        staged.call("POST", "/keyed?%0A", user_agent='nobody"}'),
        staged.call("GET", "/none"),
    ]
    first, second, third = map(json.loads, lines(platform, staged.group, 3))
    ids = [answer.headers["x-amzn-requestid"] for answer, _ in answers]
    assert [first["requestId"], second["requestId"], third["requestId"]] == ids
    assert {
        "httpMethod": "POST",
        "resourcePath": "/keyed",
        "path": "/prod/keyed",
        "status": "201",
        "responseLength": "0",
        "identity.apiKeyId": key["id"],
        "error.message": "-",
        "stage": "prod",
        "none": "-",
    }.items() <= first.items()
    assert int(first["responseLatency"]) >= 0
    assert {
        "status": "403",
        "resourcePath": "/keyed",
        "identity.apiKeyId": "-",
        "identity.userAgent": 'nobody"}',
        "error.message": "Forbidden",
        "error.responseType": "INVALID_API_KEY",
    }.items() <= second.items()
    assert (third["resourcePath"], third["error.message"]) == ("-", "Missing Authentication Token")
    staged.patch({"/accessLogSettings": None})
    assert "accessLogSettings" not in staged.patch({})
    assert staged.call("GET", "/none")[0].status == 403


def test_the_last_lines_outlive_the_platform(tmp_path: Any) -> None:
    first = Platform(Settings(tmp_path, port=0))
    with running(first):
        api = Staged(RunningPlatform(first), encoded(PATHS))
        api.logs_to("$context.requestId")
        ids = [api.call("GET", "/none")[0].headers["x-amzn-requestid"] for _ in range(20)]
        api.pool.clear()
    second = Platform(Settings(tmp_path, port=0))
    with running(second):
        assert lines(RunningPlatform(second), api.group, 20) == ids


def test_the_operator_learns_what_the_caller_must_not(
    platform: RunningPlatform, staged: Staged
) -> None:
    staged.set(logging_loglevel="ERROR")
    answers = [
        staged.call("GET", "/closed"),
        staged.call("POST", "/open", {"answer": {"status": 1}}),
        staged.call("POST", "/open", {"fail": "on purpose"}),
        staged.call("POST", "/slow", {"sleep": 1}),
        staged.call("POST", "/keyed"),
    ]
    said = lines(platform, f"API-Gateway-Execution-Logs_{staged.id}/prod", 4)
    found = zip(answers, said, strict=False)
    assert all(answer.headers["x-amzn-requestid"] in line for (answer, _), line in found)
    words = ["may not invoke", "Malformed Lambda proxy response", "on purpose", "timeout"]
    assert len(said) == 4
    assert all(word in line for word, line in zip(words, said, strict=True))


def test_methods_are_throttled_each_on_its_own(staged: Staged) -> None:
    staged.set(throttling_rateLimit="0.001", throttling_burstLimit="2")
    stage = staged.patch({"/*/*/logging/dataTrace": "TRUE"})
    assert stage["methodSettings"]["*/*"] == {
        "throttlingRateLimit": 0.001,
        "throttlingBurstLimit": 2,
        "dataTraceEnabled": True,
    }
    assert [staged.call("GET", "/open")[0].status for _ in range(3)] == [200, 200, 429]
    answer, body = staged.call("GET", "/open")
    assert (answer.status, body) == (429, {"message": "Too Many Requests"})
    assert answer.headers["x-amzn-errortype"] == "TooManyRequestsException"
    assert staged.call("POST", "/open")[0].status == 200  # another method's tokens
    assert staged.call("GET", "/open/more")[0].status == 200
    stage = staged.patch({"/*/*": None})
    assert stage["methodSettings"] == {}
    assert staged.call("GET", "/open")[0].status == 200


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("/accessLogSettings/format", "$context.status", "Invalid patch value"),
        ("/accessLogSettings/format", "$context.requestId\n", "Invalid patch value"),
        ("/accessLogSettings/destinationArn", "arn:aws:firehose:a:1:deliverystream/b", "Invalid"),
        (
            "/accessLogSettings/destinationArn",
            "arn:aws:logs:us-east-1:000000000000:log-group:a:*",
            "Invalid patch value",
        ),
        ("/*/*/caching/enabled", "true", "has no 'replace'"),
        ("/~1open/GET/metrics/enabled", "true", "has no 'replace'"),
        ("/methodSettings/*~1*/cachingEnabled", "true", "has no 'replace'"),
        ("/description/of/it", "x", "has no 'replace'"),
        ("/variables/side", "left", "has no 'replace'"),
        ("/*/*/throttling/rateLimit", "much", "Invalid patch value 'much'"),
        ("/*/*/throttling/rateLimit", "nan", "Invalid patch value 'nan'"),
        ("/*/*/logging/loglevel", "FOO", "one of OFF, ERROR, INFO"),
        ("/*/*/metrics/enabled", "perhaps", "Invalid patch value"),
        ("/deploymentId", None, "has no 'remove'"),
        ("/cacheClusterEnabled", "true", "has no 'replace'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    shared_platform: RunningPlatform, api: Deployed, path: str, value: str | None, said: str
) -> None:
    change = {"path": path, "op": "remove"} if value is None else {"path": path, "op": "replace"}
    change |= {} if value is None else {"value": value}
    request = {"restApiId": api.id, "stageName": "prod", "patchOperations": [change]}
    code, message = refused(api.client.update_stage, **request)
    assert (code, said in message) == ("BadRequestException", True)


def test_a_stage_is_told_what_the_platform_has(staged: Staged) -> None:
    stage = staged.patch({"/tracingEnabled": "true", "/description": "a stage"})
    assert (stage["tracingEnabled"], stage["description"]) == (True, "a stage")
    request = {"restApiId": staged.id, "stageName": "other", "deploymentId": stage["deploymentId"]}
    code, message = refused(staged.client.create_stage, **request, variables={"side": "left"})
    assert (code, "does not have variables" in message) == ("BadRequestException", True)
    assert refused(staged.client.get_stage, restApiId=staged.id, stageName="other")[0] == (
        "NotFoundException"
    )


def test_requests_are_measured(platform: RunningPlatform, staged: Staged) -> None:
    staged.call("GET", "/open")
    staged.call("GET", "/closed")
    staged.call("GET", "/none")
    among = [{"Name": "ApiName", "Value": "staged"}, {"Name": "Stage", "Value": "prod"}]

    def of(name: str, statistic: str) -> float:
        metric = {"Namespace": "AWS/ApiGateway", "MetricName": name, "Dimensions": among}
        return sum(measured(platform.client("cloudwatch"), metric, statistic))

    assert [of(name, "Sum") for name in ("Count", "4XXError", "5XXError")] == [3, 1, 1]
    assert of("5XXError", "Average") == pytest.approx(1 / 3)
    assert of("Latency", "Maximum") > 0


def test_the_account_has_a_role_for_its_logs(platform: RunningPlatform) -> None:
    client = platform.client("apigateway")
    account = client.get_account()
    assert "cloudwatchRoleArn" not in account
    assert account["throttleSettings"] == {"rateLimit": 10_000.0, "burstLimit": 5_000}
    role = "arn:aws:iam::000000000000:role/logs"
    change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role}
    assert client.update_account(patchOperations=[change])["cloudwatchRoleArn"] == role
    assert client.get_account()["cloudwatchRoleArn"] == role


@pytest.mark.slow
def test_no_request_is_lost_while_stage_and_function_change(staged: Staged) -> None:
    sources = [SOURCE, f"{SOURCE}# another"]
    changed = threading.Event()

    def calls(_: int) -> set[int]:
        found = set()
        while not changed.is_set():
            found.add(staged.call("POST", "/open", {"answer": {"statusCode": 200}})[0].status)
        return found

    with ThreadPoolExecutor(8) as threads:
        statuses = threads.map(calls, range(8))
        for number in range(4):
            code = zipped(sources[number % 2])
            staged.functions.update_function_code(FunctionName="echo", ZipFile=code)
            variables = {"Variables": {"NUMBER": str(number)}}
            staged.functions.update_function_configuration(
                FunctionName="echo", Environment=variables
            )
            for _ in range(3):
                staged.client.create_deployment(restApiId=staged.id, stageName="prod")
                assert staged.call("POST", "/open", {"sleep": 0.05})[0].status == 200
        changed.set()
        assert set().union(*statuses) == {200}
