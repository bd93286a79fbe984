"""Model package groups and model packages."""

from __future__ import annotations

import time

from boostline.local.services.sagemaker.listing import Listing, listing
from boostline.local.services.sagemaker.part import Document, Part, could_not_find, last_part
from boostline.local.wire.errors import AwsError, invalid

GROUP, PACKAGE = "model-package-group", "model-package"
GROUPS = Listing("ModelPackageGroupSummaryList", "ModelPackageGroupName", "ModelPackageGroupStatus")
PACKAGES = Listing("ModelPackageSummaryList", "ModelPackageName", "ModelPackageStatus")

MOVES = {
    "PendingManualApproval": {"PendingManualApproval", "Approved", "Rejected"},
    "Approved": {"Approved", "Rejected"},
    "Rejected": {"Approved", "Rejected"},
}


class RegistryOperations(Part):
    """The registry. A version of a group is the resource `<group>/<number>`."""

    def create_model_package_group(self, request: Document) -> Document:
        """Make a group."""
        name = request["ModelPackageGroupName"]
        arn = self.arn(f"{GROUP}/{name}")
        document = {
            **request,
            "ModelPackageGroupArn": arn,
            "ModelPackageGroupStatus": "Completed",
            "CreatedBy": {},
            "LastVersion": 0,
        }
        taken = invalid(f"Model Package Group already exists: {arn}")
        return {"ModelPackageGroupArn": self.add(GROUP, name, document, taken)}

    def describe_model_package_group(self, request: Document) -> Document:
        """Return a group, by name or ARN."""
        return self._group(request["ModelPackageGroupName"])

    def list_model_package_groups(self, request: Document) -> Document:
        """Return groups, oldest first unless asked otherwise."""
        return listing(GROUPS, self.platform.resources.list(GROUP), request)

    def delete_model_package_group(self, request: Document) -> Document:
        """Remove a group that has no versions."""
        group = self._group(request["ModelPackageGroupName"])
        name = group["ModelPackageGroupName"]
        if self.platform.resources.list(PACKAGE, name):
            raise AwsError(
                "ConflictException",
                f"Model Package Group {group['ModelPackageGroupArn']} cannot be deleted: it "
                "contains model packages; delete these first",
            )
        self.drop(GROUP, name)
        return {}

    def create_model_package(self, request: Document) -> Document:
        """Register a package: the next version of its group, or one with a name of its own."""
        with self.platform.database.transaction():
            known = self.once("CreateModelPackage", request.get("ClientToken"))
            if known is not None:
                return known
            group, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
            if (group is None) == (name is None):
                raise invalid("Give either ModelPackageGroupName or ModelPackageName, not both")
            if group is None:
                arn = self._add_package(str(name), request)
            else:
                arn = self._add_version(last_part(group), request)
            return self.note("CreateModelPackage", request.get("ClientToken"), ModelPackageArn=arn)

    def describe_model_package(self, request: Document) -> Document:
        """Return a package, by ARN or by the name of one without a group."""
        return self._package(request["ModelPackageName"])

    def list_model_packages(self, request: Document) -> Document:
        """Return packages, oldest first unless asked otherwise; without a group, unversioned."""
        group = request.get("ModelPackageGroupName")
        if group is not None:
            parent = self._group(group)["ModelPackageGroupName"]
            return listing(PACKAGES, self.platform.resources.list(PACKAGE, parent), request)
        wanted = request.get("ModelPackageType", "Unversioned")
        found = [
            document
            for document in self.platform.resources.list(PACKAGE)
            if wanted == "Both" or (wanted == "Versioned") == ("ModelPackageVersion" in document)
        ]
        return listing(PACKAGES, found, request)

    def update_model_package(self, request: Document) -> Document:
        """Change approval or metadata of a package."""
        package = self._package(request["ModelPackageArn"])

        def change(document: Document) -> None:
            _approve(document, request)
            metadata = document.get("CustomerMetadataProperties", {})
            metadata |= request.get("CustomerMetadataProperties", {})
            for key in request.get("CustomerMetadataPropertiesToRemove", []):
                metadata.pop(key, None)
            if metadata:
                document["CustomerMetadataProperties"] = metadata
            for member in ("InferenceSpecification", "SourceUri", "ModelCard", "ModelLifeCycle"):
                if member in request:
                    document[member] = request[member]
            more = request.get("AdditionalInferenceSpecificationsToAdd")
            if more:
                document.setdefault("AdditionalInferenceSpecifications", []).extend(more)
            document["LastModifiedTime"] = time.time()

        self.platform.resources.change(PACKAGE, _name(package), change)
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def delete_model_package(self, request: Document) -> Document:
        """Remove a package; its version number is not given again."""
        self.drop(PACKAGE, _name(self._package(request["ModelPackageName"])))
        return {}

    def _add_version(self, group: str, request: Document) -> str:
        self._group(group)

        def count(document: Document) -> None:
            document["LastVersion"] += 1

        version = self.platform.resources.change(GROUP, group, count)["LastVersion"]
        return self._add_package(
            f"{group}/{version}",
            {
                "ModelApprovalStatus": "PendingManualApproval",
                **request,
                "ModelPackageName": f"{group}/{version}",
                "ModelPackageGroupName": group,
                "ModelPackageVersion": version,
            },
        )

    def _add_package(self, name: str, request: Document) -> str:
        arn = self.arn(f"{PACKAGE}/{name}")
        document = {
            **request,
            "ModelPackageName": name,
            "ModelPackageArn": arn,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CreatedBy": {},
        }
        document.pop("ClientToken", None)
        taken = AwsError("ConflictException", f"Model Package already exists: {arn}")
        return self.add(PACKAGE, name, document, taken, document.get("ModelPackageGroupName", ""))

    def _group(self, name_or_arn: str) -> Document:
        name = last_part(name_or_arn)
        missing = invalid(f"ModelPackageGroup {self.arn(f'{GROUP}/{name}')} does not exist.")
        return self.the(GROUP, name, missing)

    def _package(self, name_or_arn: str) -> Document:
        name = name_or_arn.partition(f":{PACKAGE}/")[2] or name_or_arn
        arn = self.arn(f"{PACKAGE}/{name}")
        missing = invalid(f"ModelPackage {arn} does not exist.")
        if name_or_arn.startswith("arn:") and name_or_arn != arn:
            raise could_not_find(PACKAGE, name_or_arn)
        return self.the(PACKAGE, name, missing)


def _name(package: Document) -> str:
    return str(package["ModelPackageName"])


def _approve(document: Document, request: Document) -> None:
    wanted = request.get("ModelApprovalStatus")
    if wanted is not None:
        found = document.get("ModelApprovalStatus", "PendingManualApproval")
        if wanted not in MOVES[found]:
            raise invalid(
                f"ModelApprovalStatus of {document['ModelPackageArn']} cannot change from "
                f"{found} to {wanted}; it can become: {', '.join(sorted(MOVES[found]))}"
            )
        document["ModelApprovalStatus"] = wanted
    if "ApprovalDescription" in request:
        document["ApprovalDescription"] = request["ApprovalDescription"]
