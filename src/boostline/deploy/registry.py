"""The registry: a project's versions, and which of them may be deployed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from boostline.contracts.errors import BoostlineError
from boostline.project.target import Target

RECENT = 5
PASSED, FAILED = "passed", "failed"


class NotApprovedError(BoostlineError):
    """No approved version, or not the one that was asked for."""

    exit_code = 4


def versions(target: Target, group: str) -> list[dict[str, Any]]:
    """Return the summaries of a group's versions, newest first; none if there is no group."""
    pages = target.client("sagemaker").get_paginator("list_model_packages")
    try:
        return [
            found
            for page in pages.paginate(
                ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
            )
            for found in page["ModelPackageSummaryList"]
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationException":
            return []
        raise


def version(target: Target, group: str, number: int | None) -> dict[str, Any]:
    """Return DescribeModelPackage of a version, or of the newest.

    Raises
    ------
    NotApprovedError
        If there is none, naming those that are.
    """
    known = versions(target, group)
    for found in known:
        if number in (None, found["ModelPackageVersion"]):
            return describe(target, found)
    have = ", ".join(str(found["ModelPackageVersion"]) for found in reversed(known)) or "none"
    which = "version" if number is None else f"version {number}"
    raise NotApprovedError(f"{group} has no {which}; registered: {have}")


def approved(target: Target, group: str, number: int | None) -> dict[str, Any]:
    """Return DescribeModelPackage of the latest approved version, or of one that must be approved.

    Raises
    ------
    NotApprovedError
        If it is not approved, or if none is.
    """
    if number is not None:
        found = version(target, group, number)
        if found["ModelApprovalStatus"] != "Approved":
            raise NotApprovedError(
                f"{group} version {number} is {found['ModelApprovalStatus']}: only an approved "
                f"version is deployed (`boostline models approve {number}`)"
            )
        return found
    latest = latest_approved(target, group)
    if latest is not None:
        return latest
    raise NotApprovedError(
        f"{group} has no approved version: `boostline models list` shows what is there, "
        "`boostline models approve` approves the newest"
    )


def latest_approved(target: Target, group: str) -> dict[str, Any] | None:
    """Return DescribeModelPackage of the latest approved version, or None."""
    summary = next((one for one in versions(target, group) if _is_approved(one)), None)
    return describe(target, summary) if summary else None


def model_uri(package: Mapping[str, Any]) -> str:
    """Return where a version's artifact lies."""
    return str(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])


def twin(target: Target, arn: str) -> int | None:
    """Return the latest of a few earlier versions with the same artifact, or None.

    RegisterModel always runs: a run whose every job was cached registers its artifact once more.
    """
    group, _, number = arn.rpartition(":model-package/")[2].partition("/")
    known = versions(target, group)
    mine = next(one for one in known if one["ModelPackageArn"] == arn)
    uri = model_uri(describe(target, mine))
    earlier = [one for one in known if one["ModelPackageVersion"] < int(number)]
    for other in earlier[:RECENT]:
        if model_uri(describe(target, other)) == uri:
            return int(other["ModelPackageVersion"])
    return None


def passed(package: Mapping[str, Any], stage: str) -> bool:
    """Say whether a version has passed the smoke test of a stage."""
    return _outcome(package, stage).startswith(PASSED)


def record(target: Target, package: Mapping[str, Any], stage: str, good: bool) -> None:
    """Keep the outcome of a stage's smoke test with the version.

    The event that this sends names the metadata as what was updated, not the approval: it starts
    no deployment.
    """
    text = f"{PASSED if good else FAILED} {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    target.client("sagemaker").update_model_package(
        ModelPackageArn=package["ModelPackageArn"],
        CustomerMetadataProperties={_key(stage): text},
    )


def passed_before(target: Target, group: str, stage: str, current: int) -> dict[str, Any]:
    """Return the highest approved version below one that has passed a stage's test.

    Raises
    ------
    NotApprovedError
        If there is none.
    """
    for found in versions(target, group):
        if found["ModelPackageVersion"] < current and _is_approved(found):
            package = describe(target, found)
            if passed(package, stage):
                return package
    raise NotApprovedError(
        f"{group} has no approved version below {current} that has passed {stage}"
    )


def _outcome(package: Mapping[str, Any], stage: str) -> str:
    return str(package.get("CustomerMetadataProperties", {}).get(_key(stage), ""))


def _key(stage: str) -> str:
    return f"boostline:{stage}"


def _is_approved(summary: Mapping[str, Any]) -> bool:
    return bool(summary["ModelApprovalStatus"] == "Approved")


def decide(target: Target, package: dict[str, Any], status: str, reason: str) -> None:
    """Approve or reject a version; `status` is `Approved` or `Rejected`."""
    request = {"ModelPackageArn": package["ModelPackageArn"], "ModelApprovalStatus": status}
    if reason:
        request["ApprovalDescription"] = reason
    target.client("sagemaker").update_model_package(**request)


def describe(target: Target, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return DescribeModelPackage of a version, as it is now, of what is known of it."""
    found: dict[str, Any] = target.client("sagemaker").describe_model_package(
        ModelPackageName=summary["ModelPackageArn"]
    )
    return found
