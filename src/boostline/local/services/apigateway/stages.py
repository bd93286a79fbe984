"""Stages: the settings of their methods, and how they answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boostline.local.services.apigateway.document import Document
from boostline.local.services.apigateway.resources import (
    API,
    KEY,
    PLAN,
    Documents,
    Members,
    bad_request,
    not_found,
)

# Settings by their names in patches: https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateStage-Patch
SETTINGS = {
    "metrics/enabled": "metricsEnabled",
    "logging/loglevel": "loggingLevel",
    "logging/dataTrace": "dataTraceEnabled",
    "throttling/burstLimit": "throttlingBurstLimit",
    "throttling/rateLimit": "throttlingRateLimit",
}
ALL_METHODS = "*/*"
# What an access log is, neither a delivery stream of Firehose nor the ARN with its wildcard, and
# its lines, each of which names its request.
LOG = {
    "destinationArn": re.compile(r"arn:aws:logs:[\w-]+:\d{12}:log-group:[\w./#-]+", re.ASCII),
    "format": re.compile(r".*\$context\.(requestId|extendedRequestId).*"),
}


def by_path(settings: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the MethodSettings of a template as the paths of their patches below the stage's."""
    paths = {member: path for path, member in SETTINGS.items()}
    return {
        f"{each['ResourcePath'].replace('/', '~1').replace('~1*', '*')}/{each['HttpMethod']}": {
            paths.get(name[:1].lower() + name[1:], name): value
            for name, value in each.items()
            if name not in ("ResourcePath", "HttpMethod")
        }
        for each in settings
    }


@dataclass(frozen=True)
class Deployed:
    """A stage as it answers: its routes, and the keys that its usage plans let in.

    `name` is the API's.
    """

    name: str
    document: Document
    stage: Mapping[str, Any]
    keys: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of its methods."""
        found: Mapping[str, Any] = self.stage.get("methodSettings", {}).get(ALL_METHODS, {})
        return found


def deployed(documents: Documents, api: str, stage: str) -> Deployed:
    """Return a stage as it answers now."""
    found = documents.get(API, {"restApiId": api})
    shown = of(found, {"stageName": stage})
    enabled = {key["id"]: key for key in documents.list(KEY) if key["enabled"]}
    keys = {
        enabled[name]["value"]: (enabled[name], plan)
        for plan in documents.list(PLAN)
        if {"apiId": api, "stage": stage} in plan["apiStages"]
        for name in plan["keys"]
        if name in enabled
    }
    body = found["deployments"][shown["deploymentId"]]["body"]
    return Deployed(found["name"], Document(body), shown, keys)


def of(api: Members, request: Mapping[str, Any]) -> Members:
    """Return the stage of an API that a request is about."""
    stage: Members | None = api["stages"].get(request["stageName"])
    if stage is None:
        raise not_found("Stage identifier")
    return stage


def check(api: Members, stage: Members) -> None:
    """Refuse a stage that shows or writes what is not there."""
    if stage["deploymentId"] not in api["deployments"]:
        raise bad_request("Deployment id does not exist")
    for member, value in stage.get("accessLogSettings", {}).items():
        if not LOG[member].fullmatch(value):
            raise bad_request(f"Invalid patch value {value!r} for /accessLogSettings/{member}")
