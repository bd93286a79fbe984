"""Models: containers with their data, by themselves or from a model package."""

from __future__ import annotations

from boostline.contracts.uri import split_uri
from boostline.local.services.sagemaker.part import Kind, Rules, refuse, require
from boostline.local.services.sagemaker.registry import PACKAGE, RegistryOperations
from boostline.local.store.objects import NoSuchBucket
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid

MODEL = Kind("Model")
CONTAINER_RULES: Rules = {"Mode": (None, "SingleModel"), "ModelDataSource": (None,)}


class ModelOperations(RegistryOperations):
    """Models; endpoints and jobs of a deleted one go on.

    `Resolved` in a document is what its container runs: no later change touches it.
    """

    describe_model, list_models = MODEL.describing(), MODEL.listing()
    delete_model = MODEL.deleting()

    def create_model(self, request: Document) -> Document:
        """Make a model of one container."""
        name = request["ModelName"]
        containers = [*request.get("Containers", [])]
        if "PrimaryContainer" in request:
            containers.append(request["PrimaryContainer"])
        container = _only(f"Model {name}", containers)
        return self.make(MODEL, name, {**request, "Resolved": self._resolved(container)})

    def _resolved(self, container: Document) -> Document:
        """Return image, data and environment, those of a package completed by the container's."""
        found, package = container, {}
        if "ModelPackageName" in container:
            found = package = self._packaged(container["ModelPackageName"])
        require(container, CONTAINER_RULES)
        require(found, CONTAINER_RULES)
        if "Image" not in found:
            raise invalid("A container needs an Image, or a ModelPackageName")
        refuse(self.image_refusals(found["Image"]))
        data = found.get("ModelDataUrl", "")
        self._require_data(data)
        environment = {**package.get("Environment", {}), **container.get("Environment", {})}
        return {"image": found["Image"], "data": data, "environment": environment}

    def _packaged(self, name: str) -> Document:
        package = self.get(PACKAGE, name)
        status, arn = package["ModelApprovalStatus"], package["ModelPackageArn"]
        if status != "Approved":
            raise invalid(
                f"Cannot create a model from {arn}: its approval status is {status}, and must be "
                "Approved"
            )
        return _only(arn, package.get("InferenceSpecification", {}).get("Containers", []))

    def _require_data(self, uri: str) -> None:
        try:
            if not uri or any(self.platform.objects.list(*split_uri(uri), limit=1)):
                return
        except NoSuchBucket:
            pass
        except ValueError as error:
            raise invalid(f"ModelDataUrl: {error}") from None
        raise invalid(f"Could not find model data at {uri}.")


def _only(what: str, containers: list[Document]) -> Document:
    if len(containers) != 1:
        raise invalid(
            f"{what}: the local platform serves exactly one container; found {len(containers)}"
        )
    return containers[0]
