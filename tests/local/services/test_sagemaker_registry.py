from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import RunningPlatform
from tests.local.services.sagemaker_bench import client as client_of
from tests.local.services.sagemaker_bench import require_members

SPECIFICATION = {
    "Containers": [{"Image": "any:1", "ModelDataUrl": "s3://bench/m.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def client(platform: RunningPlatform) -> Any:
    made = client_of(platform, "sagemaker")
    made.meta.events.register("after-call.sagemaker", require_members)
    made.create_model_package_group(ModelPackageGroupName="churn")
    return made


def register(client: Any, **members: Any) -> str:
    request = {"ModelPackageGroupName": "churn", "InferenceSpecification": SPECIFICATION}
    return str(client.create_model_package(**{**request, **members})["ModelPackageArn"])


def packages(client: Any, **asked: Any) -> list[str]:
    found = client.list_model_packages(**asked)["ModelPackageSummaryList"]
    return [package["ModelPackageArn"].partition(":model-package/")[2] for package in found]


def test_versions_count_up_and_are_never_given_twice(client: Any) -> None:
    first, second = register(client), register(client)
    assert first.endswith(":model-package/churn/1")
    assert second.endswith(":model-package/churn/2")
    client.delete_model_package(ModelPackageName=second)
    assert register(client).endswith("/3")
    assert packages(client, ModelPackageGroupName="churn") == ["churn/1", "churn/3"]
    newest_first = packages(client, ModelPackageGroupName="churn", SortOrder="Descending")
    assert newest_first == ["churn/3", "churn/1"]


def test_token_registers_once(client: Any) -> None:
    token = "a" * 36
    assert register(client, ClientToken=token) == register(client, ClientToken=token)
    assert register(client, ClientToken="b" * 36).endswith("/2")


def test_package_is_described_as_it_was_registered(client: Any) -> None:
    metrics = {
        "ModelQuality": {
            "Statistics": {"ContentType": "application/json", "S3Uri": "s3://bench/e.json"}
        }
    }
    arn = register(client, ModelMetrics=metrics, CustomerMetadataProperties={"a": "1"})
    found = client.describe_model_package(ModelPackageName=arn)
    assert found["ModelPackageArn"] == arn
    assert found["ModelPackageGroupName"] == "churn"
    assert found["ModelPackageVersion"] == 1
    assert found["ModelPackageStatus"] == "Completed"
    assert found["ModelPackageStatusDetails"]["ValidationStatuses"] == []
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["ModelMetrics"] == metrics
    assert found["InferenceSpecification"] == SPECIFICATION
    client.update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"b": "2"},
        CustomerMetadataPropertiesToRemove=["a"],
    )
    found = client.describe_model_package(ModelPackageName=arn)
    assert found["CustomerMetadataProperties"] == {"b": "2"}
    assert found["ModelApprovalStatus"] == "PendingManualApproval"


@pytest.mark.parametrize("decision", ["Approved", "Rejected"])
def test_decision_can_be_turned_but_not_taken_back(client: Any, decision: str) -> None:
    arn = register(client)
    other = "Rejected" if decision == "Approved" else "Approved"
    for status in (decision, other, decision):
        client.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=f"now {status}"
        )
        found = client.describe_model_package(ModelPackageName=arn)
        assert found["ModelApprovalStatus"] == status
        assert found["ApprovalDescription"] == f"now {status}"
    with pytest.raises(ClientError, match="cannot change from"):
        client.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus="PendingManualApproval"
        )
    assert packages(client, ModelPackageGroupName="churn", ModelApprovalStatus=other) == []


def test_without_a_group_only_what_is_asked_for_is_listed(client: Any) -> None:
    register(client)
    assert packages(client) == packages(client, ModelPackageType="Unversioned") == []
    assert packages(client, ModelPackageType="Both") == ["churn/1"]
    assert packages(client, ModelPackageType="Versioned") == ["churn/1"]


