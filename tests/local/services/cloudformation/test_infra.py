"""The project's other templates: made, changed and removed as they stand."""

from __future__ import annotations

import pytest

from tests.conftest import RunningPlatform
from tests.local.services.cloudformation.stacks_bench import INFRA, Stack

BUCKET = "boostline-us-east-1-000000000000"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:token-abcdef"
FIRST = {
    "account": {"GitHubRepository": "owner/name", "ProdAccountId": "111111111111"},
    "project": {
        "Project": "churn",
        "Bucket": BUCKET,
        "ApprovalStarts": "github",
        "GitHubRepository": "owner/name",
        "GitHubTokenSecretArn": SECRET,
        "UsesVpc": "true",
    },
    "pipeline": {
        "Project": "churn",
        "ConnectionArn": "arn:aws:codeconnections:us-east-1:000000000000:connection/0a",
        "Repository": "owner/name",
        "Bucket": BUCKET,
        "DeployerPolicyArn": "arn:aws:iam::000000000000:policy/deployer",
    },
}
THEN = {
    "account": {"GitHubRepository": "", "CaptureDays": "7"},
    "project": {"ApprovalStarts": "codepipeline", "UsesVpc": "false"},
    "pipeline": {"Branch": "release", "LogRetentionDays": "7"},
}


@pytest.mark.parametrize("name", FIRST)
def test_a_template_is_made_changed_and_removed(
    shared_platform: RunningPlatform, name: str
) -> None:
    stack = Stack(shared_platform, name)
    body = (INFRA / f"{name}.yaml").read_text()
    assert stack.create(body, FIRST[name]) == "CREATE_COMPLETE", stack.events()
    before = stack.physical()
    values = FIRST[name] | THEN[name]
    shown = [each["ResourceChange"] for each in stack.change_set(body, values)["Changes"]]
    assert stack.update(body, values) == "UPDATE_COMPLETE", stack.events()
    replaced = {each["LogicalResourceId"] for each in shown if each.get("Replacement") == "True"}
    gone = {each["LogicalResourceId"] for each in shown if each["Action"] == "Remove"}
    after = stack.physical()
    assert {one for one in before if before[one] != after.get(one)} == replaced | gone
    assert stack.delete() == "DELETE_COMPLETE"


def test_the_artifact_bucket_is_as_the_template_has_it(shared_platform: RunningPlatform) -> None:
    s3 = shared_platform.client("s3")
    stack = Stack(shared_platform, "again")
    assert stack.create((INFRA / "account.yaml").read_text()) == "CREATE_COMPLETE"
    found = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]
    applied = found["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    assert applied == {"SSEAlgorithm": "AES256"}
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert rules[0]["ID"] == "captures"
    assert rules[0]["Expiration"] == {"Days": 90}
    blocked = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
