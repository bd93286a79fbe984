"""Listings in pages, as boto3's paginators and whoever passes on tokens by hand see them."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from boostline.contracts.models import paginators, service_model
from boostline.local.operations import SERVICES
from boostline.local.wire.pages import SIZES, keys_of
from tests.conftest import RunningPlatform

NAMES = [f"name-{number}" for number in range(5)]
ALARM = {
    "Namespace": "n",
    "MetricName": "m",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


class Listing(NamedTuple):
    """A listing of five things, and what its service calls a token that is none."""

    service: str
    operation: str
    asked: dict[str, Any]
    name: str  # of a thing, in its members
    refusal: str


LISTINGS = [
    Listing("s3", "ListBuckets", {"Prefix": "name-"}, "Name", "InvalidArgument"),
    Listing("apigateway", "GetApiKeys", {"nameQuery": "name"}, "name", "BadRequestException"),
    Listing(
        "cloudwatch", "DescribeAlarms", {"AlarmNamePrefix": "name"}, "AlarmName", "InvalidNextToken"
    ),
    Listing("events", "ListRules", {"NamePrefix": "name"}, "Name", "ValidationException"),
    Listing(
        "logs",
        "DescribeLogGroups",
        {"logGroupNamePrefix": "name"},
        "logGroupName",
        "InvalidParameterException",
    ),
    Listing(
        "sagemaker",
        "ListModelPackageGroups",
        {"NameContains": "name", "SortBy": "Name", "SortOrder": "Ascending"},
        "ModelPackageGroupName",
        "ValidationException",
    ),
]
each = pytest.mark.parametrize("listing", LISTINGS, ids=lambda each: each.operation)


@pytest.fixture(scope="module")
def full(shared_platform: RunningPlatform) -> RunningPlatform:
    """A platform with five things of each kind."""
    for name in NAMES:
        shared_platform.client("s3").create_bucket(Bucket=name)
        shared_platform.client("apigateway").create_api_key(name=name)
        shared_platform.client("cloudwatch").put_metric_alarm(**ALARM, AlarmName=name)
        shared_platform.client("events").put_rule(Name=name, EventPattern='{"source": ["x"]}')
        shared_platform.client("sagemaker").create_model_package_group(ModelPackageGroupName=name)
        shared_platform.platform.logs.append(name, "stream", ["a line"])
    return shared_platform


def page(platform: RunningPlatform, listing: Listing, **more: Any) -> dict[str, Any]:
    client = platform.client(listing.service)
    method = {name: call for call, name in client.meta.method_to_api_mapping.items()}
    answer: dict[str, Any] = getattr(client, method[listing.operation])(**listing.asked, **more)
    return answer


def said(listing: Listing) -> dict[str, Any]:
    found = paginators(listing.service)[listing.operation]
    results = found["result_key"]
    return {**found, "shown": results if isinstance(results, str) else results[0]}


@each
def test_pages_are_joined_to_the_whole(full: RunningPlatform, listing: Listing) -> None:
    client = full.client(listing.service)
    method = {name: call for call, name in client.meta.method_to_api_mapping.items()}
    found = list(
        client.get_paginator(method[listing.operation]).paginate(
            **listing.asked, PaginationConfig={"PageSize": 2}
        )
    )
    names = [[one[listing.name] for one in each[said(listing)["shown"]]] for each in found]
    assert names == [NAMES[:2], NAMES[2:4], NAMES[4:]]
    assert said(listing)["output_token"] not in found[-1]


@each
def test_a_token_is_of_one_listing_and_not_made_by_hand(
    full: RunningPlatform, listing: Listing
) -> None:
    words = said(listing)
    token = page(full, listing, **{words["limit_key"]: 2})[words["output_token"]]
    other = page(full, listing, **{words["limit_key"]: 1, words["input_token"]: token})
    assert [one[listing.name] for one in other[words["shown"]]] == NAMES[2:3]
    for wrong in ("2", "nonsense", token[:-1], f"1{token}", f"{'9' * 2_000}-x"):
        match = f"Invalid {words['input_token']}: pass on the page's before"
        with pytest.raises(ClientError, match=match) as caught:
            page(full, listing, **{words["input_token"]: wrong})
        assert caught.value.response["Error"]["Code"] == listing.refusal
    elsewhere = listing._replace(asked={})
    with pytest.raises(ClientError, match="with the same request"):
        page(full, elsewhere, **{words["input_token"]: token})


def test_who_removes_what_is_listed_misses_nothing(platform: RunningPlatform) -> None:
    sagemaker = platform.client("sagemaker")

    def create(name: str) -> None:
        sagemaker.create_model_package_group(ModelPackageGroupName=name)

    for name in NAMES:
        create(name)
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(
        SortBy="CreationTime", SortOrder="Descending", PaginationConfig={"PageSize": 2}
    )
    seen = []
    for number, found in enumerate(pages):
        for group in found["ModelPackageGroupSummaryList"]:
            seen.append(group["ModelPackageGroupName"])
            sagemaker.delete_model_package_group(ModelPackageGroupName=seen[-1])
        create(f"later-{number}")
    assert seen == NAMES[::-1]


def test_who_removes_what_was_found_misses_nothing(platform: RunningPlatform) -> None:
    sagemaker = platform.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    for number in range(5):
        sagemaker.create_model_package(
            ModelPackageGroupName="group", ModelPackageDescription=f"{number}"
        )
    pages = sagemaker.get_paginator("search").paginate(
        Resource="ModelPackage",
        SortBy="CreationTime",
        SortOrder="Ascending",
        PaginationConfig={"PageSize": 2},
    )
    seen = []
    for found in pages:
        for each in found["Results"]:
            seen.append(each["ModelPackage"]["ModelPackageDescription"])
            sagemaker.delete_model_package(ModelPackageName=each["ModelPackage"]["ModelPackageArn"])
    assert seen == ["0", "1", "2", "3", "4"]


def test_who_changes_what_comes_next_misses_nothing(platform: RunningPlatform) -> None:
    events, rule = platform.client("events"), {"EventPattern": '{"source": ["x"]}'}
    for name in NAMES:
        events.put_rule(Name=name, **rule)
    token = events.list_rules(Limit=2)["NextToken"]
    for name in NAMES[:2]:
        events.delete_rule(Name=name)
    events.put_rule(Name=NAMES[2], RoleArn="arn:aws:iam::000000000000:role/other", **rule)
    assert [each["Name"] for each in events.list_rules(NextToken=token)["Rules"]] == NAMES[2:]


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        (service, operation)
        for service, entry in SERVICES.items()
        for operation in sorted({*entry.operations} & {*paginators(service)})
        if operation != "Search" and {service, f"{service}:{operation}"} & {*SIZES}
    ],
)
def test_each_listing_says_what_its_items_are_known_by(service: str, operation: str) -> None:
    made = service_model(service).operation_model(operation)
    said_of = paginators(service)[operation]["result_key"]
    shown = said_of if isinstance(said_of, str) else said_of[0]
    items = made.output_shape.members[shown].member.members
    inner = [each.members for each in items.values() if each.type_name == "structure"]
    assert {*keys_of(made, {})} <= {*items}.union(*inner)
