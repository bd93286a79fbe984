"""What is to be scaled, and by which policies. Nothing is: a variant is one process here."""

from __future__ import annotations

import re
import time
import uuid

from boostline.local.service import Service
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError, invalid

TARGET, POLICY = "scalable-target", "scaling-policy"
NAMESPACE, DIMENSION = "sagemaker", "sagemaker:variant:DesiredInstanceCount"
VARIANT = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
CONFIGURATION = "TargetTrackingScalingPolicyConfiguration"
METRIC = "SageMakerVariantInvocationsPerInstance"


class ApplicationAutoScaling(Service):
    """Application Auto Scaling, for the variants of endpoints. A target is named by its variant."""

    def register_scalable_target(self, request: Document) -> Document:
        """Register a variant, or change the bounds of one that is."""
        name = self._variant(request)
        kept = {member: value for member, value in request.items() if member != "Tags"}
        with self.platform.database.transaction():
            before = self.platform.resources.find(TARGET, name)
            target = {
                "ScalableTargetARN": self._arn(f"scalable-target/{uuid.uuid4().hex[:12]}"),
                "CreationTime": time.time(),
                **(before or {}),
                **kept,
            }
            least, most = target.get("MinCapacity"), target.get("MaxCapacity")
            if least is None or most is None:
                raise invalid("A new scalable target needs MinCapacity and MaxCapacity")
            if not 0 <= least <= most:
                raise invalid(f"MinCapacity {least} must be 0 or more, and at most {most}")
            self.platform.resources.put(TARGET, name, target)
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def describe_scalable_targets(self, request: Document) -> Document:
        """Return what is registered."""
        return {"ScalableTargets": self._found(TARGET, request, "ResourceId")}

    def deregister_scalable_target(self, request: Document) -> None:
        """Forget a variant, and its policies."""
        with self.platform.database.transaction():
            name = self._target(request)
            self.platform.resources.delete(TARGET, name)
            for policy in self.platform.resources.list(POLICY, name):
                self.platform.resources.delete(POLICY, f"{name}/{policy['PolicyName']}")

    def put_scaling_policy(self, request: Document) -> Document:
        """Give a variant a policy, or another one of that name."""
        _check(request)
        with self.platform.database.transaction():
            target = self._target(request)
            name = f"{target}/{request['PolicyName']}"
            resource = f"resource/{NAMESPACE}/{target}:policyName/{request['PolicyName']}"
            policy = {
                "PolicyARN": self._arn(f"scalingPolicy:{uuid.uuid4()}:{resource}"),
                "CreationTime": time.time(),
                **(self.platform.resources.find(POLICY, name) or {}),
                **request,
                "Alarms": [],
            }
            self.platform.resources.put(POLICY, name, policy, target)
        return {"PolicyARN": policy["PolicyARN"], "Alarms": []}

    def describe_scaling_policies(self, request: Document) -> Document:
        """Return policies."""
        return {"ScalingPolicies": self._found(POLICY, request, "PolicyName")}

    def delete_scaling_policy(self, request: Document) -> None:
        """Take a policy from a variant."""
        name = f"{self._target(request)}/{request['PolicyName']}"
        if self.platform.resources.find(POLICY, name) is None:
            raise _missing(f"No scaling policy found for {name}")
        self.platform.resources.delete(POLICY, name)

    def _found(self, kind: str, request: Document, by: str) -> list[Document]:
        members = ("ServiceNamespace", "ResourceId", "ScalableDimension")
        asked = {member: request[member] for member in members if member in request}
        wanted = request.get(f"{by}s")
        return [
            each
            for each in self.platform.resources.list(kind)
            if asked.items() <= each.items() and (wanted is None or each[by] in wanted)
        ]

    def _target(self, request: Document) -> str:
        """Return the name of a target that is registered."""
        found = self.platform.resources.find(TARGET, request["ResourceId"])
        if found is None or found["ScalableDimension"] != request["ScalableDimension"]:
            place = f"{request['ServiceNamespace']}, {request['ResourceId']}"
            raise _missing(f"No scalable target found for service namespace: {place}")
        return str(request["ResourceId"])

    def _variant(self, request: Document) -> str:
        """Return a target's name if it is a variant that there is."""
        name = request["ResourceId"]
        found = VARIANT.fullmatch(name)
        if request["ServiceNamespace"] != NAMESPACE or request["ScalableDimension"] != DIMENSION:
            raise invalid(f"the local platform scales {NAMESPACE}, {DIMENSION}, nothing else")
        if found is None:
            raise invalid(f"ResourceId {name} is not endpoint/<endpoint>/variant/<variant>")
        endpoint = self.platform.resources.find("endpoint", found[1]) or {}
        variants = [each["VariantName"] for each in endpoint.get("ProductionVariants") or []]
        if found[2] not in variants:
            raise invalid(f"There is no variant {found[2]} of an endpoint {found[1]}")
        return str(name)

    def _arn(self, resource: str) -> str:
        service = (
            "autoscaling" if resource.startswith("scalingPolicy") else "application-autoscaling"
        )
        return self.platform.arn(service, resource)


def _check(request: Document) -> None:
    """Refuse a policy that Application Auto Scaling would refuse, or that is not here."""
    if request.get("PolicyType") != "TargetTrackingScaling" or CONFIGURATION not in request:
        raise invalid(f"the local platform has TargetTrackingScaling, with its {CONFIGURATION}")
    wanted = request[CONFIGURATION]
    metrics = {"PredefinedMetricSpecification", "CustomizedMetricSpecification"} & wanted.keys()
    if len(metrics) != 1:
        raise invalid(f"{CONFIGURATION} needs either a predefined or a customized metric")
    kind = wanted.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", METRIC)
    if not kind.startswith("SageMaker"):
        raise invalid(f"{kind} is no metric of {NAMESPACE}: take {METRIC}")


def _missing(message: str) -> AwsError:
    return AwsError("ObjectNotFoundException", message)
