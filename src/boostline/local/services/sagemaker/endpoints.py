"""Endpoint configurations and endpoints."""

from __future__ import annotations

import time
from typing import Any

from boostline.contracts.uri import split_uri
from boostline.local.hosting.endpoints import Endpoints
from boostline.local.hosting.rollout import BadRollout, Rollout
from boostline.local.services.sagemaker.listing import Kind
from boostline.local.services.sagemaker.models import MODEL
from boostline.local.services.sagemaker.part import Part, deleting, describing, listed
from boostline.local.store.objects import NoSuchBucket
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid

CONFIG = Kind(
    "EndpointConfig",
    missing='Could not find endpoint configuration "{arn}".',
    taken='Cannot create already existing endpoint configuration "{arn}".',
)
ENDPOINT = Kind("Endpoint")
NOT_HERE = ("AsyncInferenceConfig", "ShadowProductionVariants", "ExplainerConfig")
CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
HEALTH_TIMEOUT = 480
# What UpdateEndpoint can retain of a variant → its members in DescribeEndpoint.
PROPERTIES = {
    "DesiredWeight": ("CurrentWeight", "DesiredWeight"),
    "DesiredInstanceCount": ("CurrentInstanceCount", "DesiredInstanceCount"),
}


class EndpointOperations(Part):
    """Endpoints; hosting starts what they need. A variant has one process, whatever its count.

    Endpoints made with a configuration that is deleted go on.
    """

    endpoints: Endpoints

    describe_endpoint_config, list_endpoint_configs = describing(CONFIG), listed(CONFIG)
    delete_endpoint_config = deleting(CONFIG)
    describe_endpoint, list_endpoints = describing(ENDPOINT), listed(ENDPOINT)

    def create_endpoint_config(self, request: Document) -> Document:
        """Make a configuration."""
        for member in NOT_HERE:
            if request.get(member):
                raise invalid(f"{member}: the local platform does not have this")
        names = [variant["VariantName"] for variant in request["ProductionVariants"]]
        if len(set(names)) != len(names):
            raise invalid(f"Two production variants have the same name: {', '.join(names)}")
        variants = [{"InitialVariantWeight": 1.0, **v} for v in request["ProductionVariants"]]
        _require_weight(variants, "InitialVariantWeight")
        for variant in variants:
            if "ModelName" not in variant:
                raise invalid(f"Variant {variant['VariantName']}: a ModelName is needed here")
            self.get(MODEL, variant["ModelName"])
        if "DataCaptureConfig" in request:
            self._require_bucket(request["DataCaptureConfig"]["DestinationS3Uri"])
        document = {**request, "ProductionVariants": variants}
        return self.make(CONFIG, request["EndpointConfigName"], document)

    def create_endpoint(self, request: Document) -> Document:
        """Make an endpoint, and begin to start its servers."""
        name, wanted = request["EndpointName"], self._wanted(request["EndpointConfigName"])
        how = request.get("DeploymentConfig")  # which only an update follows
        _rollout(how, wanted)
        document = {**request, "EndpointStatus": "Creating", "Wanted": wanted}
        document["LastDeploymentConfig"] = how
        answer = self.make(ENDPOINT, name, document)
        self.endpoints.change(name)
        return answer

    def update_endpoint(self, request: Document) -> Document:
        """Begin to start the servers of another configuration; traffic moves once all are up."""
        endpoint = self.get(ENDPOINT, request["EndpointName"])
        wanted = self._wanted(request["EndpointConfigName"])
        self._require_scaled(endpoint, wanted)
        if request.get("RetainAllVariantProperties"):
            given_up = request.get("ExcludeRetainedVariantProperties", [])
            _retain(endpoint, wanted, {each["VariantPropertyType"] for each in given_up})
            _require_weight(wanted["ProductionVariants"], "CurrentWeight")
        how = request.get("DeploymentConfig")
        if how is None and request.get("RetainDeploymentConfig"):
            how = endpoint.get("LastDeploymentConfig")
        self._require_alarms(_rollout(how, wanted).alarms)
        return self._change(endpoint, {**wanted, "DeploymentConfig": how}, LastDeploymentConfig=how)

    def update_endpoint_weights_and_capacities(self, request: Document) -> Document:
        """Share the traffic anew among the variants that are there."""
        endpoint = self.get(ENDPOINT, request["EndpointName"])
        if "Deployed" not in endpoint:
            raise invalid(f"Endpoint {endpoint['EndpointArn']} is {endpoint['EndpointStatus']}")
        wanted = {**endpoint["Deployed"], "Kept": True}
        variants = {each["VariantName"]: each for each in wanted["ProductionVariants"]}
        for asked in request["DesiredWeightsAndCapacities"]:
            variant = variants.get(asked["VariantName"])
            if variant is None:
                raise invalid(f'Could not find variant "{asked["VariantName"]}" of the endpoint')
            for property_, members in PROPERTIES.items():
                if property_ in asked:
                    variant |= dict.fromkeys(members, asked[property_])
        _require_weight(wanted["ProductionVariants"], "CurrentWeight")
        return self._change(endpoint, wanted)

    def delete_endpoint(self, request: Document) -> Document:
        """Begin to end an endpoint: requests in flight are answered."""
        name = request["EndpointName"]
        with self.platform.database.transaction():
            status = self.get(ENDPOINT, name)["EndpointStatus"]
            self.platform.resources.update(ENDPOINT.kind, name, EndpointStatus="Deleting")
        if status != "Deleting":
            self.endpoints.delete(name)
        return {}

    def _change(self, endpoint: Document, wanted: Document, **members: Any) -> Document:
        """Begin to make an endpoint what is wanted; see `Endpoints`."""
        name = endpoint["EndpointName"]
        with self.platform.database.transaction():
            found = self.get(ENDPOINT, name)
            if found["EndpointStatus"] in CHANGING:
                raise invalid(f'Cannot update in-progress endpoint "{found["EndpointArn"]}".')
            pending = {m: wanted[m] for m in ("EndpointConfigName", "ProductionVariants")}
            found |= members | {
                "EndpointStatus": "Updating",
                "Wanted": wanted,
                "PendingDeploymentSummary": {**pending, "StartTime": time.time()},
                "LastModifiedTime": time.time(),
            }
            found.pop("FailureReason", None)  # an earlier update's
            self.platform.resources.put(ENDPOINT.kind, name, found)
        self.endpoints.change(name)
        return {"EndpointArn": endpoint["EndpointArn"]}

    def _wanted(self, name: str) -> Document:
        """Return what an endpoint of a configuration is to become; see `Endpoints`."""
        config = self.get(CONFIG, name)
        containers, variants = {}, []
        for variant in config["ProductionVariants"]:
            container = self.get(MODEL, variant["ModelName"])["Resolved"]
            timeout = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", HEALTH_TIMEOUT)
            containers[variant["VariantName"]] = {**container, "timeout": timeout}
            variants.append(_described(variant, container))
        capture = config.get("DataCaptureConfig")
        return {
            "EndpointConfigName": name,
            "ProductionVariants": variants,
            "Containers": containers,
            "DataCaptureConfig": capture and _capturing(capture),
        }

    def _require_scaled(self, endpoint: Document, wanted: Document) -> None:
        """Refuse to take away what autoscaling is registered for, or to change its type."""
        types = {each["VariantName"]: each["InstanceType"] for each in wanted["ProductionVariants"]}
        for variant in endpoint.get("ProductionVariants") or []:
            name, type_ = variant["VariantName"], variant.get("InstanceType")
            target = f"endpoint/{endpoint['EndpointName']}/variant/{name}"
            scaled = self.platform.resources.find("scalable-target", target)
            if scaled is not None and types.get(name) != type_:
                raise invalid(
                    f"{target} is registered as a scalable target with instance type {type_}: "
                    "deregister it before the variant goes or gets another type"
                )

    def _require_alarms(self, names: tuple[str, ...]) -> None:
        asked = {"AlarmNames": list(names)}
        answer = self.platform.call("cloudwatch", "DescribeAlarms", asked) if names else {}
        found = {alarm["AlarmName"] for alarm in answer.get("MetricAlarms", [])}
        if unknown := set(names) - found:
            raise invalid(
                f"AutoRollbackConfiguration: there is no alarm {', '.join(sorted(unknown))}, so "
                "nothing would roll the update back; make it first"
            )

    def _require_bucket(self, uri: str) -> None:
        try:
            self.platform.objects.require_bucket(split_uri(uri)[0])
        except (NoSuchBucket, ValueError) as error:
            raise invalid(f"DestinationS3Uri {uri}: there is no such bucket ({error})") from None


