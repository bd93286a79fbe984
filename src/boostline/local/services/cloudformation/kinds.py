"""The table of resource types: their properties, the calls that make them, what they give back.

Names, what is replaced and what GetAtt knows are the registry's (`aws cloudformation
describe-type`); what Ref gives is from the Template Reference.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

from boostline.local.services.apigateway.stages import by_path


@dataclass(frozen=True)
class Kind:
    """A type of resource.

    Parameters
    ----------
    declared
        Its properties: `Name!` makes another resource if it changes, `Name~` is only recorded.
    calls
        Service, and what is called to create, update and delete it; empty for a type that is only
        recorded. A call gets those properties that its operation has as members. `?Call` is made
        if all that it requires is there, `?Call|Undo` undone with the second once it is not.
    name
        The fact that names it: a property, or one made up.
    ref
        What Ref gives, of facts: properties, `name`, what `keeps` keeps of the answers,
        `account`, `region`, and `unique`, 12 letters and digits of this resource alone.
    attributes
        What GetAtt gives, of the same.
    keeps
        Facts from the answers: fact → member.
    others
        Facts that come of a property: fact → property, and what is made of its value.
    defaults
        Facts that hold where no property says otherwise.
    describe
        What is asked until the resource is ready, or gone.
    """

    declared: str
    calls: tuple[str, str, str, str] = ("", "", "", "")
    name: str = ""
    ref: str = "{name}"
    attributes: dict[str, str] = field(default_factory=dict)
    keeps: dict[str, str] = field(default_factory=dict)
    others: dict[str, tuple[str, Callable[[Any], Any]]] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    describe: str = ""

    @property
    def service(self) -> str:
        """The service that has it; empty if it is only recorded."""
        return self.calls[0]

    @property
    def properties(self) -> set[str]:
        """Return the names of all properties."""
        return {each.rstrip("!~") for each in self.declared.split()}

    @property
    def replacing(self) -> set[str]:
        """Return those whose change makes another resource."""
        return {each[:-1] for each in self.declared.split() if each.endswith("!")}

    @property
    def recorded(self) -> set[str]:
        """Return those that have no effect here."""
        return {each[:-1] for each in self.declared.split() if each.endswith("~")}


def _same(value: Any) -> Any:
    return value


def _part(number: int, joined: str) -> str:
    return dict(enumerate(joined.split("|")))[number]


def _packed(code: dict[str, Any]) -> dict[str, Any]:
    """Return a function's code: a source that stands in the template is made a zip file."""
    if "ZipFile" not in code:
        return code
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), code["ZipFile"])
    return {"ZipFile": content.getvalue()}


def _recorded(declared: str, name: str = "", ref: str = "{name}", **attributes: str) -> Kind:
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


_SCALED = "{ResourceId}|{ScalableDimension}|{ServiceNamespace}"
_POLICY = "arn:aws:iam::{account}:policy/{name}"
_PROVIDER = "arn:aws:iam::{account}:oidc-provider/{Host}"
_ENCRYPTION = "ServerSideEncryptionConfiguration"
_DOCUMENTS = (
    "?PutBucketEncryption|DeleteBucketEncryption ?PutBucketVersioning "
    "?PutPublicAccessBlock|DeletePublicAccessBlock "
    "?PutBucketOwnershipControls|DeleteBucketOwnershipControls "
    "?PutBucketLifecycleConfiguration|DeleteBucketLifecycle ?PutBucketTagging|DeleteBucketTagging"
)

