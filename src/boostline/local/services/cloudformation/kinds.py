"""The table of resource types: their properties, the calls that make them, what they give back.

Names, what is replaced and what GetAtt knows are the registry's (`aws cloudformation
describe-type`); what Ref gives is from the Template Reference.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from boostline.local.services.cloudformation.kind import Kind


def _code(code: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a function's code tells: a source that stands in the template is a zip file."""
    found = dict(code)
    if "ZipFile" in code:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr(zipfile.ZipInfo("index.py"), code["ZipFile"])
        found["ZipFile"] = content.getvalue()
    return {**found, "Code": found}


def _recorded(declared: str, name: str = "", ref: str = "", **attributes: str) -> Kind:
    return Kind(declared, name=name, ref=ref, attributes=attributes)


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{{region}}:{{account}}:{resource}"


def _sagemaker(
    stem: str, path: str, declared: str, update: str = "", describe: str = ""
) -> dict[str, Kind]:
    calls = (f"Create{stem}", f"{update} ?AddTags ?DeleteTags", f"Delete{stem}")
    arn = _arn("sagemaker", f"{path}/{{name}}")
    kind = Kind(
        f"{stem}Name! Tags {declared}",
        ("sagemaker", *calls),
        name=f"{stem}Name",
        ref=arn,
        attributes={f"{stem}Name": "{name}", f"{stem}Arn": arn},
        describe=describe,
    )
    return {f"AWS::SageMaker::{stem}": kind}


_SCALED = ("ResourceId", "ScalableDimension", "ServiceNamespace")
_TARGET = "|".join(f"{{{part}}}" for part in _SCALED)
_POLICY = "arn:aws:iam::{account}:policy/{name}"
_PROVIDER = "arn:aws:iam::{account}:oidc-provider/{Host}"
_DOCUMENTS = (
    "?PutBucketEncryption|DeleteBucketEncryption ?PutBucketVersioning "
    "?PutPublicAccessBlock|DeletePublicAccessBlock "
    "?PutBucketOwnershipControls|DeleteBucketOwnershipControls "
    "?PutBucketLifecycleConfiguration|DeleteBucketLifecycle ?PutBucketTagging|DeleteBucketTagging"
)