def _rollout(how: Document | None, wanted: Document) -> Rollout:
    counts = [variant["DesiredInstanceCount"] for variant in wanted["ProductionVariants"]]
    try:
        return Rollout.of(how, counts)
    except BadRollout as error:
        raise invalid(f"DeploymentConfig: {error}") from None


def _require_weight(variants: list[Document], member: str) -> None:
    if not any(variant[member] > 0 for variant in variants):
        raise invalid("At least one production variant needs a weight above 0")


def _described(variant: Document, container: Document) -> Document:
    """Return a variant as DescribeEndpoint shows it."""
    weight, count = variant["InitialVariantWeight"], variant.get("InitialInstanceCount", 1)
    image = dict.fromkeys(("SpecifiedImage", "ResolvedImage"), container["image"])
    return {
        "VariantName": variant["VariantName"],
        "InstanceType": variant.get("InstanceType"),
        "DeployedImages": [{**image, "ResolutionTime": time.time()}],
        **dict.fromkeys(PROPERTIES["DesiredWeight"], weight),
        **dict.fromkeys(PROPERTIES["DesiredInstanceCount"], count),
    }


def _capturing(config: Document) -> Document:
    """Return a DataCaptureConfig with what DescribeEndpoint shows of it."""
    on = config.get("EnableCapture", True)
    return {
        "KmsKeyId": "",
        **config,
        "EnableCapture": on,
        "CaptureStatus": "Started" if on else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
    }


def _retain(endpoint: Document, wanted: Document, given_up: set[str]) -> None:
    """Let variants of the same names, and the capture, go on as they are."""
    before = {variant["VariantName"]: variant for variant in endpoint.get("ProductionVariants", [])}
    for variant in wanted["ProductionVariants"]:
        for property_, members in PROPERTIES.items():
            if variant["VariantName"] in before and property_ not in given_up:
                variant |= {name: before[variant["VariantName"]][name] for name in members}
    if "DataCaptureConfig" not in given_up:
        wanted["DataCaptureConfig"] = endpoint.get("Deployed", {}).get("DataCaptureConfig")
