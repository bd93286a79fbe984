"""Targets and policies of autoscaling: kept and shown, with what they forbid."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import RunningPlatform
from tests.local.services.sagemaker_bench import client

VARIANT = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/live/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
BOUNDS = {"MinCapacity": 1, "MaxCapacity": 3}
METRIC = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
TRACKING = {"TargetValue": 100.0, "PredefinedMetricSpecification": METRIC}
POLICY = {
    **VARIANT,
    "PolicyName": "load",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": TRACKING,
}


@pytest.fixture
def scaling(platform: RunningPlatform) -> Any:
    variants = [{"VariantName": "AllTraffic", "InstanceType": "ml.m5.large"}]
    document = {"EndpointName": "live", "EndpointStatus": "InService", "CreationTime": 0}
    platform.platform.resources.create(
        "endpoint", "live", document | {"ProductionVariants": variants}
    )
    return client(platform, "application-autoscaling")


def test_target_and_policy_are_registered_shown_and_forgotten(scaling: Any) -> None:
    arn = scaling.register_scalable_target(**VARIANT, **BOUNDS)["ScalableTargetARN"]
    assert scaling.register_scalable_target(**VARIANT, MaxCapacity=5)["ScalableTargetARN"] == arn
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 5)
    first = scaling.put_scaling_policy(**POLICY)["PolicyARN"]
    assert scaling.put_scaling_policy(**POLICY)["PolicyARN"] == first
    asked = {"ServiceNamespace": "sagemaker", "PolicyNames": ["load"]}
    (policy,) = scaling.describe_scaling_policies(**asked)["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"] == TRACKING
    name = {"PolicyName": "load"}
    scaling.delete_scaling_policy(**VARIANT, **name)
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.delete_scaling_policy(**VARIANT, **name)
    scaling.put_scaling_policy(**POLICY)
    scaling.deregister_scalable_target(**VARIANT)
    assert scaling.describe_scaling_policies(**asked)["ScalingPolicies"] == []
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.deregister_scalable_target(**VARIANT)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("register_scalable_target", {**VARIANT, "MinCapacity": 1}, "needs MinCapacity"),
    (
        "register_scalable_target",
        {**VARIANT, "MinCapacity": 2, "MaxCapacity": 1},
        "at most 1",
    ),
    (
        "register_scalable_target",
        {**VARIANT, **BOUNDS, "ResourceId": "endpoint/live/variant/no"},
        "no variant no of an endpoint live",
    ),
    (
        "register_scalable_target",
        {**VARIANT, **BOUNDS, "ResourceId": "endpoint/live"},
        "is not endpoint/<endpoint>/variant/<variant>",
    ),
    (
        "register_scalable_target",
        {**VARIANT, **BOUNDS, "ServiceNamespace": "ecs"},
        "nothing else",
    ),
    ("put_scaling_policy", POLICY, "No scalable target found"),
    ("put_scaling_policy", {**POLICY, "PolicyType": "StepScaling"}, "TargetTrackingScaling"),
]


def test_what_autoscaling_refuses_is_refused(scaling: Any) -> None:
    for operation, request, problem in REFUSED:
        with pytest.raises(ClientError) as error:
            getattr(scaling, operation)(**request)
        assert problem in str(error.value)


def test_type_of_a_scaled_variant_stays(scaling: Any, platform: RunningPlatform) -> None:
    scaling.register_scalable_target(**VARIANT, **BOUNDS)
    sagemaker = client(platform, "sagemaker")
    resolved = {"Resolved": {"image": "i"}}
    platform.platform.resources.create("model", "m", {"ModelName": "m", **resolved})
    for name, variant, type_ in (
        ("other-type", "AllTraffic", "ml.m5.xlarge"),
        ("other-variant", "Other", "ml.m5.large"),
    ):
        served = {"VariantName": variant, "ModelName": "m", "InstanceType": type_}
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[served | {"InitialInstanceCount": 1}]
        )
        with pytest.raises(ClientError, match="is registered as a scalable target"):
            sagemaker.update_endpoint(EndpointName="live", EndpointConfigName=name)
