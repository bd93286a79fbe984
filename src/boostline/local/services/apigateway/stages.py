"""Stages: what they may be, and how they answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boostline.local.services.apigateway import documents
from boostline.local.services.apigateway.document import Document
from boostline.local.store.resources import Resources

# What an access log is, neither a delivery stream of Firehose nor the ARN with its wildcard, and
# its lines, each of which names its request.
LOG = {
    "destinationArn": re.compile(r"arn:aws:logs:[\w-]+:\d{12}:log-group:[\w./#-]+", re.ASCII),
    "format": re.compile(r".*\$context\.(requestId|extendedRequestId).*"),
}

LEVELS = ("OFF", "ERROR", "INFO")


@dataclass(frozen=True)
class Deployed:
    """A stage as it answers: its routes, and the keys that its usage plans let in.

    `name` is the API's.
    """

    name: str
    document: Document
    stage: Mapping[str, Any]
    keys: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]

    @classmethod
    def read(cls, resources: Resources, api: str, stage: str) -> Deployed:
        """Return a stage as it is now."""
        found = resources.get(documents.API, api)
        shown = of(found, stage)
        enabled = {key["id"]: key for key in resources.list(documents.KEY) if key["enabled"]}
        keys = {
            enabled[name]["value"]: (enabled[name], plan)
            for plan in resources.list(documents.PLAN)
            if {"apiId": api, "stage": stage} in plan["apiStages"]
            for name in plan["keys"]
            if name in enabled
        }
        body = found["deployments"][shown["deploymentId"]]["body"]
        return cls(found["name"], Document(body), shown, keys)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Those of its methods."""
        of_methods = self.stage.get("methodSettings", {})
        found: Mapping[str, Any] = of_methods.get(documents.ALL_METHODS, {})
        return found


def of(api: documents.Members, name: str) -> documents.Members:
    """Return a stage of an API."""
    if name not in api["stages"]:
        raise documents.not_found("Stage identifier")
    stage: documents.Members = api["stages"][name]
    return stage


def check(api: Mapping[str, Any], stage: Mapping[str, Any]) -> None:
    """Refuse a stage that shows or writes what is not there."""
    if stage["deploymentId"] not in api["deployments"]:
        raise documents.bad_request("Deployment id does not exist")
    level = stage.get("methodSettings", {}).get(documents.ALL_METHODS, {}).get("loggingLevel")
    if level not in {None, *LEVELS}:
        raise documents.bad_request(
            f"Invalid patch value {level!r} for a logging level: it is one of {', '.join(LEVELS)}"
        )
    for member, value in stage.get("accessLogSettings", {}).items():
        if not LOG[member].fullmatch(value):
            raise documents.bad_request(
                f"Invalid patch value {value!r} for /accessLogSettings/{member}"
            )