KINDS: dict[str, Kind] = {
    "AWS::ApiGateway::Account": Kind(
        "CloudWatchRoleArn",
        ("apigateway", "", "UpdateAccount", ""),
        ref="{unique}",
        attributes={"Id": "{unique}"},
    ),
    "AWS::ApiGateway::ApiKey": Kind(
        "Enabled Name! Tags",
        ("apigateway", "CreateApiKey", "UpdateApiKey", "DeleteApiKey"),
        name="Name",
        keeps=("apiKey", "id"),
        attributes={"APIKeyId": "{apiKey}"},
        defaults={"Enabled": False},
    ),
    "AWS::ApiGateway::Deployment": Kind(
        "RestApiId!",
        ("apigateway", "CreateDeployment", "", "DeleteDeployment"),
        keeps=("deploymentId", "id"),
        attributes={"DeploymentId": "{deploymentId}"},
    ),
    "AWS::ApiGateway::RestApi": Kind(
        "ApiKeySourceType~ Body EndpointConfiguration~ FailOnWarnings Name~ Policy~ Tags~",
        ("apigateway", "ImportRestApi", "PutRestApi", "DeleteRestApi"),
        keeps=("restApiId", "id"),
        attributes={"RestApiId": "{restApiId}"},
        defaults={"mode": "overwrite"},
    ),
    "AWS::ApiGateway::Stage": Kind(
        "AccessLogSetting DeploymentId MethodSettings RestApiId! StageName! Tags TracingEnabled",
        ("apigateway", "CreateStage", "UpdateStage", "DeleteStage"),
        name="StageName",
        defaults={"TracingEnabled": False},
    ),
    "AWS::ApiGateway::UsagePlan": Kind(
        "ApiStages Quota Tags Throttle UsagePlanName",
        ("apigateway", "CreateUsagePlan", "UpdateUsagePlan", "UpdateUsagePlan DeleteUsagePlan"),
        name="UsagePlanName",
        keeps=("usagePlanId", "id"),
        attributes={"Id": "{usagePlanId}"},
    ),
    "AWS::ApiGateway::UsagePlanKey": Kind(
        "KeyId! KeyType! UsagePlanId!",
        ("apigateway", "CreateUsagePlanKey", "", "DeleteUsagePlanKey"),
        ref="{KeyId}:{UsagePlanId}",
        attributes={"Id": "{KeyId}:{UsagePlanId}"},
    ),
    "AWS::ApplicationAutoScaling::ScalableTarget": Kind(
        "MaxCapacity MinCapacity ResourceId! ScalableDimension! ServiceNamespace! Tags",
        (
            *("application-autoscaling", "RegisterScalableTarget", "RegisterScalableTarget"),
            "DeregisterScalableTarget",
        ),
        ref=_TARGET,
        attributes={"Id": _TARGET},
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": Kind(
        "PolicyName! PolicyType ScalingTargetId! TargetTrackingScalingPolicyConfiguration",
        (
            *("application-autoscaling", "PutScalingPolicy", "PutScalingPolicy"),
            "DeleteScalingPolicy",
        ),
        name="PolicyName",
        keeps=("policyArn", "PolicyARN"),
        attributes={"Arn": "{policyArn}"},
        others={"ScalingTargetId": lambda ref: dict(zip(_SCALED, ref.split("|"), strict=False))},
    ),
    "AWS::CloudWatch::Alarm": Kind(
        "AlarmActions~ AlarmDescription AlarmName! ComparisonOperator Dimensions EvaluationPeriods "
        "ExtendedStatistic MetricName Namespace Period Statistic Tags Threshold TreatMissingData",
        ("cloudwatch", "PutMetricAlarm", "PutMetricAlarm", "DeleteAlarms"),
        name="AlarmName",
        attributes={"Arn": _arn("cloudwatch", "alarm:{name}")},
    ),
    "AWS::CodeBuild::Project": _recorded(
        "Artifacts Description EncryptionKey Environment LogsConfig Name! ServiceRole Source Tags "
        "TimeoutInMinutes",
        "Name",
        Arn=_arn("codebuild", "project/{name}"),
    ),
    "AWS::CodePipeline::Pipeline": _recorded(
        "ArtifactStore ExecutionMode Name! PipelineType RoleArn Stages Tags Variables",
        "Name",
        Arn=_arn("codepipeline", "{name}"),
    ),
    "AWS::ECR::Repository": _recorded(
        "EncryptionConfiguration! ImageScanningConfiguration ImageTagMutability LifecyclePolicy "
        "RepositoryName! RepositoryPolicyText Tags",
        "RepositoryName",
        Arn=_arn("ecr", "repository/{name}"),
        RepositoryUri="{account}.dkr.ecr.{region}.amazonaws.com/{name}",
    ),
    "AWS::Events::ApiDestination": _recorded(
        "ConnectionArn Description HttpMethod InvocationEndpoint InvocationRateLimitPerSecond "
        "Name!",
        "Name",
        Arn=_arn("events", "api-destination/{name}/{unique}"),
    ),
    "AWS::Events::Connection": _recorded(
        "AuthParameters AuthorizationType Description KmsKeyIdentifier Name!",
        "Name",
        Arn=_arn("events", "connection/{name}/{unique}"),
    ),
    "AWS::Events::Rule": Kind(
        "Description EventPattern Name! State Tags Targets",
        ("events", "PutRule", "PutRule ?RemoveTargets ?PutTargets", "?RemoveTargets DeleteRule"),
        name="Name",
        attributes={"Arn": _arn("events", "rule/{name}")},
    ),
    "AWS::IAM::ManagedPolicy": _recorded(
        "Description! ManagedPolicyName! PolicyDocument",
        "ManagedPolicyName",
        _POLICY,
        PolicyArn=_POLICY,
    ),
    "AWS::IAM::OIDCProvider": Kind(
        "ClientIdList Tags Url!",
        ref=_PROVIDER,
        attributes={"Arn": _PROVIDER},
        others={"Url": lambda url: {"Host": url.removeprefix("https://")}},
    ),
    "AWS::IAM::Role": Kind(
        "AssumeRolePolicyDocument Description ManagedPolicyArns MaxSessionDuration Path! "
        "PermissionsBoundary Policies RoleName! Tags",
        name="RoleName",
        attributes={"Arn": "arn:aws:iam::{account}:role{Path}{name}", "RoleId": "AROA{unique}"},
        defaults={"Path": "/"},
    ),
    "AWS::Lambda::Function": Kind(
        "Code Description Environment FunctionName! Handler KmsKeyArn~ MemorySize PackageType! "
        "Role Runtime Tags Timeout TracingConfig VpcConfig~",
        (
            *("lambda", "CreateFunction", "UpdateFunctionCode UpdateFunctionConfiguration"),
            "DeleteFunction",
        ),
        name="FunctionName",
        attributes={"Arn": _arn("lambda", "function:{name}")},
        others={"Code": _code},
        defaults={
            "Description": "",
            "Environment": {"Variables": {}},
            "MemorySize": 128,
            "Timeout": 3,
            "TracingConfig": {"Mode": "PassThrough"},
        },
    ),
    "AWS::Lambda::Permission": Kind(
        "Action! FunctionName! Principal! SourceArn!",
        ("lambda", "AddPermission", "", "RemovePermission"),
        name="StatementId",
        attributes={"Id": "{name}"},
    ),
    "AWS::Logs::LogGroup": _recorded(
        "KmsKeyId LogGroupName! RetentionInDays Tags",
        "LogGroupName",
        Arn=_arn("logs", "log-group:{name}:*"),
    ),
    "AWS::S3::Bucket": Kind(
        "BucketEncryption BucketName! LifecycleConfiguration OwnershipControls "
        "PublicAccessBlockConfiguration Tags VersioningConfiguration",
        ("s3", "CreateBucket", _DOCUMENTS, "DeleteBucket"),
        name="BucketName",
        attributes={
            "Arn": "arn:aws:s3:::{name}",
            "DomainName": "{name}.s3.amazonaws.com",
            "RegionalDomainName": "{name}.s3.{region}.amazonaws.com",
        },
        others={"BucketEncryption": dict},
    ),
    "AWS::S3::BucketPolicy": Kind(
        "Bucket! PolicyDocument",
        ("s3", "PutBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
        ref="{Bucket}",
    ),
    **_sagemaker(
        *("Endpoint", "endpoint"),
        "DeploymentConfig EndpointConfigName RetainAllVariantProperties",
        "UpdateEndpoint",
        "DescribeEndpoint",
    ),
    **_sagemaker(
        "EndpointConfig", "endpoint-config", "DataCaptureConfig! KmsKeyId! ProductionVariants!"
    ),
    **_sagemaker(
        *("Model", "model"),
        "Containers! EnableNetworkIsolation! ExecutionRoleArn! VpcConfig!",
    ),
    **_sagemaker(
        *("ModelPackageGroup", "model-package-group"),
        "ModelPackageGroupDescription! ModelPackageGroupPolicy~",
    ),
}
