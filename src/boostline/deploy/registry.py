"""The registry: a project's versions, and which of them may be deployed."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from boostline.contracts.errors import BoostlineError
from boostline.project.target import Target

RECENT = 5


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
            return _describe(target, found)
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
    found = (one for one in versions(target, group) if one["ModelApprovalStatus"] == "Approved")
    summary = next(found, None)
    return _describe(target, summary) if summary else None


def model_uri(package: dict[str, Any]) -> str:
    """Return where a version's artifact lies."""
    return str(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])


def twin(target: Target, arn: str) -> int | None:
    """Return the latest of a few earlier versions with the same artifact, or None.

    RegisterModel always runs: a run whose every job was cached registers its artifact once more.
    """
    group, _, number = arn.rpartition(":model-package/")[2].partition("/")
    known = versions(target, group)
    mine = next(one for one in known if one["ModelPackageArn"] == arn)
    uri = model_uri(_describe(target, mine))
    earlier = [one for one in known if one["ModelPackageVersion"] < int(number)]
    for other in earlier[:RECENT]:
        if model_uri(_describe(target, other)) == uri:
            return int(other["ModelPackageVersion"])
    return None


def decide(target: Target, package: dict[str, Any], status: str, reason: str) -> None:
    """Approve or reject a version; `status` is `Approved` or `Rejected`."""
    request = {"ModelPackageArn": package["ModelPackageArn"], "ModelApprovalStatus": status}
    if reason:
        request["ApprovalDescription"] = reason
    target.client("sagemaker").update_model_package(**request)


def _describe(target: Target, summary: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = target.client("sagemaker").describe_model_package(
        ModelPackageName=summary["ModelPackageArn"]
    )
    return found
