"""A stage of a project: endpoint, function and REST API of one approved version."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boostline.artifact.folder import read_contract
from boostline.contracts.errors import BoostlineError
from boostline.contracts.uri import split_uri
from boostline.deploy import api, endpoint, function, openapi, registry
from boostline.deploy.api import RestApi
from boostline.features.contract import FeatureContract
from boostline.project.config import Config
from boostline.project.target import Target

STAGE = re.compile(r"[a-z][a-z0-9]{0,19}", re.ASCII)


class StageError(BoostlineError):
    """What was given is no name of a stage."""

    exit_code = 2


@dataclass(frozen=True)
class Deployment:
    """What answers now."""

    stage: str
    version: int
    endpoint: str
    function: str
    api: RestApi


def name_of(config: Config, stage: str) -> str:
    """Return the name of a stage's endpoint, function and API.

    No project's name holds the two hyphens, so no two stages share one.

    Raises
    ------
    StageError
        If that is no name of a stage.
    """
    if not STAGE.fullmatch(stage):
        raise StageError(f"stage {stage!r}: a name has 1 to 20 of a-z 0-9, a letter first")
    return f"{config.name}--{stage}"


def deploy(
    target: Target,
    config: Config,
    stage: str,
    number: int | None,
    report: Callable[[str], None],
) -> Deployment:
    """Deploy the latest approved version, or an approved one by number.

    `report` is told what happens, in a few words. The endpoint goes first: a function with the
    contract of the version before is answered all the same, since the endpoint refuses its rows and
    takes the raw record.

    Raises
    ------
    NotApprovedError
        If the version is not approved.
    DeploymentError
        If the endpoint does not come up; what it served before goes on.
    """
    package = registry.approved(target, config.name, number)
    version = int(package["ModelPackageVersion"])
    name = name_of(config, stage)
    contract = _contract(target, package)
    report(f"endpoint {name}: version {version} on {config.deploy.instance_type}")
    endpoint.deploy(target, config, name, package, config.tagging)
    report(f"function {name}: contract {contract.digest[:12]}")
    variables = {"ENDPOINT_NAME": name}
    labels = {tag["Key"]: tag["Value"] for tag in config.tagging}
    arn = function.deploy(target, name, contract.to_json(), variables, labels)
    report(f"REST API {name}: stage {stage}")
    document = openapi.document(name, contract, target.region, arn)
    made = api.deploy(target, name, stage, document, config.api)
    function.allow_api(target, name, made.id)
    return Deployment(stage, version, name, name, made)


def _contract(target: Target, package: dict[str, Any]) -> FeatureContract:
    """Return the feature contract of a version, out of its artifact."""
    bucket, key = split_uri(registry.model_uri(package))
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "model.tar.gz")
        target.client("s3").download_file(bucket, key, str(archive))
        contract, _ = read_contract(archive)
        return contract
