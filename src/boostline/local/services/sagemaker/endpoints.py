"""Endpoint configurations and endpoints."""

from __future__ import annotations

import time

from boostline.contracts.uri import split_uri
from boostline.local.hosting.endpoints import Endpoints
from boostline.local.hosting.rollout import Rollout
from boostline.local.services.sagemaker.models import MODEL
from boostline.local.services.sagemaker.part import Kind, Part, Rules, require
from boostline.local.store.objects import NoSuchBucket
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid

CONFIG = Kind(
    "EndpointConfig",
    missing='Could not find endpoint configuration "{arn}".',
    taken='Cannot create already existing endpoint configuration "{arn}".',
)
ENDPOINT = Kind("Endpoint")
ROUTING = "DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration"
RULES: Rules = {  # of configurations, and of what makes and updates endpoints
    "AsyncInferenceConfig": (None,),
    "ExplainerConfig": (None,),
    "ShadowProductionVariants": (None, []),
    "DeploymentConfig.RollingUpdatePolicy": (None,),
    f"{ROUTING}.LinearStepSize": (None,),
    f"{ROUTING}.Type": (None, "ALL_AT_ONCE", "CANARY"),
    "ExcludeRetainedVariantProperties": (None, []),
}
CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
HEALTH_TIMEOUT = 480
# A variant's members in DescribeEndpoint, which UpdateEndpoint can retain.
WEIGHT = ("CurrentWeight", "DesiredWeight")
COUNT = ("CurrentInstanceCount", "DesiredInstanceCount")


class EndpointOperations(Part):
    """Endpoints; hosting starts what they need. A variant has one process, whatever its count.

    Endpoints made with a configuration that is deleted go on.
    """

    endpoints: Endpoints

    describe_endpoint_config, list_endpoint_configs = CONFIG.describing(), CONFIG.listing()
    delete_endpoint_config = CONFIG.deleting()
    describe_endpoint, list_endpoints = ENDPOINT.describing(), ENDPOINT.listing()

    def create_endpoint_config(self, request: Document) -> Document:
        """Make a configuration."""
        require(request, RULES)
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
        require(request, RULES)
        # The DeploymentConfig is only kept: there is nothing that it could move the traffic from.
        name, how = request["EndpointName"], request.get("DeploymentConfig")
        wanted = {**self._plan(request["EndpointConfigName"]), "DeploymentConfig": how}
        _rollout(wanted)
        document = {"EndpointStatus": "Creating", "Wanted": wanted, "LastDeploymentConfig": how}
        answer = self.make(ENDPOINT, name, {**request, **document})
        self.endpoints.begin(name)
        return answer

    def update_endpoint(self, request: Document) -> Document:
        """Begin to start the servers of another configuration; traffic moves once all are up."""
        require(request, RULES)
        endpoint = self.get(ENDPOINT, request["EndpointName"])
        wanted = self._plan(request["EndpointConfigName"])
        self._require_scaled(endpoint, wanted)
        if request.get("RetainAllVariantProperties"):
            _retain(endpoint, wanted)
        kept = endpoint["LastDeploymentConfig"] if request.get("RetainDeploymentConfig") else None
        wanted["DeploymentConfig"] = request.get("DeploymentConfig", kept)
        self._require_alarms(_rollout(wanted).alarms)
        pending = {m: wanted[m] for m in ("EndpointConfigName", "ProductionVariants")}

        def change(document: Document) -> None:
            if document["EndpointStatus"] in CHANGING:
                raise invalid(f'Cannot update in-progress endpoint "{document["EndpointArn"]}".')
            now = time.time()
            document.pop("FailureReason", None)  # an earlier update's
            document |= {
                "EndpointStatus": "Updating",
                "Wanted": wanted,
                "PendingDeploymentSummary": {**pending, "StartTime": now},
                "LastDeploymentConfig": wanted["DeploymentConfig"],
                "LastModifiedTime": now,
            }

        self.platform.resources.change(ENDPOINT.kind, endpoint["EndpointName"], change)
        self.endpoints.look(endpoint["EndpointName"])
        return {"EndpointArn": endpoint["EndpointArn"]}

    def delete_endpoint(self, request: Document) -> Document:
        """Begin to end an endpoint: requests in flight are answered."""
        with self.platform.database.transaction():  # it may be gone the next moment
            name = self.get(ENDPOINT, request["EndpointName"])["EndpointName"]
            self.platform.resources.update(ENDPOINT.kind, name, EndpointStatus="Deleting")
        self.endpoints.look(name)
        return {}

    def _plan(self, name: str) -> Document:
        """Return what an endpoint of a configuration is to become; see `Endpoint`."""
        config = self.get(CONFIG, name)
        capture = config.get("DataCaptureConfig")
        return {
            "EndpointConfigName": name,
            "ProductionVariants": [self._described(each) for each in config["ProductionVariants"]],
            "DataCaptureConfig": capture and _capturing(capture),
        }

    def _described(self, variant: Document) -> Document:
        """Return a variant as DescribeEndpoint shows it, and what its server runs."""
        container = self.get(MODEL, variant["ModelName"])["Resolved"]
        timeout = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", HEALTH_TIMEOUT)
        weight, count = variant["InitialVariantWeight"], variant.get("InitialInstanceCount", 1)
        image = dict.fromkeys(("SpecifiedImage", "ResolvedImage"), container["image"])
        return {
            "VariantName": variant["VariantName"],
            "InstanceType": variant.get("InstanceType"),
            "DeployedImages": [{**image, "ResolutionTime": time.time()}],
            "Container": {**container, "timeout": timeout},
            **dict.fromkeys(WEIGHT, weight),
            **dict.fromkeys(COUNT, count),
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


def _rollout(plan: Document) -> Rollout:
    try:
        return Rollout.of(plan)
    except ValueError as error:
        raise invalid(f"DeploymentConfig: {error}") from None


def _require_weight(variants: list[Document], member: str) -> None:
    if not any(variant[member] > 0 for variant in variants):
        raise invalid("At least one production variant needs a weight above 0")


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


def _retain(endpoint: Document, wanted: Document) -> None:
    """Let variants of the same names, and the capture, go on as they are."""
    before = {variant["VariantName"]: variant for variant in endpoint.get("ProductionVariants", [])}
    for variant in wanted["ProductionVariants"]:
        if kept := before.get(variant["VariantName"]):
            variant |= {member: kept[member] for member in (*WEIGHT, *COUNT)}
    _require_weight(wanted["ProductionVariants"], "CurrentWeight")
    wanted["DataCaptureConfig"] = endpoint.get("Deployed", {}).get("DataCaptureConfig")
