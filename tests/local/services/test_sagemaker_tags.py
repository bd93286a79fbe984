from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import RunningPlatform
from tests.local.services.sagemaker_bench import client as client_of


@pytest.fixture
def client(platform: RunningPlatform) -> Any:
    made = client_of(platform, "sagemaker")
    made.create_model_package_group(ModelPackageGroupName="churn")
    return made


def test_tags_are_added_replaced_listed_and_removed(client: Any) -> None:
    arn = client.describe_model_package_group(ModelPackageGroupName="churn")["ModelPackageGroupArn"]
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "3"}])
    tags = client.list_tags(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "a", "Value": "3"}, {"Key": "b", "Value": "2"}]
    client.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    with pytest.raises(ClientError, match="Could not find the resource"):
        client.add_tags(ResourceArn=arn + "x", Tags=[{"Key": "a", "Value": "1"}])


def test_tags_of_a_package_go_with_it(client: Any) -> None:
    tags = [{"Key": "a", "Value": "1"}]
    made = client.create_model_package(ModelPackageGroupName="churn", Tags=tags)
    arn = made["ModelPackageArn"]
    assert client.list_tags(ResourceArn=arn)["Tags"] == tags
    client.delete_model_package(ModelPackageName=arn)
    for operation, more in (
        (client.list_tags, {}),
        (client.add_tags, {"Tags": tags}),
        (client.delete_tags, {"TagKeys": ["a"]}),
    ):
        with pytest.raises(ClientError, match="Could not find the resource"):
            operation(ResourceArn=arn, **more)
    other = client.create_model_package(ModelPackageGroupName="churn")["ModelPackageArn"]
    assert client.list_tags(ResourceArn=other)["Tags"] == []
    client.delete_tags(ResourceArn=other, TagKeys=["a"])


def test_tags_are_at_most_fifty(client: Any) -> None:
    arn = client.describe_model_package_group(ModelPackageGroupName="churn")["ModelPackageGroupArn"]
    client.add_tags(ResourceArn=arn, Tags=[{"Key": str(n), "Value": ""} for n in range(50)])
    with pytest.raises(ClientError, match="would have 51 tags; 50 are allowed"):
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "more", "Value": ""}])
    assert len(client.list_tags(ResourceArn=arn)["Tags"]) == 50
