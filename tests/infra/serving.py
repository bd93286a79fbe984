"""What must lead where in serving.yaml, and in the OpenAPI document that it includes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tests.infra.names import attribute, ref, same
from tests.infra.rendering import ACCOUNT, REGION, Json, Rendered, Resource

ROUTES = {("/predict", "post"), ("/predict/batch", "post"), ("/schema", "get"), ("/health", "get")}
ALWAYS = {
    *("EndpointErrors", "EndpointLatency", "FunctionErrors", "ApiErrors"),
    *("Model", "EndpointConfig", "Endpoint", "FunctionLog", "Function"),
    *("Api", "ApiPermission", "ApiLog", "ApiStage", "ApiKey", "UsagePlan", "UsagePlanKey"),
}


def problems(it: Rendered) -> Iterator[str]:
    given = it.parameters
    name = f"churn--{given['Stage']}"
    there = ALWAYS | {f"Deployment{given['ApiRevision'].upper()}"}
    there |= {"ScalableTarget", "ScalingPolicy"} if given["MaxInstanceCount"] != "0" else set()
    yield from same("resources", set(it.resources), there)
    for kind in ("SageMaker::Endpoint", "Lambda::Function"):
        for one in it.of(kind):
            yield from same(kind, one.physical, name)
    yield from _endpoint(it)
    yield from _function(it, name)
    yield from _api(it, name)
    for one in it.of("CloudWatch::Alarm"):
        yield from _dimensions(one, it, name)


def _endpoint(it: Rendered) -> Iterator[str]:
    endpoint = it.resources["Endpoint"].properties
    (variant,) = it.resources["EndpointConfig"].properties["ProductionVariants"]
    (container,) = it.resources["Model"].properties["Containers"]
    yield from same("model", variant["ModelName"], attribute(it, "Model", "ModelName"))
    yield from same(
        "config",
        endpoint["EndpointConfigName"],
        attribute(it, "EndpointConfig", "EndpointConfigName"),
    )
    group, version = it.parameters["ModelPackageArn"].split("/")[1:]
    yield from same(
        "version", container["Environment"], {"BOOSTLINE_MODEL_VERSION": f"{group}/{version}"}
    )
    alarms = endpoint["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    watching = [
        one for one in it.of("CloudWatch::Alarm") if one.properties["Namespace"] == "AWS/SageMaker"
    ]
    yield from same(
        "alarms",
        sorted(each["AlarmName"] for each in alarms),
        sorted(one.physical for one in watching),
    )
    for one in watching:
        if "Endpoint" in one.needs:
            yield f"{one.name} waits for the endpoint, which waits for it"
    for one in it.of("ApplicationAutoScaling::ScalableTarget"):
        where = f"endpoint/{it.resources['Endpoint'].physical}/variant/{variant['VariantName']}"
        yield from same("scaled", one.properties["ResourceId"], where)
        if "Endpoint" not in one.needs:
            yield "autoscaling waits for the endpoint"
    for one in it.of("ApplicationAutoScaling::ScalingPolicy"):
        yield from same("target", one.properties["ScalingTargetId"], ref(it, "ScalableTarget"))
    retains = endpoint["RetainAllVariantProperties"]
    yield from same("retains", retains, it.parameters["MaxInstanceCount"] != "0")


def _function(it: Rendered, name: str) -> Iterator[str]:
    function = it.resources["Function"]
    yield from same("log", it.resources["FunctionLog"].physical, f"/aws/lambda/{name}")
    if not {"FunctionLog", "Endpoint"} <= function.needs:
        yield "the function waits for its log group and for the endpoint"
    yield from same(
        "endpoint", function.properties["Environment"]["Variables"], {"ENDPOINT_NAME": name}
    )
    image = it.parameters["FunctionImage"]
    code = {"S3Bucket": it.parameters["Bucket"], "S3Key": it.parameters["FunctionKey"]}
    kind = {
        name: function.properties.get(name)
        for name in ("PackageType", "Code", "Runtime", "Handler")
    }
    if image != "none":
        expected = {
            "PackageType": "Image",
            "Code": {"ImageUri": image},
            "Runtime": None,
            "Handler": None,
        }
    else:
        handler = "boostline.gateway.handler.handler"
        runtime = it.parameters["FunctionRuntime"]
        expected = {"PackageType": "Zip", "Code": code, "Runtime": runtime, "Handler": handler}
    yield from same("code", kind, expected)


def _api(it: Rendered, name: str) -> Iterator[str]:
    api, stage = ref(it, "Api"), it.parameters["Stage"]
    permission = it.resources["ApiPermission"].properties
    source = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/{stage}/*/*"
    expected = {
        "FunctionName": attribute(it, "Function", "Arn"),
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": source,
    }
    yield from same("permission", permission, expected)
    (deployment,) = it.of("ApiGateway::Deployment")
    shown = it.resources["ApiStage"]
    if "ApiPermission" not in shown.needs:
        yield "the stage waits until the API may call the function"
    for one in (deployment, shown):
        yield from same("API", one.properties["RestApiId"], api)
    yield from same("deployment", shown.properties["DeploymentId"], ref(it, deployment.name))
    yield from same("stage", shown.physical, stage)
    log = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/apigateway/{name}"
    yield from same("access log", shown.properties["AccessLogSetting"]["DestinationArn"], log)
    line = json.loads(shown.properties["AccessLogSetting"]["Format"])
    if any(not re.fullmatch(r"\$context\.[\w.]+", value) for value in line.values()):
        yield f"{line} is no line of the access log"
    plan = it.resources["UsagePlan"].properties
    yield from same("plan's stages", plan["ApiStages"], [{"ApiId": api, "Stage": stage}])
    key = {"KeyId": ref(it, "ApiKey"), "KeyType": "API_KEY", "UsagePlanId": ref(it, "UsagePlan")}
    yield from same("plan's key", it.resources["UsagePlanKey"].properties, key)
    for one in (it.resources["Api"], it.resources["ApiKey"]):
        yield from same("name", one.properties["Name"], name)
    yield from same("plan's name", plan["UsagePlanName"], name)
    yield from document(it.resources["Api"].properties["Body"], attribute(it, "Function", "Arn"))
    yield from _private(it.resources["Api"].properties, it.parameters["PrivateApiVpcEndpointId"])


def _private(api: Json, endpoint: str) -> Iterator[str]:
    where = (
        {"Types": ["PRIVATE"], "VpcEndpointIds": [endpoint]}
        if endpoint
        else {"Types": ["REGIONAL"]}
    )
    yield from same("endpoint of the API", api["EndpointConfiguration"], where)
    found = [
        (each["Effect"], each["Principal"], each["Action"], each["Resource"], each["Condition"])
        for each in api.get("Policy", {"Statement": []})["Statement"]
    ]
    only = {"StringEquals": {"aws:SourceVpce": endpoint}}
    expected = [("Allow", "*", "execute-api:Invoke", "execute-api:/*", only)] if endpoint else []
    yield from same("who reaches it", found, expected)


def document(body: Json, function: str) -> Iterator[str]:
    """Say what is wrong with a resolved OpenAPI document for a function's ARN."""
    routes = {(path, method) for path, methods in body["paths"].items() for method in methods}
    yield from same("routes", routes, ROUTES)
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
    for path, method in routes:
        operation = body["paths"][path][method]
        found = operation["x-amazon-apigateway-integration"]
        called = tuple(found.get(member) for member in ("type", "httpMethod", "uri"))
        yield from same(f"{method} {path}", called, ("aws_proxy", "POST", uri))
        if not operation.get("security"):
            yield f"{path} takes no key"
    if _null(body):
        yield "CloudFormation takes no null, included documents not excepted"


def _null(node: object) -> bool:
    if isinstance(node, dict | list):
        return any(map(_null, node.values() if isinstance(node, dict) else node))
    return node is None


def _dimensions(one: Resource, it: Rendered, name: str) -> Iterator[str]:
    variant = it.resources["EndpointConfig"].properties["ProductionVariants"][0]["VariantName"]
    known = {
        "AWS/SageMaker": {"EndpointName": name, "VariantName": variant},
        "AWS/Lambda": {"FunctionName": it.resources["Function"].physical},
        "AWS/ApiGateway": {"ApiName": name, "Stage": it.resources["ApiStage"].physical},
    }
    found = {each["Name"]: each["Value"] for each in one.properties["Dimensions"]}
    yield from same(one.name, found, known[one.properties["Namespace"]])
