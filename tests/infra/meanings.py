"""What each parameter does: the places that have its value."""

from __future__ import annotations

from collections.abc import Iterator

from tests.infra.names import at
from tests.infra.rendering import Rendered, Resource

# parameter → places that have its value, or nothing where it stands for none
MEANS: dict[str, dict[str, list[tuple[str, str]]]] = {
    "account": {
        "CaptureDays": [("S3::Bucket", "LifecycleConfiguration.Rules.0.ExpirationInDays")],
        "PermissionsBoundaryArn": [("IAM::Role", "PermissionsBoundary")],
        "KmsKeyArn": [
            (
                "S3::Bucket",
                "BucketEncryption.ServerSideEncryptionConfiguration.0.ServerSideEncryptionByDefault.KMSMasterKeyID",
            ),
            ("ECR::Repository", "EncryptionConfiguration.KmsKey"),
        ],
    },
    "project": {
        "PermissionsBoundaryArn": [("IAM::Role", "PermissionsBoundary")],
        "KmsKeyArn": [("Events::Connection", "KmsKeyIdentifier")],
    },
    "pipeline": {
        "Project": [("CodeBuild::Project", "Name")],
        "BuildImage": [("CodeBuild::Project", "Environment.Image")],
        "BuildComputeType": [("CodeBuild::Project", "Environment.ComputeType")],
        "LogRetentionDays": [("Logs::LogGroup", "RetentionInDays")],
        "PermissionsBoundaryArn": [("IAM::Role", "PermissionsBoundary")],
        "KmsKeyArn": [
            ("Logs::LogGroup", "KmsKeyId"),
            ("CodeBuild::Project", "EncryptionKey"),
            ("CodePipeline::Pipeline", "ArtifactStore.EncryptionKey.Id"),
        ],
    },
    "serving": {
        "ModelPackageArn": [("SageMaker::Model", "Containers.0.ModelPackageName")],
        "ServingRoleArn": [("SageMaker::Model", "ExecutionRoleArn")],
        "FunctionRoleArn": [("Lambda::Function", "Role")],
        "InstanceType": [("SageMaker::EndpointConfig", "ProductionVariants.0.InstanceType")],
        "InstanceCount": [
            ("SageMaker::EndpointConfig", "ProductionVariants.0.InitialInstanceCount"),
            ("ApplicationAutoScaling::ScalableTarget", "MinCapacity"),
        ],
        "MaxInstanceCount": [("ApplicationAutoScaling::ScalableTarget", "MaxCapacity")],
        "InvocationsPerInstance": [
            (
                "ApplicationAutoScaling::ScalingPolicy",
                "TargetTrackingScalingPolicyConfiguration.TargetValue",
            )
        ],
        "CapturePercentage": [
            ("SageMaker::EndpointConfig", "DataCaptureConfig.InitialSamplingPercentage")
        ],
        "NetworkIsolation": [("SageMaker::Model", "EnableNetworkIsolation")],
        "TrafficRouting": [
            (
                "SageMaker::Endpoint",
                "DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.Type",
            )
        ],
        "BakeSeconds": [
            (
                "SageMaker::Endpoint",
                "DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.WaitIntervalInSeconds",
            )
        ],
        "AlarmPeriodSeconds": [("CloudWatch::Alarm", "Period")],
        "AlarmTopicArn": [("CloudWatch::Alarm", "AlarmActions.0")],
        "FunctionMemory": [("Lambda::Function", "MemorySize")],
        "ApiRate": [
            ("ApiGateway::UsagePlan", "Throttle.RateLimit"),
            ("ApiGateway::Stage", "MethodSettings.0.ThrottlingRateLimit"),
        ],
        "ApiBurst": [
            ("ApiGateway::UsagePlan", "Throttle.BurstLimit"),
            ("ApiGateway::Stage", "MethodSettings.0.ThrottlingBurstLimit"),
        ],
        "ApiDailyQuota": [("ApiGateway::UsagePlan", "Quota.Limit")],
        "LogRetentionDays": [("Logs::LogGroup", "RetentionInDays")],
        "SubnetIds": [
            ("SageMaker::Model", "VpcConfig.Subnets"),
            ("Lambda::Function", "VpcConfig.SubnetIds"),
        ],
        "SecurityGroupIds": [
            ("SageMaker::Model", "VpcConfig.SecurityGroupIds"),
            ("Lambda::Function", "VpcConfig.SecurityGroupIds"),
        ],
        "KmsKeyArn": [
            ("Logs::LogGroup", "KmsKeyId"),
            ("SageMaker::EndpointConfig", "KmsKeyId"),
            ("SageMaker::EndpointConfig", "DataCaptureConfig.KmsKeyId"),
            ("Lambda::Function", "KmsKeyArn"),
        ],
    },
}
NONE = {"", "0"}


def problems(name: str, rendered: Rendered) -> Iterator[str]:
    """Say which parameters do not reach what they are for."""
    for parameter, places in MEANS[name].items():
        for kind, place in places:
            for one in rendered.of(kind):
                yield from _reaches(one, place, parameter, rendered.parameters[parameter])


def _reaches(one: Resource, place: str, parameter: str, given: str) -> Iterator[str]:
    found = at(one.properties, place)
    nothing = given in NONE and parameter != "BakeSeconds"
    captures = "DataCaptureConfig" in one.properties or not place.startswith("DataCapture")
    expected = None if nothing or not captures else given
    text = ",".join(found) if isinstance(found, list) else found
    if (None if text is None else str(text)) != expected:
        yield f"{one.name} {place} is {found!r}, not {parameter}, {expected!r}"