def test_group_is_deleted_only_when_empty(client: Any) -> None:
    arn = register(client)
    with pytest.raises(ClientError, match=r"ConflictException.*contains model packages"):
        client.delete_model_package_group(ModelPackageGroupName="churn")
    client.delete_model_package(ModelPackageName=arn)
    client.delete_model_package_group(ModelPackageGroupName="churn")
    with pytest.raises(ClientError, match="does not exist"):
        client.describe_model_package_group(ModelPackageGroupName="churn")
    with pytest.raises(ClientError, match="does not exist"):
        register(client)


def test_group_names_are_given_once(client: Any) -> None:
    with pytest.raises(ClientError, match="already exists"):
        client.create_model_package_group(ModelPackageGroupName="churn")
    (group,) = client.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert group["ModelPackageGroupName"] == "churn"
    assert group["ModelPackageGroupStatus"] == "Completed"


def test_names_and_arns_name_the_same(client: Any) -> None:
    arn = client.describe_model_package_group(ModelPackageGroupName="churn")["ModelPackageGroupArn"]
    assert register(client, ModelPackageGroupName=arn).endswith("/churn/1")
    assert client.describe_model_package_group(ModelPackageGroupName=arn)["CreationTime"]
    assert packages(client, ModelPackageGroupName=arn) == ["churn/1"]
    other = arn.replace(":000000000000:", ":111111111111:")
    with pytest.raises(ClientError, match="does not exist"):
        client.describe_model_package_group(ModelPackageGroupName=other)


def test_packages_are_of_groups_and_have_one_specification(client: Any) -> None:
    for named in ({}, {"ModelPackageGroupName": "churn"}):
        with pytest.raises(ClientError, match="ModelPackageName: the local platform has none"):
            client.create_model_package(ModelPackageName="alone", **named)
    more = [{"Name": "b", "Containers": [{"Image": "b:1"}]}]
    with pytest.raises(ClientError, match="AdditionalInferenceSpecificationsToAdd"):
        client.update_model_package(
            ModelPackageArn=register(client), AdditionalInferenceSpecificationsToAdd=more
        )


def test_groups_are_filtered_sorted_and_paged(client: Any) -> None:
    for name in ("wine", "a-churn"):
        client.create_model_package_group(ModelPackageGroupName=name)

    def names(**asked: Any) -> list[str]:
        pages = client.get_paginator("list_model_package_groups").paginate(**asked)
        found = [group for page in pages for group in page["ModelPackageGroupSummaryList"]]
        return [group["ModelPackageGroupName"] for group in found]

    assert names() == ["churn", "wine", "a-churn"]
    assert names(NameContains="churn", MaxResults=1) == ["churn", "a-churn"]
    assert names(SortBy="Name", SortOrder="Descending") == ["wine", "churn", "a-churn"]


def test_packages_are_paged_and_filtered_by_decision(client: Any) -> None:
    arns = [register(client) for _ in range(3)]
    client.update_model_package(ModelPackageArn=arns[1], ModelApprovalStatus="Approved")
    asked = {"ModelPackageGroupName": "churn", "ModelApprovalStatus": "Approved"}
    assert packages(client, **asked) == ["churn/2"]
    pages = client.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName="churn", MaxResults=2
    )
    assert [len(page["ModelPackageSummaryList"]) for page in pages] == [2, 1]


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("describe_model_package", {"ModelPackageName": "no"}),
        ("delete_model_package", {"ModelPackageName": "no"}),
        ("describe_model_package_group", {"ModelPackageGroupName": "no"}),
        ("delete_model_package_group", {"ModelPackageGroupName": "no"}),
        ("list_model_packages", {"ModelPackageGroupName": "no"}),
        ("create_model_package", {"ModelPackageGroupName": "no"}),
    ],
)
def test_what_is_not_there_is_refused(
    shared_platform: RunningPlatform, operation: str, request_: dict[str, str]
) -> None:
    client = client_of(shared_platform, "sagemaker")
    with pytest.raises(ClientError, match=r"ValidationException.*no does not exist\."):
        getattr(client, operation)(**request_)
