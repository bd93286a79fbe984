"""The choices of parameters that templates are checked under, and those that they must refuse."""

from __future__ import annotations

import json

from boostline.deploy.openapi import gateway_document
from boostline.features.contract import fitted
from boostline.features.spec import FeatureSpec
from tests.infra.rendering import ACCOUNT, REGION, Json

DIGEST = "5e" * 32
ISSUER = "token.actions.githubusercontent.com"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1a2b3c4d-0000-1111-2222-333344445555"
OTHER = "210987654321"
OTHER_KEY = f"arn:aws:kms:{REGION}:{OTHER}:key/1a2b3c4d-0000-1111-2222-333344445555"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
ROLES = {
    "ServingRoleArn": f"arn:aws:iam::{ACCOUNT}:role/boostline/churn/project-ServingRole-0A",
    "FunctionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/boostline/churn/project-FunctionRole-0B",
}
PACKAGE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/churn-registry/7"
BUCKET = f"boostline-{REGION}-{ACCOUNT}"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:github-AbCdEf"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"

_STAGING = {
    "Project": "churn",
    "Stage": "staging",
    "ModelPackageArn": PACKAGE,
    "ApiDocument": f"s3://{BUCKET}/churn/api/{DIGEST}.json",
    "FunctionKey": f"churn/function/{DIGEST}.zip",
    "Bucket": BUCKET,
    **ROLES,
}
_PROJECT = {"Project": "churn", "Bucket": BUCKET}
_PIPELINE = {
    "Project": "churn",
    "ConnectionArn": f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0a1b-2c3d",
    "Repository": "owner/churn",
    "Bucket": BUCKET,
    "DeployerPolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/account-DeployerPolicy-0C",
}
# template → case → parameters. The first case has the defaults, the second has everything.
CASES: dict[str, dict[str, dict[str, str]]] = {
    "account": {
        "defaults": {},
        "everything": {
            "BucketName": "artifacts-of-ours",
            "CaptureDays": "30",
            "ProdAccountId": OTHER,
            "KmsKeyArn": KEY,
            "GitHubRepository": "owner/churn",
            "GitHubBranch": "trunk",
            "ApiGatewayLogs": "false",
            "PermissionsBoundaryArn": BOUNDARY,
        },
        "production": {"RegistryAccountId": OTHER, "PermissionsBoundaryArn": BOUNDARY},
        "known-provider": {
            "GitHubRepository": "owner/churn",
            "OidcProviderArn": f"arn:aws:iam::{OTHER}:oidc-provider/{ISSUER}",
            "PermissionsBoundaryArn": BOUNDARY,
        },
    },
    "project": {
        "defaults": _PROJECT,
        "everything": {
            **_PROJECT,
            "ProdAccountId": OTHER,
            "ApprovalStarts": "github",
            "GitHubRepository": "owner/churn",
            "GitHubTokenSecretArn": SECRET,
            "UsesVpc": "true",
            "KmsKeyArn": KEY,
            "PermissionsBoundaryArn": BOUNDARY,
        },
        "codepipeline": {**_PROJECT, "ApprovalStarts": "codepipeline"},
        "shared": {**_PROJECT, "ProdAccountId": OTHER},
        "production": {
            **_PROJECT,
            "RegistryAccountId": OTHER,
            "RegistryBucket": f"boostline-{REGION}-{OTHER}",
            "RegistryKmsKeyArn": OTHER_KEY,
            "ProdAccountId": ACCOUNT,
            "ApprovalStarts": "codepipeline",
        },
    },
    "serving": {
        "defaults": _STAGING,
        "everything": {
            **_STAGING,
            "Stage": "prod",
            "ApiRevision": "b",
            "FunctionRuntime": "python3.13",
            "InstanceType": "ml.c6i.xlarge",
            "InstanceCount": "2",
            "MaxInstanceCount": "6",
            "InvocationsPerInstance": "9000",
            "CapturePercentage": "20",
            "NetworkIsolation": "false",
            "TrafficRouting": "CANARY",
            "CanaryPercent": "25",
            "BakeSeconds": "120",
            "ErrorRate": "0.05",
            "ModelLatencyMicroseconds": "70000",
            "AlarmPeriodSeconds": "30",
            "AlarmTopicArn": TOPIC,
            "FunctionMemory": "1024",
            "ApiRate": "300",
            "ApiBurst": "700",
            "ApiDailyQuota": "90000",
            "LogRetentionDays": "365",
            "SubnetIds": "subnet-0a1b2c3d,subnet-0a1b2c3e",
            "SecurityGroupIds": "sg-0a1b2c3d",
            "PrivateApiVpcEndpointId": "vpce-0a1b2c3d",
            "KmsKeyArn": KEY,
        },
        "image": {
            **{name: it for name, it in _STAGING.items() if name != "FunctionKey"},
            "FunctionImage": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/boostline-gateway:{DIGEST}",
            "CapturePercentage": "0",
            "ApiDailyQuota": "500",
        },
    },
    "pipeline": {
        "defaults": _PIPELINE,
        "everything": {
            **_PIPELINE,
            "Branch": "trunk",
            "BuildImage": "aws/codebuild/standard:8.0",
            "BuildComputeType": "BUILD_GENERAL1_LARGE",
            "LogRetentionDays": "7",
            "KmsKeyArn": KEY,
            "PermissionsBoundaryArn": BOUNDARY,
        },
    },
}
# What AWS or the rest of a deployment would refuse later, refused as the stack is asked for.
REFUSED: dict[str, list[dict[str, str]]] = {
    "account": [],
    "project": [
        {"Project": "a" * 33},
        {"ApprovalStarts": "github"},
        {"ApprovalStarts": "github", "GitHubRepository": "o/r"},
        {"ApprovalStarts": "github", "GitHubTokenSecretArn": SECRET},
    ],
    "serving": [
        {"Project": "a" * 33},
        {"Stage": "pre-prod"},
        {"TrafficRouting": "CANARY"},
        {"FunctionKey": "none"},
        {"FunctionImage": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/boostline-gateway:1"},
    ],
    "pipeline": [{"Project": "a" * 33}],
}
CONTRACT = fitted(
    FeatureSpec(
        label="churn",
        classes=None,
        numeric=["age"],
        categorical=["plan"],
        ignore=[],
        derived={},
        missing=[],
        unknown_category="error",
    ),
    {"plan": ["no", "yes"]},
    ["False.", "True."],
)
# What a deployment stores, and serving.yaml includes.
DOCUMENT: Json = json.loads(gateway_document("churn--staging", CONTRACT))
