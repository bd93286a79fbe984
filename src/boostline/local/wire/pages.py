"""Listings in pages: a handler returns all that it has found, and this cuts it.

Which members ask for a page and tell of the next is said by botocore's paginators.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from boostline.contracts.models import Operation, paginators
from boostline.local.wire.errors import AwsError, invalid

Members = dict[str, Any]

# How many a page holds where the caller does not say, and at most, by operation or service, as the
# operations' API references (and botocore's documentation) say; but CloudFormation's pages are of
# 1 MB: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
# What is not here is not cut: S3's other listings and the events of logs have their own positions.
SIZES = {
    "apigateway": (25, 500),
    "application-autoscaling:DescribeScalableTargets": (50, 50),
    "application-autoscaling:DescribeScalingPolicies": (10, 10),
    "cloudformation": (100, 100),
    "cloudwatch:DescribeAlarms": (100, 100),
    "cloudwatch:ListMetrics": (500, 500),
    "events": (100, 100),
    "lambda": (50, 50),
    "logs:DescribeLogGroups": (50, 50),
    "logs:DescribeLogStreams": (50, 50),
    "s3:ListBuckets": (10_000, 10_000),
    "sagemaker": (10, 100),
    "sagemaker:ListTags": (50, 50),
}
# What an item is known by where that is not the first member of its shape that is called an ARN, an
# ID or a name; members of its members are looked at, too.
KEYS = {
    "DescribeChangeSet": ("LogicalResourceId",),
    "DescribeScalableTargets": ("ResourceId", "ScalableDimension"),
    "DescribeStackEvents": ("EventId",),
    "ListMetrics": ("Namespace", "MetricName", "Dimensions"),
    "ListModelPackages": ("ModelPackageArn",),
    "ListTags": ("Key",),
    "Search": ("{Resource}Arn",),
}
# What a service calls a token that is none, where neither the operation's errors nor `invalid` say.
WRONG = {"s3": "InvalidArgument"}


def cut(operation: Operation, request: Members, answer: Members) -> Members:
    """Return the page of an answer that a request asks for; all of it, if it has no pages.

    Raises
    ------
    AwsError
        If the token is not one of an earlier page of the same listing.
    """
    service = operation.service_model.service_name
    sizes = SIZES.get(f"{service}:{operation.name}", SIZES.get(service))
    if sizes is None or operation.name not in paginators(service):
        return answer
    said = paginators(service)[operation.name]
    limit, shown = said.get("limit_key", ""), _shown(said)
    found, keys = answer[shown], keys_of(operation, request)
    listing = {name: value for name, value in request.items() if name != limit}
    token = listing.pop(said["input_token"], "")
    start = _start(operation, listing, token, found, keys) if token else 0
    default, most = sizes
    end = start + max(1, min(request.get(limit, default), most))
    page = {**answer, shown: found[start:end]}
    if end < len(found):
        page[said["output_token"]] = _token(operation, listing, str(end), _name(found[end], keys))
    return page


def keys_of(operation: Operation, request: Members) -> tuple[str, ...]:
    """Return the members that tell the items of a listing apart, whatever else of them changes."""
    if operation.name in KEYS:
        return tuple(key.format_map(request) for key in KEYS[operation.name])
    service = operation.service_model.service_name
    items = operation.output_shape.members[_shown(paginators(service)[operation.name])]
    names = items.member.members
    return (next(each for each in names if each.lower().endswith(("arn", "id", "name"))),)


def digest(*place: Any) -> str:
    """Return what makes a token one of a place in a listing, and not one made by hand."""
    return hashlib.sha256(json.dumps(place, sort_keys=True).encode()).hexdigest()


def _shown(said: Members) -> str:
    results = said["result_key"]
    return str(results if isinstance(results, str) else results[0])


def _start(
    operation: Operation, listing: Members, token: str, found: list[Any], keys: tuple[str, ...]
) -> int:
    """Return where the item is that a token names; others may have come or gone before it."""
    number, name, _ = f"{token}--".split("-", 2)
    if token == _token(operation, listing, number, name):
        start = int(number)
        if start < len(found) and _name(found[start], keys) == name:
            return start
        same = (place for place, item in enumerate(found) if _name(item, keys) == name)
        return min(same, key=lambda place: abs(place - start), default=start)
    service = operation.service_model.service_name
    given = paginators(service)[operation.name]["input_token"]
    message = f"Invalid {given}: pass on the page's before, unchanged, with the same request"
    # Where the service has a name for it, botocore knows it among the errors of the operation.
    codes = [shape.error_code for shape in operation.error_shapes]
    known = [code for part in ("NextToken", "InvalidParameter") for code in codes if part in code]
    known += [WRONG[service]] if service in WRONG else []
    raise AwsError(known[0], message) if known else invalid(message, service)


def _token(operation: Operation, listing: Members, start: str, name: str) -> str:
    """Return what names an item of a listing, and of no other one."""
    return f"{start}-{name}-{digest(operation.name, listing, start, name)}"


def _name(item: Members, keys: tuple[str, ...]) -> str:
    """Return what an item is known by, as a token may hold it."""
    inner = [value for value in item.values() if isinstance(value, dict)]
    known = [next((each[key] for each in (item, *inner) if key in each), None) for key in keys]
    return hashlib.sha256(str(known).encode()).hexdigest()[:16]
