"""Whether a step that failed is done again, and when."""

from __future__ import annotations

from collections.abc import Iterable

from boostline.contracts.pipeline import RetryPolicy

MAX_ATTEMPTS = 5  # where a policy says nothing
SERVICE_FAULT = "Step.SERVICE_FAULT"
# What a job's failure begins with, or the code of a refusal → the exception type of a policy.
TYPES = {
    "InternalServerError": "SageMaker.JOB_INTERNAL_ERROR",
    "CapacityError": "SageMaker.CAPACITY_ERROR",
    "ResourceLimitExceeded": "SageMaker.RESOURCE_LIMIT",
    "ThrottlingException": "Step.THROTTLING",
}


class StepFailed(Exception):
    """Why a step failed; `kind` is the exception type that a retry policy names, or nothing."""

    def __init__(self, reason: str, kind: str = "") -> None:
        super().__init__(reason)
        self.kind = kind or TYPES.get(reason.partition(":")[0], "")


def pause(
    policies: Iterable[RetryPolicy], error: StepFailed, attempt: int, elapsed: float
) -> float | None:
    """Return the seconds until a step is done again, or None if it has failed for good.

    `attempt` is how many attempts there were, `elapsed` the seconds since the first one began.
    """
    for policy in policies:
        if error.kind in policy.exception_type:
            wait = policy.interval_seconds * policy.backoff_rate ** (attempt - 1)
            if policy.expire_after_min:
                return wait if elapsed + wait <= 60 * policy.expire_after_min else None
            return wait if attempt <= (policy.max_attempts or MAX_ATTEMPTS) else None
    return None
