"""What `serving.yaml` is told of a stage: all that differs from one to the next is in there."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from boostline.contracts.errors import BoostlineError
from boostline.contracts.uri import split_uri
from boostline.deploy import bundle, openapi, templates
from boostline.features.contract import FeatureContract
from boostline.project import store
from boostline.project.config import Config
from boostline.project.target import Target

AWS_PYTHON = "3.12"
REVISIONS = {"a": "b", "b": "a"}
# What comes of the stage and the version, and is nobody's to give.
OWN = {"Project", "Stage", "ModelPackageArn", "ApiDocument", "ApiRevision", "Bucket"}


def choose(
    target: Target,
    config: Config,
    stage: str,
    package: Mapping[str, Any],
    contract: FeatureContract,
    before: Mapping[str, str],
    roles: Mapping[str, str],
) -> dict[str, str]:
    """Return the parameters of a version, with function and API document stored in the bucket.

    Parameters
    ----------
    target, config, stage
        What is deployed, where.
    package
        DescribeModelPackage of the version.
    contract
        Its feature contract.
    before
        The outputs of the stage's stack as it is; empty if it is not there.
    roles
        The outputs of the project's stack: roles of their own for endpoint and function.
    """
    settings = config.stages[stage]
    python = AWS_PYTHON if target.name == "aws" else ".".join(map(str, sys.version_info[:2]))
    document = openapi.gateway_document(f"{config.name}--{stage}", contract)
    api = store.put_one(target, f"{config.name}/api", document, ".json")
    revision = before.get("ApiRevision", "a")
    changed = before.get("ApiDocument") not in (None, api)
    return {
        "Project": config.name,
        "Stage": stage,
        "ModelPackageArn": str(package["ModelPackageArn"]),
        "ApiDocument": api,
        "ApiRevision": REVISIONS[revision] if changed else revision,
        "FunctionKey": _function(target, config, contract, python),
        "FunctionRuntime": f"python{python}",
        "Bucket": target.bucket,
        "ServingRoleArn": roles.get("ServingRoleArn") or target.role,
        "FunctionRoleArn": roles.get("FunctionRoleArn") or target.role,
        "InstanceType": settings.instance_type,
        "InstanceCount": str(settings.instance_count),
        "MaxInstanceCount": str(settings.max_instance_count or 0),
        "CapturePercentage": str(settings.capture_percent),
        "TrafficRouting": "CANARY" if settings.canary_percent else "ALL_AT_ONCE",
        **({"CanaryPercent": str(settings.canary_percent)} if settings.canary_percent else {}),
        "BakeSeconds": str(settings.bake),
        "NetworkIsolation": str("serve" not in config.code).lower(),
        "ApiRate": f"{config.api.rate:g}",
        "ApiBurst": str(config.api.burst),
        "ApiDailyQuota": str(config.api.quota or 0),
        **settings.parameters,
    }


def check(given: Iterable[str], template: Iterable[str], stage: str) -> None:
    """Refuse parameters of a stage that the template does not have, or that are not to be given.

    Raises
    ------
    BoostlineError
        Naming them, and those that may be given.
    """
    if why := templates.refusal(given, set(template) - OWN, f"stages.{stage}.parameters"):
        raise BoostlineError(why)


def _function(target: Target, config: Config, contract: FeatureContract, python: str) -> str:
    """Store the function's zip and return its key."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "function.zip")
        source = bundle.LOCKED if target.name == "aws" else bundle.INSTALLED
        bundle.build(contract.to_json(), archive, source, python)
        return split_uri(store.put_one(target, f"{config.name}/function", archive, ".zip"))[1]
