from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import RunningPlatform
from tests.local.services.sagemaker_bench import client as client_of
from tests.local.services.sagemaker_bench import require_members


@pytest.fixture(scope="module")
def client(shared_platform: RunningPlatform) -> Any:
    made = client_of(shared_platform, "sagemaker")
    made.meta.events.register("after-call.sagemaker", require_members)
    for name in ("churn", "churn-two", "wine"):
        made.create_model_package_group(
            ModelPackageGroupName=name,
            ModelPackageGroupDescription=name.upper(),
            Tags=[{"Key": "team", "Value": name}],
        )
    for described in ({"ModelPackageDescription": "first"}, {}, {}):
        made.create_model_package(ModelPackageGroupName="churn", **described)
    return made


def names(client: Any, **asked: Any) -> list[str]:
    results = client.search(Resource="ModelPackageGroup", **asked)["Results"]
    return [result["ModelPackageGroup"]["ModelPackageGroupName"] for result in results]


def by(name: str, value: str, operator: str | None = "Equals") -> dict[str, Any]:
    filter_ = {"Name": name, "Value": value}
    return filter_ | ({"Operator": operator} if operator else {})


def test_group_is_found_by_its_name(client: Any) -> None:
    expression = {"Filters": [by("ModelPackageGroupName", "churn")]}
    (result,) = client.search(Resource="ModelPackageGroup", SearchExpression=expression)["Results"]
    group = result["ModelPackageGroup"]
    assert group["ModelPackageGroupArn"].endswith(":model-package-group/churn")
    assert group["Tags"] == [{"Key": "team", "Value": "churn"}]
    assert names(client, SearchExpression={"Filters": [by("ModelPackageGroupName", "no")]}) == []


@pytest.mark.parametrize(
    ("filters", "operator", "found"),
    [
        ([by("ModelPackageGroupName", "churn", None)], "And", ["churn"]),
        ([by("ModelPackageGroupName", "churn", "Contains")], "And", ["churn-two", "churn"]),
        ([by("ModelPackageGroupName", "wine", "NotEquals")], "And", ["churn-two", "churn"]),
        (
            [by("ModelPackageGroupName", "churn"), by("ModelPackageGroupDescription", "WINE")],
            "Or",
            ["wine", "churn"],
        ),
        ([by("ModelPackageGroupName", "churn"), by("Nothing", "x")], "And", []),
    ],
)
def test_filters_are_combined(
    client: Any, filters: list[dict[str, Any]], operator: str, found: list[str]
) -> None:
    expression = {"Filters": filters, "Operator": operator}
    order = {"SortBy": "CreationTime"}
    assert names(client, SearchExpression=expression, **order) == found


def test_results_are_sorted_and_paged(client: Any) -> None:
    order = {"SortBy": "ModelPackageVersion", "SortOrder": "Ascending"}
    expression = {"Filters": [by("ModelPackageGroupName", "churn")]}
    request = {"Resource": "ModelPackage", "SearchExpression": expression, **order}
    pages = list(client.get_paginator("search").paginate(**request, MaxResults=2))
    versions = [
        [result["ModelPackage"]["ModelPackageVersion"] for result in page["Results"]]
        for page in pages
    ]
    assert versions == [[1, 2], [3]]
    second = {"Filters": [by("ModelPackageVersion", "2")]}
    assert len(client.search(Resource="ModelPackage", SearchExpression=second)["Results"]) == 1


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"Resource": "ModelPackageGroup", "SortBy": "Tags"}, "SortBy Tags: what is found has no"),
        ({"Resource": "ModelPackage", "SortBy": "ModelPackageDescription"}, "only some of it has"),
        ({"Resource": "FeatureGroup"}, "Resource: the local platform has Endpoint or ModelPackage"),
        (
            {
                "Resource": "ModelPackage",
                "SearchExpression": {
                    "NestedFilters": [{"NestedPropertyName": "a", "Filters": [by("a.b", "c")]}]
                },
            },
            "NestedFilters: the local platform has none",
        ),
        (
            {
                "Resource": "ModelPackage",
                "SearchExpression": {"Filters": [by("ModelPackageVersion", "2", "LessThan")]},
            },
            "ModelPackageVersion.*Operator: the local platform has Equals or .*; found 'LessThan'",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(
    client: Any, request_: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ClientError, match=problem):
        client.search(**request_)
