"""Stages: what can be changed of them, and how they answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boostline.local.services.apigateway.document import Document
from boostline.local.services.apigateway.resources import Reader, boolean

_GROUP = re.compile(r"arn:aws:logs:[\w-]+:\d{12}:log-group:[\w./#-]+", re.ASCII)


def _log_group(text: str) -> str:
    if not _GROUP.fullmatch(text):
        raise ValueError(text)  # a delivery stream of Firehose, or the ARN with its wildcard
    return text


def _log_format(text: str) -> str:
    ids = ("$context.requestId", "$context.extendedRequestId")
    if "\n" in text or not any(each in text for each in ids):
        raise ValueError(text)
    return text


# A method's settings by their names in patches: https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateStage-Patch
SETTINGS: dict[str, tuple[str, Reader]] = {
    "metrics/enabled": ("metricsEnabled", boolean),
    "logging/loglevel": ("loggingLevel", str),
    "logging/dataTrace": ("dataTraceEnabled", boolean),
    "throttling/burstLimit": ("throttlingBurstLimit", int),
    "throttling/rateLimit": ("throttlingRateLimit", float),
}
CHANGEABLE: dict[str, Reader | None] = {
    "/deploymentId": str,
    "/description": str,
    "/tracingEnabled": boolean,
    "/variables/*": str,
    "/accessLogSettings": None,
    "/accessLogSettings/destinationArn": _log_group,
    "/accessLogSettings/format": _log_format,
    "/methodSettings/*": None,
    **{f"/methodSettings/*/{name}": read for name, read in SETTINGS.values()},
}


def of_method(operation: Mapping[str, str]) -> Mapping[str, str]:
    """Return a patch of a method's setting as one of the stage's member; others as they are.

    `/~1predict/POST/throttling/rateLimit` is about member `throttlingRateLimit` of
    `methodSettings["~1predict/POST"]`, and `/*/*/…` about that of all methods.
    """
    resource, method, *setting = [*operation.get("path", "")[1:].split("/"), ""][:5]
    member = SETTINGS.get("/".join(setting[:2]), ("",))[0]
    whole = operation.get("op") == "remove" and resource[:1] in ("~", "*") and setting == [""]
    if not member and not whole:
        return operation
    key = _escaped(f"{resource}/{method}")
    return {**operation, "path": f"/methodSettings/{key}" + (f"/{member}" if member else "")}


def by_path(settings: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the MethodSettings of a template as the paths of their patches below the stage's."""
    paths = {member: path for path, (member, _) in SETTINGS.items()}
    return {
        f"{_escaped(each['ResourcePath']).replace('~1*', '*')}/{each['HttpMethod']}": {
            paths.get(name[:1].lower() + name[1:], name): value
            for name, value in each.items()
            if name not in ("ResourcePath", "HttpMethod")
        }
        for each in settings
    }


def _escaped(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


@dataclass(frozen=True)
class Deployed:
    """A stage as it answers: its routes, and the keys that its usage plans let in.

    `name` is the API's.
    """

    name: str
    document: Document
    stage: Mapping[str, Any]
    keys: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]

    def settings(self, resource: str, method: str) -> dict[str, Any]:
        """Return the settings of a method: its own, else those of all."""
        found = self.stage.get("methodSettings", {})
        return {**found.get("*/*", {}), **found.get(f"{_escaped(resource)}/{method}", {})}