KINDS: dict[str, Kind] = {
    "AWS::ApiGateway::Account": Kind(
        "CloudWatchRoleArn",
        ("apigateway", "UpdateAccount", "UpdateAccount", ""),
        ref="{unique}",
        attributes={"Id": "{unique}"},
        others={"cloudwatchRoleArn": ("CloudWatchRoleArn", _same)},
    ),
    "AWS::ApiGateway::ApiKey": Kind(
        "Enabled Name! Tags",
        ("apigateway", "CreateApiKey", "UpdateApiKey", "DeleteApiKey"),
        name="Name",
        ref="{apiKey}",
        attributes={"APIKeyId": "{apiKey}"},
        keeps={"apiKey": "id"},
        defaults={"Enabled": False},
    ),
    "AWS::ApiGateway::Deployment": Kind(
        "RestApiId!",
        ("apigateway", "CreateDeployment", "", "DeleteDeployment"),
        ref="{deploymentId}",
        attributes={"DeploymentId": "{deploymentId}"},
        keeps={"deploymentId": "id"},
    ),
    "AWS::ApiGateway::RestApi": Kind(
        "ApiKeySourceType~ Body EndpointConfiguration~ FailOnWarnings Name~ Policy~ Tags~",
        ("apigateway", "ImportRestApi", "PutRestApi", "DeleteRestApi"),
        ref="{restApiId}",
        attributes={"RestApiId": "{restApiId}", "RootResourceId": "{rootResourceId}"},
        keeps={"restApiId": "id", "rootResourceId": "rootResourceId"},
        defaults={"mode": "overwrite"},
    ),
    "AWS::ApiGateway::Stage": Kind(
        "AccessLogSetting DeploymentId MethodSettings RestApiId! StageName! Tags TracingEnabled",
        ("apigateway", "CreateStage UpdateStage", "UpdateStage", "DeleteStage"),
        name="StageName",
        others={
            "accessLogSettings": ("AccessLogSetting", _same),
            "": ("MethodSettings", by_path),
        },
        defaults={"MethodSettings": [], "TracingEnabled": False},
    ),
    "AWS::ApiGateway::UsagePlan": Kind(
        "ApiStages Quota Tags Throttle UsagePlanName",
        ("apigateway", "CreateUsagePlan", "UpdateUsagePlan", "UpdateUsagePlan DeleteUsagePlan"),
        name="UsagePlanName",
        ref="{usagePlanId}",
        attributes={"Id": "{usagePlanId}"},
        keeps={"usagePlanId": "id"},
        others={"name": ("UsagePlanName", _same)},
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
        ref=_SCALED,
        attributes={"Id": _SCALED},
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": Kind(
        "PolicyName! PolicyType ScalingTargetId! TargetTrackingScalingPolicyConfiguration",
        (
            *("application-autoscaling", "PutScalingPolicy", "PutScalingPolicy"),
            "DeleteScalingPolicy",
        ),
        name="PolicyName",
        ref="{policyArn}",
        attributes={"Arn": "{policyArn}"},
        keeps={"policyArn": "PolicyARN"},
        others={
            member: ("ScalingTargetId", partial(_part, number))
            for number, member in enumerate(("ResourceId", "ScalableDimension", "ServiceNamespace"))
        },
    ),
    "AWS::CloudWatch::Alarm": Kind(
        "AlarmActions~ AlarmDescription AlarmName! ComparisonOperator Dimensions EvaluationPeriods "
        "ExtendedStatistic MetricName Namespace Period Statistic Tags Threshold TreatMissingData",
        ("cloudwatch", "PutMetricAlarm", "PutMetricAlarm", "DeleteAlarms"),
        name="AlarmName",
        attributes={"Arn": _arn("cloudwatch", "alarm:{name}")},
        others={"AlarmNames": ("AlarmName", lambda name: [name])},
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
        (
            *("events", "PutRule ?PutTargets", "PutRule ?RemoveTargets ?PutTargets"),
            "?RemoveTargets DeleteRule",
        ),
        name="Name",
        attributes={"Arn": _arn("events", "rule/{name}")},
        others={"Rule": ("Name", _same)},
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
        others={"Host": ("Url", lambda url: url.removeprefix("https://"))},
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
        others={
            "Code": ("Code", _packed),
            **{
                member: ("Code", itemgetter(member))
                for member in ("ZipFile", "S3Bucket", "S3Key", "ImageUri")
            },
        },
        defaults={
            "Description": "",
            "Environment": {"Variables": {}},
            "MemorySize": 128,
            "Timeout": 3,
            "TracingConfig": {"Mode": "PassThrough"},
        },
    ),
    "AWS::Lambda::Permission": Kind(
        "Action! FunctionName! Principal! SourceAccount! SourceArn!",
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
        ("s3", f"CreateBucket {_DOCUMENTS}", _DOCUMENTS, "DeleteBucket"),
        name="BucketName",
        attributes={
            "Arn": "arn:aws:s3:::{name}",
            "DomainName": "{name}.s3.amazonaws.com",
            "RegionalDomainName": "{name}.s3.{region}.amazonaws.com",
        },
        others={
            "Bucket": ("BucketName", _same),
            _ENCRYPTION: ("BucketEncryption", itemgetter(_ENCRYPTION)),
            "Tagging": ("Tags", _same),
        },
    ),
    "AWS::S3::BucketPolicy": Kind(
        "Bucket! PolicyDocument",
        ("s3", "PutBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
        ref="{Bucket}",
        others={"Policy": ("PolicyDocument", _same)},
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
        "Containers! EnableNetworkIsolation! ExecutionRoleArn! PrimaryContainer! VpcConfig!",
    ),
    **_sagemaker(
        *("ModelPackageGroup", "model-package-group"),
        "ModelPackageGroupDescription! ModelPackageGroupPolicy~",
    ),
}
