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

# How many a page holds where the caller does not say, and at most, by operation or service. What is
# not here is not cut: S3's other listings and the events of logs have positions of their own.
SIZES = {
    "apigateway": (25, 500),
    "application-autoscaling": (50, 50),
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
    limit, results = said.get("limit_key", ""), said["result_key"]
    shown = results if isinstance(results, str) else results[0]
    listing = {name: value for name, value in request.items() if name != limit}
    start = _start(operation, listing, listing.pop(said["input_token"], ""))
    default, most = sizes
    end = start + max(1, min(request.get(limit, default), most))
    page = {**answer, shown: answer[shown][start:end]}
    if end < len(answer[shown]):
        page[said["output_token"]] = _token(operation, listing, str(end))
    return page


def _start(operation: Operation, listing: Members, token: str) -> int:
    """Return where the page of a token begins; without one, that is the beginning."""
    number, _, _ = token.partition("-")
    if not token:
        return 0
    if token == _token(operation, listing, number):
        return int(number)
    message = "Invalid NextToken: pass on the page's before, unchanged, with the same request"
    # Where the service has a name for it, botocore knows it among the errors of the operation.
    codes = [shape.error_code for shape in operation.error_shapes]
    names = [code for part in ("NextToken", "InvalidParameter") for code in codes if part in code]
    if names:
        raise AwsError(names[0], message)
    raise invalid(message, operation.service_model.service_name)


def _token(operation: Operation, listing: Members, start: str) -> str:
    """Return what names a place in a listing, and in no other one."""
    place = json.dumps([operation.name, listing, start], sort_keys=True)
    return f"{start}-{hashlib.sha256(place.encode()).hexdigest()}"
