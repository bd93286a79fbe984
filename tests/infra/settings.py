"""House rules by type: what a template could leave out and still deploy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.infra.names import at
from tests.infra.rendering import Rendered, Resource

Check = Callable[[Any], bool]


def _is(expected: Any) -> Check:
    return lambda value: value == expected and isinstance(value, bool) == isinstance(expected, bool)


def _text(value: Any) -> bool:
    return isinstance(value, str) and " " in value and len(value) > 10


def _at_least(low: float) -> Check:
    return lambda value: isinstance(value, int) and value >= low


def _json(value: Any) -> bool:
    rules = json.loads(value)["rules"]
    return (
        all(
            rule["action"] == {"type": "expire"}
            and rule["selection"]["tagStatus"] == "untagged"
            and rule["selection"]["countNumber"] >= 7
            for rule in rules
        )
        and len(rules) == 1
    )


def _slow_in(value: Any) -> bool:
    return isinstance(value, dict) and value["ScaleInCooldown"] > value["ScaleOutCooldown"] >= 30


# type → place → what must hold there. `*` is each item of a list.
RULES: dict[str, dict[str, Check]] = {
    "S3::Bucket": {
        "PublicAccessBlockConfiguration": _is(
            dict.fromkeys(
                (
                    "BlockPublicAcls",
                    "BlockPublicPolicy",
                    "IgnorePublicAcls",
                    "RestrictPublicBuckets",
                ),
                True,
            )
        ),
        "VersioningConfiguration": _is({"Status": "Enabled"}),
        "OwnershipControls": _is({"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}),
        "LifecycleConfiguration.Rules": lambda rules: (
            sorted(rule["Id"] for rule in rules) == ["captures", "leftovers"]
            and all(rule["Status"] == "Enabled" for rule in rules)
            and next(rule for rule in rules if rule["Id"] == "captures").keys()
            == {"Id", "Status", "Prefix", "ExpirationInDays"}
            and next(rule for rule in rules if rule["Id"] == "leftovers").keys()
            == {"Id", "Status", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"}
        ),
        "LifecycleConfiguration.Rules.0.Prefix": _is("capture/"),
    },
    "ECR::Repository": {
        "ImageTagMutability": _is("IMMUTABLE"),
        "ImageScanningConfiguration": _is({"ScanOnPush": True}),
        "LifecyclePolicy.LifecyclePolicyText": _json,
    },
    "IAM::Role": {
        "Description": _text,
        "Policies": lambda value: all(
            re.fullmatch("[a-z]+", it["PolicyName"]) for it in value or ()
        ),
    },
    "IAM::ManagedPolicy": {"Description": _text},
    "SageMaker::ModelPackageGroup": {"ModelPackageGroupDescription": _text},
    "SageMaker::EndpointConfig": {
        "ProductionVariants.0.InitialVariantWeight": _is(1),
        "ProductionVariants.0.VariantName": _is("AllTraffic"),
    },
    "SageMaker::Endpoint": {
        "DeploymentConfig.BlueGreenUpdatePolicy.MaximumExecutionTimeoutInSeconds": _at_least(
            2 * 3600 + 600
        ),
        "DeploymentConfig.AutoRollbackConfiguration.Alarms": lambda value: len(value) == 2,
    },
    "CloudWatch::Alarm": {
        "AlarmDescription": _text,
        "TreatMissingData": _is("notBreaching"),
        "ComparisonOperator": _is("GreaterThanThreshold"),
        "EvaluationPeriods": lambda value: value in (1, 2),
    },
    "ApplicationAutoScaling::ScalableTarget": {
        "ServiceNamespace": _is("sagemaker"),
        "ScalableDimension": _is("sagemaker:variant:DesiredInstanceCount"),
    },
    "ApplicationAutoScaling::ScalingPolicy": {
        "PolicyType": _is("TargetTrackingScaling"),
        "TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification": _is(
            {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
        ),
        "TargetTrackingScalingPolicyConfiguration": _slow_in,
    },
    "Lambda::Function": {
        "Description": _text,
        "Timeout": _is(29),
        "TracingConfig": _is({"Mode": "Active"}),
    },
    "ApiGateway::RestApi": {"FailOnWarnings": _is(True), "ApiKeySourceType": _is("HEADER")},
    "ApiGateway::ApiKey": {"Enabled": _is(True)},
    "ApiGateway::Stage": {
        "TracingEnabled": _is(True),
        "MethodSettings.0.ResourcePath": _is("/*"),
        "MethodSettings.0.HttpMethod": _is("*"),
        "MethodSettings.0.MetricsEnabled": _is(True),
        "MethodSettings.0.LoggingLevel": _is("ERROR"),
        "MethodSettings.0.DataTraceEnabled": _is(False),
    },
    "Logs::LogGroup": {"RetentionInDays": _at_least(1)},
    "Events::Rule": {"Description": _text, "State": _is("ENABLED")},
    "Events::Connection": {"Description": _text, "AuthorizationType": _is("API_KEY")},
    "Events::ApiDestination": {"Description": _text},
    "CodeBuild::Project": {
        "Description": _text,
        "Artifacts": _is({"Type": "CODEPIPELINE"}),
        "Source.Type": _is("CODEPIPELINE"),
        "Environment.Type": _is("LINUX_CONTAINER"),
        "Environment.PrivilegedMode": _is(True),
        "TimeoutInMinutes": _at_least(60),
        "LogsConfig.CloudWatchLogs.Status": _is("ENABLED"),
    },
    "CodePipeline::Pipeline": {
        "PipelineType": _is("V2"),
        "ExecutionMode": _is("QUEUED"),
        "ArtifactStore.Type": _is("S3"),
    },
}
# What outlives its stack, and what goes with it.
RETAINED = {"S3::Bucket", "ECR::Repository", "SageMaker::ModelPackageGroup"}
LOG_GROUP = {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Retain"}
# Roles that are handed to nothing.
DEPLOYERS = {"DeployerRole", "ProdDeployerRole", "StageRole"}
# metric → namespace, statistic, and the parameter or number that it may not exceed
WATCHED = {
    "Invocation5XXErrors": ("AWS/SageMaker", "Average", "ErrorRate"),
    "ModelLatency": ("AWS/SageMaker", "p99", "ModelLatencyMicroseconds"),
    "Errors": ("AWS/Lambda", "Sum", "0"),
    "5XXError": ("AWS/ApiGateway", "Average", "ErrorRate"),
}


def problems(name: str, rendered: Rendered) -> Iterator[str]:
    """Say which rules do not hold, and which parameters do not reach what they are for."""
    for one in rendered.resources.values():
        kind = one.type.removeprefix("AWS::")
        for place, check in RULES.get(kind, {}).items():
            value = at(one.properties, place)
            if not check(value):
                yield f"{one.name} {place}: {value!r:.200}"
        yield from _outlives(one, kind)
        yield from _named(one, kind)
    yield from {"serving": _serving, "account": _account}.get(name, _nothing)(rendered)


def _outlives(one: Resource, kind: str) -> Iterator[str]:
    found = {name: it for name, it in one.source.items() if name.endswith("Policy")}
    expected = dict.fromkeys(LOG_GROUP, "Retain") if kind in RETAINED else {}
    expected = LOG_GROUP if kind == "Logs::LogGroup" else expected
    if found != expected:
        yield f"{one.name} has {found}, not {expected}"


def _named(one: Resource, kind: str) -> Iterator[str]:
    """A role lies where it may be handed over, and an alarm is called as in the template."""
    elsewhere = not one.properties.get("Path", "").startswith("/boostline/")
    if kind == "IAM::Role" and one.name not in DEPLOYERS and elsewhere:
        yield f"{one.name} lies elsewhere"
    if kind == "CloudWatch::Alarm":
        words = "-".join(re.findall("[A-Z][a-z]+", one.name)).lower()
        if not one.physical.endswith(f"-{words}"):
            yield f"{one.name} is called {one.physical}"


def _serving(it: Rendered) -> Iterator[str]:
    watched = {}
    for one in it.of("CloudWatch::Alarm"):
        given = one.properties
        statistic = given.get("Statistic") or given.get("ExtendedStatistic")
        watched[given["MetricName"]] = (given["Namespace"], statistic, str(given["Threshold"]))
        if not one.physical.startswith(f"churn--{it.parameters['Stage']}-"):
            yield f"{one.name}: {one.physical} is not of this stage"
    expected = {
        metric: (space, statistic, it.parameters.get(limit, limit))
        for metric, (space, statistic, limit) in WATCHED.items()
    }
    if watched != expected:
        yield f"watched are {watched}, not {expected}"
    canary = it.parameters["TrafficRouting"] == "CANARY"
    size = (
        {"Type": "CAPACITY_PERCENT", "Value": int(it.parameters["CanaryPercent"])}
        if canary
        else None
    )
    routing = at(
        it.resources["Endpoint"].properties,
        "DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration",
    )
    if routing.get("CanarySize") != size:
        yield f"the canary is {routing.get('CanarySize')}, not {size}"
    if canary and int(it.parameters["InstanceCount"]) < 2:
        yield "half of one instance is none"
    yield from _capture(it)
    if int(it.parameters["ApiBurst"]) < int(it.parameters["ApiRate"]):
        yield "a burst holds at least the requests of a second"
    quota = at(it.resources["UsagePlan"].properties, "Quota.Period")
    if quota != ("DAY" if it.parameters["ApiDailyQuota"] != "0" else None):
        yield f"the quota is one of a {quota}"
    for one in it.of("ApplicationAutoScaling::ScalingPolicy"):
        if not one.properties["PolicyName"].startswith(f"churn--{it.parameters['Stage']}-"):
            yield "the scaling policy is not of this stage"


def _capture(it: Rendered) -> Iterator[str]:
    found = it.resources["EndpointConfig"].properties.get("DataCaptureConfig")
    share, stage = it.parameters["CapturePercentage"], it.parameters["Stage"]
    if share == "0" or found is None:
        if (share == "0") != (found is None):
            yield f"captured is {found}"
        return
    rest = {
        name: value
        for name, value in found.items()
        if name not in {"KmsKeyId", "InitialSamplingPercentage"}
    }
    expected = {
        "EnableCapture": True,
        "DestinationS3Uri": f"s3://{it.parameters['Bucket']}/capture/churn/{stage}",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json", "application/jsonlines"],
        },
    }
    if rest != expected:
        yield f"captured is {rest}"


def _account(it: Rendered) -> Iterator[str]:
    key = bool(it.parameters["KmsKeyArn"])
    place = "BucketEncryption.ServerSideEncryptionConfiguration.0"
    rule = at(it.resources["Bucket"].properties, place)
    found = (rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"], rule["BucketKeyEnabled"])
    if found != (("aws:kms", True) if key else ("AES256", False)):
        yield f"the bucket is encrypted with {found}"
    for one in it.of("ECR::Repository"):
        if at(one.properties, "EncryptionConfiguration.EncryptionType") != (
            "KMS" if key else "AES256"
        ):
            yield f"{one.name} is not encrypted with the key"
        if one.physical != f"boostline-{'model' if one.name.startswith('Model') else 'gateway'}":
            yield f"{one.name} is {one.physical}"


def _nothing(_: Rendered) -> Iterator[str]:
    yield from ()
