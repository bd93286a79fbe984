"""Model package groups and model packages."""

from __future__ import annotations

import time

from boostline.contracts.models import service_model
from boostline.local.services.sagemaker.part import (
    Kind,
    Part,
    deleting,
    describing,
    listed,
)
from boostline.local.store.events import iso
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError, invalid
from boostline.local.wire.shapes import known

GROUP = Kind(
    "model-package-group",
    "ModelPackageGroup",
    "ModelPackageGroupSummaryList",
    order="Ascending",
    missing="ModelPackageGroup {arn} does not exist.",
    taken="Model Package Group already exists: {arn}",
)
PACKAGE = Kind(
    "model-package",
    "ModelPackage",
    "ModelPackageSummaryList",
    order="Ascending",
    missing="ModelPackage {arn} does not exist.",
    taken="Model Package already exists: {arn}",
    taken_code="ConflictException",
)
# ModelApprovalStatus → what it can become.
MOVES = {
    "PendingManualApproval": {"PendingManualApproval", "Approved", "Rejected"},
    "Approved": {"Approved", "Rejected"},
    "Rejected": {"Approved", "Rejected"},
}
STATE_CHANGE = "SageMaker Model Package State Change"
TIMES = ("CreationTime", "LastModifiedTime")
# What UpdateModelPackage sets as it is.
CHANGED = ("ApprovalDescription", "InferenceSpecification", "ModelCard", "SourceUri")


class RegistryOperations(Part):
    """The registry. A version of a group is the resource `<group>/<number>`."""

    describe_model_package_group, list_model_package_groups = describing(GROUP), listed(GROUP)
    describe_model_package, delete_model_package = describing(PACKAGE), deleting(PACKAGE)

    def create_model_package_group(self, request: Document) -> Document:
        """Make a group."""
        given = {"ModelPackageGroupStatus": "Completed", "CreatedBy": {}, "LastVersion": 0}
        return self.make(GROUP, request["ModelPackageGroupName"], {**request, **given})

    def delete_model_package_group(self, request: Document) -> Document:
        """Remove a group that has no versions."""
        group = self.get(GROUP, request["ModelPackageGroupName"])
        name = group["ModelPackageGroupName"]
        if self.platform.resources.list(PACKAGE.kind, name):
            raise AwsError(
                "ConflictException",
                f"Model Package Group {group['ModelPackageGroupArn']} cannot be deleted: it "
                "contains model packages; delete these first",
            )
        self.drop(GROUP.kind, name)
        return {}

    def create_model_package(self, request: Document) -> Document:
        """Register a package: the next version of its group, or one with a name of its own."""
        with self.platform.database.transaction():
            token = request.get("ClientToken")
            if (known := self.once("CreateModelPackage", token)) is not None:
                return known
            group, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
            if (group is None) == (name is None):
                raise invalid("Give either ModelPackageGroupName or ModelPackageName, not both")
            versioned = self._next_version(group) if group is not None else {}
            document = {
                **request,
                "ModelPackageStatus": "Completed",
                "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
                "CreatedBy": {},
                **versioned,
            }
            if versioned:
                document.setdefault("ModelApprovalStatus", "PendingManualApproval")
                name = "{ModelPackageGroupName}/{ModelPackageVersion}".format(**versioned)
            parent = versioned.get("ModelPackageGroupName", "")
            made = self.make(PACKAGE, str(name), document, parent)
            self._tell(self.platform.resources.get(PACKAGE.kind, str(name)), [])
            return self.note("CreateModelPackage", token, **made)

    def list_model_packages(self, request: Document) -> Document:
        """Return packages, oldest first unless asked otherwise; without a group, unversioned."""
        parent, wanted = None, request.get("ModelPackageType", "Unversioned")
        if "ModelPackageGroupName" in request:
            group = self.get(GROUP, request["ModelPackageGroupName"])
            parent, wanted = group["ModelPackageGroupName"], "Versioned"
        found = [
            document
            for document in self.platform.resources.list(PACKAGE.kind, parent)
            if wanted == "Both" or (wanted == "Versioned") == ("ModelPackageVersion" in document)
        ]
        return PACKAGE.page(found, request)

    def update_model_package(self, request: Document) -> Document:
        """Change approval or metadata of a package."""
        package = self.get(PACKAGE, request["ModelPackageArn"])

        def change(document: Document) -> None:
            if "ModelApprovalStatus" in request:
                _approve(document, request["ModelApprovalStatus"])
            metadata = document.get("CustomerMetadataProperties", {})
            metadata |= request.get("CustomerMetadataProperties", {})
            for key in request.get("CustomerMetadataPropertiesToRemove", []):
                metadata.pop(key, None)
            if metadata:
                document["CustomerMetadataProperties"] = metadata
            document |= {member: request[member] for member in CHANGED if member in request}
            more = request.get("AdditionalInferenceSpecificationsToAdd")
            if more:
                document.setdefault("AdditionalInferenceSpecifications", []).extend(more)
            document["LastModifiedTime"] = time.time()

        with self.platform.database.transaction():
            name = package["ModelPackageName"]
            changed = self.platform.resources.change(PACKAGE.kind, name, change)
            self._tell(changed, sorted(request.keys() - {"ModelPackageArn", "ClientToken"}))
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def _tell(self, package: Document, updated: list[str]) -> None:
        """Send the event of a change; `updated` are the members that it set."""
        shape = service_model("sagemaker").operation_model("DescribeModelPackage").output_shape
        detail = known(shape, package)
        detail |= {member: iso(detail[member]) for member in TIMES}
        fields = {"UpdatedModelPackageFields": updated} if updated else {}
        self.platform.events.put(STATE_CHANGE, detail | fields, [package["ModelPackageArn"]])

    def _next_version(self, name_or_arn: str) -> Document:
        group = self.get(GROUP, name_or_arn)["ModelPackageGroupName"]

        def count(document: Document) -> None:
            document["LastVersion"] += 1

        version = self.platform.resources.change(GROUP.kind, group, count)["LastVersion"]
        return {"ModelPackageGroupName": group, "ModelPackageVersion": version}


def _approve(document: Document, wanted: str) -> None:
    found = document.get("ModelApprovalStatus", "PendingManualApproval")
    if wanted not in MOVES[found]:
        raise invalid(
            f"ModelApprovalStatus of {document['ModelPackageArn']} cannot change from {found} to "
            f"{wanted}; it can become: {', '.join(sorted(MOVES[found]))}"
        )
    document["ModelApprovalStatus"] = wanted
