"""Endpoint configurations and endpoints."""

from __future__ import annotations

import time

from boostline.local.hosting.endpoints import ENDPOINT, Endpoints
from boostline.local.services.sagemaker.listing import Listing, listing
from boostline.local.services.sagemaker.models import MODEL
from boostline.local.services.sagemaker.part import Document, Part, exists
from boostline.local.wire.errors import invalid

CONFIG = "endpoint-config"
CONFIGS = Listing("EndpointConfigs", "EndpointConfigName", order="Descending")
ENDPOINTS = Listing("Endpoints", "EndpointName", "EndpointStatus", order="Descending")
NOT_HERE = ("AsyncInferenceConfig", "ShadowProductionVariants", "ExplainerConfig")
CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
HEALTH_TIMEOUT = 480


class EndpointOperations(Part):
    """Endpoints; hosting starts what they need. A variant has one process, whatever its count."""

    endpoints: Endpoints

    def create_endpoint_config(self, request: Document) -> Document:
        """Make a configuration."""
        for member in NOT_HERE:
            if request.get(member):
                raise invalid(f"{member}: the local platform does not have this")
        if request.get("DataCaptureConfig", {}).get("EnableCapture"):
            raise invalid("DataCaptureConfig: the local platform captures no data")
        names = [variant["VariantName"] for variant in request["ProductionVariants"]]
        if len(set(names)) != len(names):
            raise invalid(f"Two production variants have the same name: {', '.join(names)}")
        variants = [{"InitialVariantWeight": 1.0, **v} for v in request["ProductionVariants"]]
        if not any(variant["InitialVariantWeight"] > 0 for variant in variants):
            raise invalid("At least one production variant needs a weight above 0")
        for variant in variants:
            self._model(variant)
        name = request["EndpointConfigName"]
        arn = self.arn(f"{CONFIG}/{name}")
        document = {**request, "EndpointConfigArn": arn, "ProductionVariants": variants}
        self.add(CONFIG, name, document, exists("endpoint configuration", arn))
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, request: Document) -> Document:
        """Return a configuration."""
        return self._config(request["EndpointConfigName"])

    def list_endpoint_configs(self, request: Document) -> Document:
        """Return configurations, newest first unless asked otherwise."""
        return listing(CONFIGS, self.platform.resources.list(CONFIG), request)

    def delete_endpoint_config(self, request: Document) -> Document:
        """Remove a configuration; endpoints made with it go on."""
        self._config(request["EndpointConfigName"])
        self.drop(CONFIG, request["EndpointConfigName"])
        return {}

    def create_endpoint(self, request: Document) -> Document:
        """Make an endpoint, and begin to start its servers."""
        name = request["EndpointName"]
        arn = self.arn(f"{ENDPOINT}/{name}")
        wanted = self._wanted(request["EndpointConfigName"])
        document = {
            **request,
            "EndpointArn": arn,
            "EndpointStatus": "Creating",
            "Wanted": wanted,
        }
        if "DeploymentConfig" in request:
            document["LastDeploymentConfig"] = request["DeploymentConfig"]
        self.add(ENDPOINT, name, document, exists(ENDPOINT, arn))
        self.endpoints.change(name)
        return {"EndpointArn": arn}

    def update_endpoint(self, request: Document) -> Document:
        """Begin to start the servers of another configuration; traffic moves once all are up."""
        name = request["EndpointName"]
        endpoint = self.the(ENDPOINT, name)
        wanted = self._wanted(request["EndpointConfigName"])

        def update(document: Document) -> None:
            if document["EndpointStatus"] in CHANGING:
                raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
            document["EndpointStatus"], document["Wanted"] = "Updating", wanted
            document["LastModifiedTime"] = time.time()
            if "DeploymentConfig" in request:
                document["LastDeploymentConfig"] = request["DeploymentConfig"]

        self.platform.resources.change(ENDPOINT, name, update)
        self.endpoints.change(name)
        return {"EndpointArn": endpoint["EndpointArn"]}

    def describe_endpoint(self, request: Document) -> Document:
        """Return an endpoint."""
        return self.the(ENDPOINT, request["EndpointName"])

    def list_endpoints(self, request: Document) -> Document:
        """Return endpoints, newest first unless asked otherwise."""
        return listing(ENDPOINTS, self.platform.resources.list(ENDPOINT), request)

    def delete_endpoint(self, request: Document) -> Document:
        """Begin to end an endpoint: requests in flight are answered."""
        name = request["EndpointName"]
        with self.platform.database.transaction():
            status = self.the(ENDPOINT, name)["EndpointStatus"]
            self.platform.resources.update(ENDPOINT, name, EndpointStatus="Deleting")
        if status != "Deleting":
            self.endpoints.delete(name)
        return {}

    def _config(self, name: str) -> Document:
        arn = self.arn(f"{CONFIG}/{name}")
        return self.the(CONFIG, name, invalid(f'Could not find endpoint configuration "{arn}".'))

    def _model(self, variant: Document) -> Document:
        if "ModelName" not in variant:
            raise invalid(f"Variant {variant['VariantName']}: a ModelName is needed here")
        return self.the(MODEL, variant["ModelName"])

    def _wanted(self, name: str) -> Document:
        """Return what an endpoint of a configuration is to become; see `Endpoints`."""
        variants = self._config(name)["ProductionVariants"]
        containers = [self._model(variant)["Resolved"] for variant in variants]
        return {
            "EndpointConfigName": name,
            "ProductionVariants": list(map(_described, variants, containers)),
            "Fleet": list(map(_started, variants, containers)),
        }


def _started(variant: Document, container: Document) -> Document:
    """Return a variant as `Fleet` takes it."""
    timeout = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", HEALTH_TIMEOUT)
    return {
        "VariantName": variant["VariantName"],
        "Weight": variant["InitialVariantWeight"],
        "Container": {**container, "timeout": timeout},
    }


def _described(variant: Document, container: Document) -> Document:
    """Return a variant as DescribeEndpoint shows it."""
    weight, count = variant["InitialVariantWeight"], variant.get("InitialInstanceCount", 1)
    image = {
        "SpecifiedImage": container["image"],
        "ResolvedImage": container["image"],
        "ResolutionTime": time.time(),
    }
    return {
        "VariantName": variant["VariantName"],
        "DeployedImages": [image],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
    }
