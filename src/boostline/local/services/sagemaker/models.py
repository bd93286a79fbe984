"""Models: containers with their data, by themselves or from a model package."""

from __future__ import annotations

from boostline.local.runners.images import UnknownImage, resolve
from boostline.local.services.sagemaker.listing import Listing, listing
from boostline.local.services.sagemaker.part import Document, exists
from boostline.local.services.sagemaker.registry import RegistryOperations
from boostline.local.store.objects import NoSuchBucket, split_uri
from boostline.local.wire.errors import invalid

MODEL = "model"
MODELS = Listing("Models", "ModelName", order="Descending")


class ModelOperations(RegistryOperations):
    """Models. `Resolved` in a document is what its container runs: no later change touches it."""

    def create_model(self, request: Document) -> Document:
        """Make a model of one container."""
        name = request["ModelName"]
        containers = [*request.get("Containers", [])]
        if "PrimaryContainer" in request:
            containers.append(request["PrimaryContainer"])
        if len(containers) != 1:
            raise invalid(
                f"Model {name}: the local platform serves models of exactly one container; "
                f"found {len(containers)}"
            )
        arn = self.arn(f"{MODEL}/{name}")
        document = {**request, "ModelArn": arn, "Resolved": self._resolved(containers[0])}
        self.add(MODEL, name, document, exists(MODEL, arn))
        return {"ModelArn": arn}

    def describe_model(self, request: Document) -> Document:
        """Return a model."""
        return self.the(MODEL, request["ModelName"])

    def list_models(self, request: Document) -> Document:
        """Return models, newest first unless asked otherwise."""
        return listing(MODELS, self.platform.resources.list(MODEL), request)

    def delete_model(self, request: Document) -> Document:
        """Remove a model; endpoints that serve it go on."""
        self.the(MODEL, request["ModelName"])
        self.drop(MODEL, request["ModelName"])
        return {}

    def _resolved(self, container: Document) -> Document:
        """Return image, data and environment, those of a package completed by the container's."""
        found = dict(container)
        if "ModelPackageName" in container:
            found = self._packaged(container["ModelPackageName"])
            found["Environment"] = {
                **found.get("Environment", {}),
                **container.get("Environment", {}),
            }
        if container.get("Mode", "SingleModel") != "SingleModel":
            raise invalid(f"Mode {container['Mode']}: the local platform serves SingleModel")
        if "Image" not in found:
            raise invalid("A container needs an Image, or a ModelPackageName")
        try:
            resolve(self.platform.settings.images, found["Image"])
        except UnknownImage as error:
            raise invalid(str(error)) from None
        data, packed = _data(found)
        self._require_data(data)
        return {
            "image": found["Image"],
            "data": data,
            "packed": packed,
            "environment": found.get("Environment", {}),
        }

    def _packaged(self, name: str) -> Document:
        package = self.describe_model_package({"ModelPackageName": name})
        status = package.get("ModelApprovalStatus", "Approved")
        if status != "Approved":
            raise invalid(
                f"Cannot create a model from {package['ModelPackageArn']}: its approval status "
                f"is {status}, and must be Approved"
            )
        containers = package.get("InferenceSpecification", {}).get("Containers", [])
        if len(containers) != 1:
            raise invalid(
                f"{package['ModelPackageArn']}: the local platform serves packages of exactly one "
                f"container; found {len(containers)}"
            )
        return dict(containers[0])

    def _require_data(self, uri: str) -> None:
        if not uri:
            return
        try:
            if any(self.platform.objects.list(*split_uri(uri), limit=1)):
                return
        except NoSuchBucket:
            pass
        except ValueError as error:
            raise invalid(f"ModelDataUrl: {error}") from None
        raise invalid(f"Could not find model data at {uri}.")


def _data(container: Document) -> tuple[str, bool]:
    """Return the URI of a container's data, and whether it is a packed file."""
    if "ModelDataSource" not in container:
        return str(container.get("ModelDataUrl", "")), True
    source = container["ModelDataSource"].get("S3DataSource")
    if source is None:
        raise invalid("ModelDataSource: the local platform has S3DataSource")
    return str(source["S3Uri"]), source["CompressionType"] == "Gzip"
