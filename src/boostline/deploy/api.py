"""The REST API of a stage: its routes, its key and the limits of that key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from boostline.project.config import Api
from boostline.project.target import Target


@dataclass(frozen=True)
class RestApi:
    """Where an API answers, and with which key."""

    id: str
    url: str
    key: str


def deploy(target: Target, name: str, stage: str, document: dict[str, Any], limits: Api) -> RestApi:
    """Import or replace the API, deploy it to a stage, and give it a key with limits."""
    client = target.client("apigateway")
    body = json.dumps(document).encode()
    api = _find(client, "get_rest_apis", name)
    if api is None:
        api = client.import_rest_api(body=body, failOnWarnings=True)
    else:
        client.put_rest_api(restApiId=api["id"], mode="overwrite", failOnWarnings=True, body=body)
    client.create_deployment(restApiId=api["id"], stageName=stage)
    _limit(client, name, api["id"], stage, limits)
    return address(target, name, stage, api)


def find(target: Target, name: str, stage: str) -> RestApi | None:
    """Return the API of a name if it was deployed."""
    api = _find(target.client("apigateway"), "get_rest_apis", name)
    return address(target, name, stage, api) if api else None


def address(target: Target, name: str, stage: str, api: dict[str, Any]) -> RestApi:
    """Return where an API answers, with its key."""
    key = _find(target.client("apigateway"), "get_api_keys", name, includeValues=True) or {}
    if target.endpoint is not None:
        url = f"{target.endpoint}/restapis/{api['id']}/{stage}"
    else:
        url = f"https://{api['id']}.execute-api.{target.region}.amazonaws.com/{stage}"
    return RestApi(api["id"], url, str(key.get("value", "")))


def _limit(client: Any, name: str, api: str, stage: str, limits: Api) -> None:
    """Give the API a key and a plan with these limits, whatever of it is there already."""
    key = _find(client, "get_api_keys", name) or client.create_api_key(name=name, enabled=True)
    plan = _find(client, "get_usage_plans", name) or client.create_usage_plan(name=name)
    client.update_usage_plan(
        usagePlanId=plan["id"], patchOperations=list(_changes(plan, f"{api}:{stage}", limits))
    )
    try:
        client.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    except client.exceptions.ConflictException:  # it is in the plan already
        return


def _changes(plan: dict[str, Any], stage: str, limits: Api) -> Iterator[dict[str, str]]:
    stages = {f"{one['apiId']}:{one['stage']}" for one in plan.get("apiStages", ())}
    for gone in sorted(stages - {stage}):
        yield {"op": "remove", "path": "/apiStages", "value": gone}
    if stage not in stages:
        yield {"op": "add", "path": "/apiStages", "value": stage}
    values: dict[str, object] = {
        "throttle/rateLimit": limits.rate,
        "throttle/burstLimit": limits.burst,
    }
    if limits.quota is not None:
        values |= {"quota/limit": limits.quota, "quota/period": "DAY"}
    for path, value in values.items():
        yield {"op": "replace", "path": f"/{path}", "value": str(value)}
    if limits.quota is None and "quota" in plan:
        yield {"op": "remove", "path": "/quota"}


def _find(client: Any, operation: str, name: str, **request: Any) -> dict[str, Any] | None:
    """Return the one of a listing that has a name."""
    for page in client.get_paginator(operation).paginate(**request):
        for found in page.get("items", ()):
            if found["name"] == name:
                return dict(found)
    return None
