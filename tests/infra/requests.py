"""What the templates turn into: the requests of each resource, against botocore's models.

The mapping is read from the API references, not from the local platform, which it so checks too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from boostline.contracts import strict
from boostline.contracts.models import AnyShape, service_model
from tests.infra.rendering import Json, Rendered, Resource

NEW = "stack-Name-0ABC"  # what CloudFormation makes up
# type → service, operations, members that have another name than the property, or none
REQUESTS: dict[str, tuple[str, str, Mapping[str, str]]] = {
    "ApiGateway::Account": ("apigateway", "UpdateAccount", {}),
    "ApiGateway::ApiKey": ("apigateway", "CreateApiKey", {}),
    "ApiGateway::Deployment": ("apigateway", "CreateDeployment", {}),
    "ApiGateway::RestApi": (
        "apigateway",
        "CreateRestApi PutRestApi",
        {"apiKeySource": "ApiKeySourceType", "restApiId": "="},
    ),
    "ApiGateway::Stage": ("apigateway", "CreateStage UpdateStage", {}),
    "ApiGateway::UsagePlan": ("apigateway", "CreateUsagePlan", {"name": "UsagePlanName"}),
    "ApiGateway::UsagePlanKey": ("apigateway", "CreateUsagePlanKey", {}),
    "ApplicationAutoScaling::ScalableTarget": (
        "application-autoscaling",
        "RegisterScalableTarget",
        {},
    ),
    "ApplicationAutoScaling::ScalingPolicy": ("application-autoscaling", "PutScalingPolicy", {}),
    "CloudWatch::Alarm": ("cloudwatch", "PutMetricAlarm", {}),
    "CodeBuild::Project": ("codebuild", "CreateProject", {}),
    "CodePipeline::Pipeline": ("codepipeline", "CreatePipeline", {}),
    "ECR::Repository": (
        "ecr",
        "CreateRepository PutLifecyclePolicy SetRepositoryPolicy",
        {
            "lifecyclePolicyText": "LifecyclePolicy.LifecyclePolicyText",
            "policyText": "RepositoryPolicyText",
        },
    ),
    "Events::ApiDestination": ("events", "CreateApiDestination", {"Name": "="}),
    "Events::Connection": ("events", "CreateConnection", {"Name": "="}),
    "Events::Rule": ("events", "PutRule PutTargets", {"Rule": "Name"}),
    "IAM::ManagedPolicy": ("iam", "CreatePolicy", {"PolicyName": "="}),
    "IAM::OIDCProvider": ("iam", "CreateOpenIDConnectProvider", {}),
    "IAM::Role": ("iam", "CreateRole", {"RoleName": "="}),
    "Lambda::Function": ("lambda", "CreateFunction", {}),
    "Lambda::Permission": ("lambda", "AddPermission", {"StatementId": "="}),
    "Logs::LogGroup": ("logs", "CreateLogGroup PutRetentionPolicy", {}),
    "S3::Bucket": (
        "s3",
        "CreateBucket PutBucketEncryption PutPublicAccessBlock PutBucketOwnershipControls "
        "PutBucketVersioning PutBucketLifecycleConfiguration",
        {"Bucket": "BucketName", "ServerSideEncryptionConfiguration": "BucketEncryption"},
    ),
    "S3::BucketPolicy": ("s3", "PutBucketPolicy", {"Policy": "PolicyDocument"}),
    "SageMaker::Endpoint": ("sagemaker", "CreateEndpoint UpdateEndpoint", {}),
    "SageMaker::EndpointConfig": ("sagemaker", "CreateEndpointConfig", {"EndpointConfigName": "="}),
    "SageMaker::Model": ("sagemaker", "CreateModel", {"ModelName": "="}),
    "SageMaker::ModelPackageGroup": (
        "sagemaker",
        "CreateModelPackageGroup PutModelPackageGroupPolicy",
        {"ResourcePolicy": "ModelPackageGroupPolicy"},
    ),
}
OPTIONAL = {"PutModelPackageGroupPolicy": "ResourcePolicy", "SetRepositoryPolicy": "policyText"}
# Members within a property that are called otherwise in the API.
_INNER = {
    "S3::Bucket": {
        "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
        "BucketEncryption.ServerSideEncryptionConfiguration": "Rules",
    }
}


def problems(rendered: Rendered) -> Iterator[str]:
    """Say what AWS would find wrong with the requests, and which properties no request carries."""
    for one in rendered.resources.values():
        service, operations, others = REQUESTS[one.type.removeprefix("AWS::")]
        given = _shaped(one)
        carried = {path.partition(".")[0] for path in others.values()}
        for operation in operations.split():
            shape = service_model(service).operation_model(operation).input_shape
            found = dict(_members(shape, given, others))
            # What CloudFormation names is replaced on change: a fixed name would be in the way.
            known = {name.lower() for name in shape.members if others.get(name) != "="}
            carried |= {name for name in given if name.lower() in known}
            if OPTIONAL.get(operation, "") in {"", *found}:
                yield from (
                    f"{one.name} {operation}: {it}"
                    for it in strict.problems(service, operation, found)
                )
        if unused := given.keys() - carried:
            yield f"{one.name}: no request carries {sorted(unused)}"
        for operation, request in _more(one):
            yield from (
                f"{one.name} {operation}: {it}" for it in strict.problems("iam", operation, request)
            )


def _members(shape: AnyShape, given: Json, others: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    known = {name.lower(): name for name in given}
    for member, inner in shape.members.items():
        path = others.get(member) or known.get(member.lower())
        value: Any = NEW if path == "=" else given
        for name in path.split(".") if path and path != "=" else ():
            value = value.get(name) if isinstance(value, dict) else None
        if path and value is not None:
            yield member, fitted(inner, value)


def _shaped(one: Resource) -> Json:
    """Return properties whose shape is not that of the requests in the shape of these."""
    given = dict(one.properties)
    match one.type.removeprefix("AWS::"):
        case "ApiGateway::Account":
            arn = given.pop("CloudWatchRoleArn")
            given["patchOperations"] = [
                {"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}
            ]
        case "ApiGateway::Stage":
            settings = [given.pop("AccessLogSetting"), *given.pop("MethodSettings")]
            given["patchOperations"] = [
                {"op": "replace", "path": f"/{name}", "value": str(value)}
                for each in settings
                for name, value in each.items()
            ]
        case "ApplicationAutoScaling::ScalingPolicy":
            names = ("ResourceId", "ScalableDimension", "ServiceNamespace")
            given |= dict(zip(names, given.pop("ScalingTargetId").split("|"), strict=True))
        case "CodePipeline::Pipeline":
            return {"pipeline": given}
        case "IAM::Role":
            given.pop("Policies", None), given.pop("ManagedPolicyArns", None)
        case "S3::Bucket":
            return _bucket(given)
    return given


def _bucket(given: Json) -> Json:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html."""
    rules = []
    for rule in given["LifecycleConfiguration"]["Rules"]:
        rest = {name: it for name, it in rule.items() if name not in {"Prefix", "ExpirationInDays"}}
        if "ExpirationInDays" in rule:
            rest["Expiration"] = {"Days": rule["ExpirationInDays"]}
        rules.append({**rest, "Filter": {"Prefix": rule.get("Prefix", "")}})
    encryption = [
        {name.replace("ServerSide", "ApplyServerSide"): it for name, it in rule.items()}
        for rule in given["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    ]
    return given | {
        "LifecycleConfiguration": {"Rules": rules},
        "BucketEncryption": {"Rules": encryption},
    }


def _more(one: Resource) -> Iterator[tuple[str, Json]]:
    """Give the requests that an item of a role's lists is each."""
    if one.type == "AWS::IAM::Role":
        for arn in one.properties.get("ManagedPolicyArns", []):
            yield "AttachRolePolicy", {"RoleName": NEW, "PolicyArn": arn}
        for policy in one.properties.get("Policies", []):
            shape = service_model("iam").operation_model("PutRolePolicy").input_shape
            yield "PutRolePolicy", {"RoleName": NEW, **fitted(shape, policy)}


def fitted(shape: AnyShape, value: Any) -> Any:
    """Return a value as botocore takes it: CloudFormation's spelling and texts undone."""
    match shape.type_name, value:
        case "structure", dict():
            known = {name.lower(): name for name in shape.members}
            names = {name: known.get(name.lower(), name) for name in value}
            return {
                names[name]: fitted(shape.members[names[name]], it)
                if names[name] in shape.members
                else it
                for name, it in value.items()
            }
        case "structure", list() if len(shape.members) == 1:
            ((name, inner),) = shape.members.items()
            return {name: fitted(inner, value)}
        case "list", list():
            return [fitted(shape.member, it) for it in value]
        case "map", dict():
            return {name: fitted(shape.value, it) for name, it in value.items()}
        case (("string" | "blob"), dict()):
            return json.dumps(value)
        case "string", str():
            return re.sub(r"\{\{resolve:secretsmanager:[^{}]+\}\}", "Bearer token", value)
        case "boolean", ("true" | "false"):
            return value == "true"
        case (("integer" | "long" | "float" | "double"), str()):
            try:
                return int(value) if shape.type_name in {"integer", "long"} else float(value)
            except ValueError:
                return value
        case "string", (int() | float()):
            return str(value)
    return value
