"""The table of resource types: their properties, the calls that make them, what they give back.

Names, what is replaced and what GetAtt knows are the registry's (`aws cloudformation
describe-type`); what Ref gives is from the Template Reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A type of resource.

    Parameters
    ----------
    declared
        Its properties: `Name!` makes another resource if it changes, `Name~` is only recorded.
    calls
        Service, and what is called to create, update and delete it; empty for a type that is only
        recorded. A call gets those properties that its operation has as members. What the creation
        does not take, an update brings. `?Call` is made if all that it requires is there,
        `?Call|Undo` undone with the second once it is not.
    name
        The fact that names it: a property, or one made up.
    keeps
        A fact, and the member of the creation's answer that it is.
    ref
        What Ref gives, of facts: properties, `name`, what is kept, `account`, `region`, and
        `unique`, 12 letters and digits of this resource alone. Otherwise what is kept, or the name.
    attributes
        What GetAtt gives, of the same.
    others
        Facts inside of a property: property, and what its value tells.
    defaults
        Facts that hold where no property says otherwise.
    describe
        What is asked until the resource is ready, or gone.
    """

    declared: str
    calls: tuple[str, str, str, str] = ("", "", "", "")
    name: str = ""
    keeps: tuple[str, str] = ("name", "")
    ref: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    others: dict[str, Callable[[Any], Mapping[str, Any]]] = field(default_factory=dict)
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


def _recorded(declared: str, name: str = "", ref: str = "", **attributes: str) -> Kind:
    return Kind(declared, name=name, ref=ref, attributes=attributes)


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{{region}}:{{account}}:{resource}"


def _sagemaker(
    stem: str, path: str, declared: str, update: str = "", describe: str = ""
) -> dict[str, Kind]:
    calls = (f"Create{stem}", f"{update} ?AddTags ?DeleteTags", f"Delete{stem}")
    kind = Kind(
        f"{stem}Name! Tags {declared}",
        ("sagemaker", *calls),
        name=f"{stem}Name",
        ref=_arn("sagemaker", f"{path}/{{name}}"),
        attributes={f"{stem}Name": "{name}"},
        describe=describe,
    )
    return {f"AWS::SageMaker::{stem}": kind}


_SCALED = ("ResourceId", "ScalableDimension", "ServiceNamespace")
_DOCUMENTS = (
    "?PutBucketEncryption|DeleteBucketEncryption ?PutBucketVersioning "
    "?PutPublicAccessBlock|DeletePublicAccessBlock "
    "?PutBucketOwnershipControls|DeleteBucketOwnershipControls "
    "?PutBucketLifecycleConfiguration|DeleteBucketLifecycle ?PutBucketTagging|DeleteBucketTagging"
)

KINDS: dict[str, Kind] = {
    "AWS::ApiGateway::Account": Kind(
        "CloudWatchRoleArn", ("apigateway", "", "UpdateAccount", ""), ref="{unique}"
    ),
    "AWS::ApiGateway::ApiKey": Kind(
        "Enabled Name! Tags",
        ("apigateway", "CreateApiKey", "UpdateApiKey", "DeleteApiKey"),
        name="Name",
        keeps=("apiKey", "id"),
        defaults={"Enabled": False},
    ),
    "AWS::ApiGateway::Deployment": Kind(
        "RestApiId!",
        ("apigateway", "CreateDeployment", "", "DeleteDeployment"),
        keeps=("deploymentId", "id"),
    ),
    "AWS::ApiGateway::RestApi": Kind(
        "ApiKeySourceType~ Body EndpointConfiguration~ FailOnWarnings Name~ Policy~ Tags~",
        ("apigateway", "ImportRestApi", "PutRestApi", "DeleteRestApi"),
        keeps=("restApiId", "id"),
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
    ),
    "AWS::ApiGateway::UsagePlanKey": Kind(
        "KeyId! KeyType! UsagePlanId!",
        ("apigateway", "CreateUsagePlanKey", "", "DeleteUsagePlanKey"),
        ref="{KeyId}:{UsagePlanId}",
    ),
    "AWS::ApplicationAutoScaling::ScalableTarget": Kind(
        "MaxCapacity MinCapacity ResourceId! ScalableDimension! ServiceNamespace! Tags",
        (
            *("application-autoscaling", "RegisterScalableTarget", "RegisterScalableTarget"),
            "DeregisterScalableTarget",
        ),
        ref="|".join(f"{{{part}}}" for part in _SCALED),
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": Kind(
        "PolicyName! PolicyType ScalingTargetId! TargetTrackingScalingPolicyConfiguration",
        (
            *("application-autoscaling", "PutScalingPolicy", "PutScalingPolicy"),
            "DeleteScalingPolicy",
        ),
        name="PolicyName",
        keeps=("policyArn", "PolicyARN"),
        others={"ScalingTargetId": lambda ref: dict(zip(_SCALED, ref.split("|"), strict=False))},
    ),
    "AWS::CloudWatch::Alarm": Kind(
        "AlarmActions~ AlarmDescription AlarmName! ComparisonOperator Dimensions EvaluationPeriods "
        "ExtendedStatistic MetricName Namespace Period Statistic Tags Threshold TreatMissingData",
        ("cloudwatch", "PutMetricAlarm", "PutMetricAlarm", "DeleteAlarms"),
        name="AlarmName",
    ),
    "AWS::CodeBuild::Project": _recorded(
        "Artifacts Description EncryptionKey Environment LogsConfig Name! ServiceRole Source Tags "
        "TimeoutInMinutes",
        "Name",
        Arn=_arn("codebuild", "project/{name}"),
    ),
    "AWS::CodePipeline::Pipeline": _recorded(
        "ArtifactStore ExecutionMode Name! PipelineType RoleArn Stages Tags Variables", "Name"
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
    ),
    "AWS::IAM::ManagedPolicy": _recorded(
        "Description! ManagedPolicyName! PolicyDocument",
        "ManagedPolicyName",
        "arn:aws:iam::{account}:policy/{name}",
    ),
    "AWS::IAM::OIDCProvider": Kind(
        "ClientIdList Tags Url!",
        ref="arn:aws:iam::{account}:oidc-provider/{Host}",
        others={"Url": lambda url: {"Host": url.removeprefix("https://")}},
    ),
    "AWS::IAM::Role": Kind(
        "AssumeRolePolicyDocument Description ManagedPolicyArns MaxSessionDuration Path! "
        "PermissionsBoundary Policies RoleName! Tags",
        name="RoleName",
        attributes={"Arn": "arn:aws:iam::{account}:role{Path}{name}"},
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
        others={"Code": dict},
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
    ),
    "AWS::Logs::LogGroup": _recorded("KmsKeyId LogGroupName! RetentionInDays Tags", "LogGroupName"),
    "AWS::S3::Bucket": Kind(
        "BucketEncryption BucketName! LifecycleConfiguration OwnershipControls "
        "PublicAccessBlockConfiguration Tags VersioningConfiguration",
        ("s3", "CreateBucket", _DOCUMENTS, "DeleteBucket"),
        name="BucketName",
        attributes={"Arn": "arn:aws:s3:::{name}"},
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
