"""What `make test-aws` costs: every price in one table, and how much of each it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

# List prices without discounts, rounded up; elsewhere they are up to a half higher.
PRICED = "us-east-1, US dollars, 2025; the pages named tell what holds today"


class Cost(NamedTuple):
    """A price, and how much of it the test takes if all goes well."""

    what: str
    price: float
    unit: str
    amount: float
    source: str


SAGEMAKER = "https://aws.amazon.com/sagemaker/ai/pricing/"
COSTS = (
    Cost("jobs of the pipeline, 3 of ml.m5.xlarge", 0.27, "hour", 3 * 0.2, SAGEMAKER),
    Cost("staging, ml.m5.large", 0.12, "hour", 1.0, SAGEMAKER),
    Cost("prod, 2 of ml.m5.large", 0.12, "hour", 2 * 0.7, SAGEMAKER),
    Cost("images in ECR", 0.10, "GB-month", 0.01, "https://aws.amazon.com/ecr/pricing/"),
    Cost("objects in S3", 0.023, "GB-month", 0.01, "https://aws.amazon.com/s3/pricing/"),
    Cost(
        "requests of the REST API",
        3.5e-6,
        "request",
        1000,
        "https://aws.amazon.com/api-gateway/pricing/",
    ),
    Cost(
        "calls of the function, 512 MB",
        1e-6,
        "call",
        1000,
        "https://aws.amazon.com/lambda/pricing/",
    ),
    Cost("alarms", 0.10, "month", 8 / 500, "https://aws.amazon.com/cloudwatch/pricing/"),
    Cost("logs", 0.50, "GB", 0.05, "https://aws.amazon.com/cloudwatch/pricing/"),
)
# What one hour more costs, if the removal fails and nobody looks.
HOURLY = sum(cost.price * cost.amount / hours for cost, hours in ((COSTS[1], 1.0), (COSTS[2], 0.7)))


def estimate() -> Iterator[str]:
    """Give the lines of the estimate."""
    yield f"What it costs, about ({PRICED}):"
    for cost in COSTS:
        yield f"  {cost.price * cost.amount:6.2f}  {cost.what} ({cost.source})"
    yield f"  {total():6.2f}  in all; what is left behind costs {HOURLY:.2f} an hour"


def total() -> float:
    """Return the whole estimate in dollars."""
    return sum(cost.price * cost.amount for cost in COSTS)
