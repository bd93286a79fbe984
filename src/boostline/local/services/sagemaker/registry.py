"""Model package groups and model packages."""

from __future__ import annotations

import time

from boostline.contracts.models import service_model
from boostline.local.services.sagemaker.part import Kind, Part, Rules, once, require
from boostline.local.store.events import iso
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError, invalid
from boostline.local.wire.shapes import known

GROUP = Kind(
    "ModelPackageGroup",
    order="Ascending",
    missing="ModelPackageGroup {arn} does not exist.",
    taken="Model Package Group already exists: {arn}",
)
PACKAGE = Kind(
    "ModelPackage",
    order="Ascending",
    missing="ModelPackage {arn} does not exist.",
)
# A package belongs to a group, and has one specification.
RULES: Rules = {"AdditionalInferenceSpecificationsToAdd": (None,), "ModelPackageName": (None,)}
STATE_CHANGE = "SageMaker Model Package State Change"
TIMES = ("CreationTime", "LastModifiedTime")
METADATA = "CustomerMetadataProperties"


class RegistryOperations(Part):
    """The registry. A version of a group is the resource `<group>/<number>`."""

    describe_model_package_group, list_model_package_groups = GROUP.describing(), GROUP.listing()
    describe_model_package, delete_model_package = PACKAGE.describing(), PACKAGE.deleting()

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
        self.platform.resources.delete(GROUP.kind, name)
        return {}

    @once
    def create_model_package(self, request: Document) -> Document:
        """Register the next version of a group."""
        require(request, RULES)
        group = self.get(GROUP, request.get("ModelPackageGroupName", ""))["ModelPackageGroupName"]
        version = self.platform.resources.change(GROUP.kind, group, _count)["LastVersion"]
        name = f"{group}/{version}"
        document = {
            "ModelApprovalStatus": "PendingManualApproval",
            **request,
            "ModelPackageGroupName": group,
            "ModelPackageVersion": version,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CreatedBy": {},
        }
        made = self.make(PACKAGE, name, document, group)
        self._tell(self.platform.resources.get(PACKAGE.kind, name), [])
        return made

    def list_model_packages(self, request: Document) -> Document:
        """Return packages, oldest first unless asked otherwise.

        Without a group AWS lists those that are in none unless asked otherwise; here are none.
        """
        if "ModelPackageGroupName" in request:
            group = self.get(GROUP, request["ModelPackageGroupName"])["ModelPackageGroupName"]
        elif request.get("ModelPackageType", "Unversioned") == "Unversioned":
            return PACKAGE.listed([], request)
        else:
            group = None
        return PACKAGE.listed(self.platform.resources.list(PACKAGE.kind, group), request)

    def update_model_package(self, request: Document) -> Document:
        """Change approval or metadata of a package."""
        require(request, RULES)
        package = self.get(PACKAGE, request["ModelPackageArn"])

        def change(document: Document) -> None:
            if "ModelApprovalStatus" in request:
                _approve(document, request["ModelApprovalStatus"])
            metadata = document.get(METADATA, {}) | request.get(METADATA, {})
            gone = request.get(f"{METADATA}ToRemove", [])
            kept = {key: metadata[key] for key in metadata if key not in gone}
            document |= request | ({METADATA: kept} if metadata else {})
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


def _count(group: Document) -> None:
    group["LastVersion"] += 1


def _approve(document: Document, wanted: str) -> None:
    found, undecided = document["ModelApprovalStatus"], "PendingManualApproval"
    if wanted == undecided != found:
        raise invalid(
            f"ModelApprovalStatus of {document['ModelPackageArn']} cannot change from {found} to "
            f"{wanted}; it can become: Approved, Rejected"
        )
    document["ModelApprovalStatus"] = wanted
