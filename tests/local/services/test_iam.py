from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from boostline.contracts.strict import StrictError
from tests.conftest import RunningPlatform

ROLE = "arn:aws:iam::000000000000:role/any"


def test_any_role_may_be_assumed_by_sagemaker_and_lambda(
    shared_platform: RunningPlatform,
) -> None:
    iam = shared_platform.client("iam")
    role = iam.get_role(RoleName="any")["Role"]
    assert (role["RoleName"], role["Arn"]) == ("any", ROLE)
    assert iam.get_role(RoleName="any")["Role"] == role
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert set(statement["Principal"]["Service"]) == {
        "sagemaker.amazonaws.com",
        "lambda.amazonaws.com",
    }


def test_every_action_is_allowed(shared_platform: RunningPlatform) -> None:
    found = shared_platform.client("iam").simulate_principal_policy(
        PolicySourceArn=ROLE,
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::a", "arn:aws:s3:::b"],
    )["EvaluationResults"]
    assert len(found) == 4
    assert {(each["EvalActionName"], each["EvalDecision"]) for each in found} == {
        ("s3:GetObject", "allowed"),
        ("s3:PutObject", "allowed"),
    }


def test_a_name_that_is_none_is_refused(shared_platform: RunningPlatform) -> None:
    with pytest.raises(StrictError, match="roleName"):
        shared_platform.client("iam").get_role(RoleName="a/b")
    client = shared_platform.session.client("iam", endpoint_url=shared_platform.endpoint)
    with pytest.raises(ClientError, match="ValidationError"):
        client.get_role(RoleName="a/b")
