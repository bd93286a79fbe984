"""The endpoint of a stage: a model made from a package, its configuration, and the update."""

from __future__ import annotations

import uuid
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from boostline.contracts.errors import BoostlineError
from boostline.project.config import Config
from boostline.project.target import Target

VARIANT = "AllTraffic"


class DeploymentError(BoostlineError):
    """A deployment that did not come up."""


def deploy(
    target: Target, config: Config, name: str, package: dict[str, Any], tags: list[dict[str, str]]
) -> None:
    """Serve a model package on an endpoint, made or updated, and wait until it is in service.

    What the endpoint served before is removed once the new version is in service.

    Raises
    ------
    DeploymentError
        With the endpoint's failure reason.
    """
    client = target.client("sagemaker")
    before = _describe(client, name)
    made = f"{name}-v{package['ModelPackageVersion']}-{uuid.uuid4().hex[:8]}"
    _create_model(target, config, made, package, tags)
    client.create_endpoint_config(
        EndpointConfigName=made,
        ProductionVariants=[
            {
                "VariantName": VARIANT,
                "ModelName": made,
                "InstanceType": config.deploy.instance_type,
                "InitialInstanceCount": config.deploy.instance_count,
            }
        ],
        Tags=tags,
    )
    if before is None:
        client.create_endpoint(EndpointName=name, EndpointConfigName=made, Tags=tags)
    else:
        client.update_endpoint(EndpointName=name, EndpointConfigName=made)
    try:
        _wait(target, client, name, made)
    except DeploymentError:
        _remove(client, made)
        raise
    if before is not None:
        _remove(client, before["EndpointConfigName"])


def _create_model(
    target: Target, config: Config, name: str, package: dict[str, Any], tags: list[dict[str, str]]
) -> None:
    version = f"{config.name}/{package['ModelPackageVersion']}"
    target.client("sagemaker").create_model(
        ModelName=name,
        Containers=[
            {
                "ModelPackageName": package["ModelPackageArn"],
                # The container says in each answer which version it is; nobody else tells it.
                "Environment": {"BOOSTLINE_MODEL_VERSION": version},
            }
        ],
        ExecutionRoleArn=target.role,
        Tags=tags,
    )


def _wait(target: Target, client: Any, name: str, made: str) -> None:
    pace = (
        {"Delay": 15, "MaxAttempts": 160}
        if target.name == "aws"
        else {"Delay": 0.1, "MaxAttempts": 6000}
    )
    reason = "it did not come into service in time"
    try:
        client.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=pace)
    except WaiterError as error:
        reason = error.last_response.get("FailureReason", reason)
    found = _describe(client, name) or {}
    if found.get("EndpointStatus") != "InService" or found.get("EndpointConfigName") != made:
        raise DeploymentError(f"endpoint {name}: {found.get('FailureReason', reason)}")


def _describe(client: Any, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if "Could not find" in error.response["Error"]["Message"]:
            return None
        raise
    return found


def _remove(client: Any, configuration: str) -> None:
    """Delete an endpoint configuration and the models that it names."""
    found = client.describe_endpoint_config(EndpointConfigName=configuration)
    client.delete_endpoint_config(EndpointConfigName=configuration)
    for variant in found["ProductionVariants"]:
        client.delete_model(ModelName=variant["ModelName"])
