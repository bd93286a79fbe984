"""The declared table: the operations that the platform has, and who answers them.

An operation enters when the templates, the commands, or the recorded calls of the SDKs and the
AWS CLI use it. Everything else is refused by name. The names are botocore's; the handler of an
operation is the method of that name, in snake case, of the service's class.
"""

from __future__ import annotations

from typing import NamedTuple


class ServiceEntry(NamedTuple):
    """A service: where its class is (`module:Class`), and its operations."""

    handler: str
    operations: tuple[str, ...]


def _entry(handler: str, operations: str) -> ServiceEntry:
    return ServiceEntry(f"boostline.local.services.{handler}", tuple(operations.split()))


SERVICES: dict[str, ServiceEntry] = {
    "s3": _entry(
        "s3.service:S3",
        """
        ListBuckets CreateBucket HeadBucket DeleteBucket GetBucketLocation
        PutObject GetObject HeadObject DeleteObject DeleteObjects CopyObject
        ListObjects ListObjectsV2 ListObjectVersions
        CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload
        AbortMultipartUpload ListParts ListMultipartUploads
        GetObjectAcl PutObjectAcl GetObjectTagging PutObjectTagging DeleteObjectTagging
        GetBucketAcl PutBucketAcl
        GetBucketEncryption PutBucketEncryption DeleteBucketEncryption
        GetBucketLifecycleConfiguration PutBucketLifecycleConfiguration DeleteBucketLifecycle
        GetBucketOwnershipControls PutBucketOwnershipControls DeleteBucketOwnershipControls
        GetBucketPolicy PutBucketPolicy DeleteBucketPolicy
        GetBucketTagging PutBucketTagging DeleteBucketTagging
        GetBucketVersioning PutBucketVersioning
        GetPublicAccessBlock PutPublicAccessBlock DeletePublicAccessBlock
        """,
    ),
    "sts": _entry("sts.service:Sts", "GetCallerIdentity"),
    "iam": _entry("iam.service:Iam", "GetRole SimulatePrincipalPolicy"),
    "logs": _entry(
        "logs.service:CloudWatchLogs",
        "DescribeLogGroups DescribeLogStreams GetLogEvents FilterLogEvents",
    ),
    # Before those that ask it whether a deployment goes well.
    "cloudwatch": _entry(
        "cloudwatch.service:CloudWatch",
        """
        PutMetricAlarm DescribeAlarms SetAlarmState DeleteAlarms
        PutMetricData ListMetrics GetMetricData
        """,
    ),
    "sagemaker": _entry(
        "sagemaker.service:SageMaker",
        """
        CreatePipeline UpdatePipeline DescribePipeline DeletePipeline ListPipelines
        StartPipelineExecution StopPipelineExecution RetryPipelineExecution
        DescribePipelineExecution
        DescribePipelineDefinitionForExecution ListPipelineExecutions
        ListPipelineExecutionSteps ListPipelineParametersForExecution
        CreateTrainingJob DescribeTrainingJob ListTrainingJobs StopTrainingJob
        CreateProcessingJob DescribeProcessingJob ListProcessingJobs StopProcessingJob
        CreateTransformJob DescribeTransformJob ListTransformJobs StopTransformJob
        CreateModelPackageGroup DescribeModelPackageGroup ListModelPackageGroups
        DeleteModelPackageGroup
        CreateModelPackage DescribeModelPackage ListModelPackages UpdateModelPackage
        DeleteModelPackage
        CreateModel DescribeModel ListModels DeleteModel
        CreateEndpointConfig DescribeEndpointConfig ListEndpointConfigs DeleteEndpointConfig
        CreateEndpoint UpdateEndpoint DescribeEndpoint ListEndpoints DeleteEndpoint
        Search AddTags ListTags DeleteTags
        """,
    ),
    "sagemaker-runtime": _entry("sagemaker_runtime.service:SageMakerRuntime", "InvokeEndpoint"),
    "lambda": _entry(
        "lambda_.service:Lambda",
        """
        CreateFunction GetFunction GetFunctionConfiguration ListFunctions UpdateFunctionCode
        UpdateFunctionConfiguration DeleteFunction AddPermission RemovePermission Invoke
        PutFunctionConcurrency DeleteFunctionConcurrency
        """,
    ),
    "apigateway": _entry(
        "apigateway.service:ApiGateway",
        """
        ImportRestApi PutRestApi GetRestApis DeleteRestApi
        CreateDeployment DeleteDeployment
        CreateStage GetStage UpdateStage DeleteStage
        CreateApiKey GetApiKey GetApiKeys UpdateApiKey DeleteApiKey
        CreateUsagePlan GetUsagePlan UpdateUsagePlan DeleteUsagePlan
        CreateUsagePlanKey DeleteUsagePlanKey
        GetAccount UpdateAccount
        """,
    ),
    "application-autoscaling": _entry(
        "application_autoscaling.service:ApplicationAutoScaling",
        """
        RegisterScalableTarget DescribeScalableTargets DeregisterScalableTarget
        PutScalingPolicy DescribeScalingPolicies DeleteScalingPolicy
        """,
    ),
    "events": _entry(
        "events.service:Events",
        """
        PutRule DescribeRule ListRules EnableRule DisableRule DeleteRule
        PutTargets ListTargetsByRule RemoveTargets PutEvents
        """,
    ),
    # The last: when it starts, and goes on with its stacks, the others have started.
    "cloudformation": _entry(
        "cloudformation.service:CloudFormation",
        """
        CreateStack UpdateStack CancelUpdateStack DeleteStack GetTemplateSummary
        DescribeStacks DescribeStackEvents DescribeStackResources
        CreateChangeSet DescribeChangeSet DeleteChangeSet ExecuteChangeSet
        """,
    ),
}
