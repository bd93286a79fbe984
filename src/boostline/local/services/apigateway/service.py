"""API Gateway's operations."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.apigateway import meter, resources
from boostline.local.services.apigateway.dataplane import DataPlane
from boostline.local.services.apigateway.document import Document
from boostline.local.services.apigateway.patches import patch
from boostline.local.services.apigateway.resources import (
    API,
    KEY,
    PLAN,
    Members,
    bad_request,
    conflict,
    given,
    new_id,
    not_found,
    refuse,
)
from boostline.local.services.apigateway.stages import Deployed, check, deployed, of

ACCOUNT = "apigateway.account"
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
LIMITS = {"rateLimit": meter.RATE, "burstLimit": meter.BURST}


class ApiGateway(Service):
    """REST APIs whose routes are Lambda functions (proxy integration).

    An OpenAPI document goes in; what the local platform does not have in it is refused by name. A
    deployment is a snapshot of the document.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.documents = resources.Documents(platform.resources, self._changed)
        self._stages: dict[tuple[str, str], Deployed] = {}
        self._meter = meter.Meter(platform.resources)
        self._data_plane = DataPlane(platform, self._deployed, self._meter)
        self.answer = self._data_plane.answer

    get_rest_api = resources.getter(API)
    get_rest_apis = resources.lister(API)
    delete_rest_api = resources.deleter(API)
    delete_api_key = resources.deleter(KEY)
    get_usage_plan = resources.getter(PLAN)
    get_usage_plans = resources.lister(PLAN)

    def stop(self) -> None:
        """Keep what the quotas counted, and the last lines."""
        self._meter.save()
        if self.platform.loop is not None:
            done = self._data_plane.close()
            asyncio.run_coroutine_threadsafe(done, self.platform.loop).result()

    def import_rest_api(self, request: Members) -> Members:
        """Make an API from an OpenAPI 3 document in JSON."""
        made = {"id": new_id(10), "createdDate": time.time(), "rootResourceId": new_id(10)}
        parts: Members = {"deployments": {}, "stages": {}}
        return self.documents.create(API, made | parts | _imported(request))

    def put_rest_api(self, request: Members) -> Members:
        """Replace an API's document; stages keep theirs until the next deployment."""
        if request.get("mode", "merge") != "overwrite":
            raise bad_request("the local platform replaces documents: say mode=overwrite")
        imported = _imported(request)
        return self.documents.change(API, request, lambda api: api.update(imported))

    def create_deployment(self, request: Members) -> Members:
        """Take a snapshot of the API's document, and put it on a stage if one is named."""
        told, now = given(request, "description", "restApiId stageName"), time.time()
        deployment = {"id": new_id(6), "createdDate": now, **told}

        def deploy(api: Members) -> None:
            api["deployments"][deployment["id"]] = {**deployment, "body": api["body"]}
            if name := request.get("stageName"):
                stage = api["stages"].setdefault(name, {"stageName": name, "createdDate": now})
                stage |= {"deploymentId": deployment["id"], "lastUpdatedDate": now}

        self.documents.change(API, request, deploy)
        return deployment

    def delete_deployment(self, request: Members) -> None:
        """Remove a deployment that no stage shows."""
        name = request["deploymentId"]

        def remove(api: Members) -> None:
            if api["deployments"].pop(name, None) is None:
                raise not_found("Deployment identifier")
            if any(stage["deploymentId"] == name for stage in api["stages"].values()):
                raise bad_request(
                    "Active stages pointing to this deployment must be moved or deleted"
                )

        self.documents.change(API, request, remove)

    def create_stage(self, request: Members) -> Members:
        """Put a deployment on a new stage."""
        names, now = "stageName deploymentId description tracingEnabled tags", time.time()
        stage = given(request, names, "restApiId") | {"createdDate": now, "lastUpdatedDate": now}

        def add(api: Members) -> None:
            if api["stages"].setdefault(stage["stageName"], stage) is not stage:
                raise conflict("Stage already exists")
            check(api, stage)

        self.documents.change(API, request, add)
        return stage

    def get_stage(self, request: Members) -> Members:
        """Return a stage."""
        return of(self.documents.get(API, request), request)

    def update_stage(self, request: Members) -> Members:
        """Move a stage to another deployment, or change what is said of it."""

        def change(api: Members) -> None:
            stage = of(api, request)
            patch(stage, request, "Stage")
            stage["lastUpdatedDate"] = time.time()
            check(api, stage)

        return of(self.documents.change(API, request, change), request)

    def delete_stage(self, request: Members) -> None:
        """Remove a stage: its routes are gone."""

        def remove(api: Members) -> None:
            del api["stages"][of(api, request)["stageName"]]

        self.documents.change(API, request, remove)

    def create_api_key(self, request: Members) -> Members:
        """Make a key; its value is made here unless it is given."""
        value, now = request.get("value") or new_id(40), time.time()
        if not 20 <= len(value) <= 128:
            raise bad_request("API Key value should be at least 20 characters, and at most 128")
        if any(one["value"] == value for one in self.documents.list(KEY)):
            raise conflict("API Key already exists")
        made = {"id": new_id(10), "createdDate": now, "lastUpdatedDate": now, "enabled": False}
        told = given(request, "name description enabled value tags")
        return self.documents.create(KEY, made | told | {"value": value})

    def get_api_key(self, request: Members) -> Members:
        """Return a key, with its value if asked."""
        return _shown(self.documents.get(KEY, request), request.get("includeValue"))

    def get_api_keys(self, request: Members) -> Members:
        """Return keys whose name begins as asked, with their values if asked."""
        found = resources.lister(KEY)(self, request) or {}
        return {"items": [_shown(key, request.get("includeValues")) for key in found["items"]]}

    def update_api_key(self, request: Members) -> Members:
        """Change what is said of a key, or switch it on or off."""

        def change(key: Members) -> None:
            patch(key, request, "ApiKey")
            key["lastUpdatedDate"] = time.time()

        return _shown(self.documents.change(KEY, request, change), with_value=False)

    def create_usage_plan(self, request: Members) -> Members:
        """Make a usage plan."""
        told = given(request, "name description apiStages throttle quota tags")
        plan = {"id": new_id(6), "apiStages": [], "keys": [], **told}
        self._check_plan(plan)
        return self.documents.create(PLAN, plan)

    def update_usage_plan(self, request: Members) -> Members:
        """Change a usage plan's name, stages, throttle or quota."""

        def change(plan: Members) -> None:
            patch(plan, request, "UsagePlan")
            self._check_plan(plan)

        return self.documents.change(PLAN, request, change)

    def delete_usage_plan(self, request: Members) -> None:
        """Remove a usage plan that has no stages any more."""
        if self.documents.get(PLAN, request)["apiStages"]:
            raise bad_request(
                f"Cannot delete Usage Plan {request['usagePlanId']} because API stages are "
                "associated with it: remove them first"
            )
        self.documents.delete(PLAN, request)

    def create_usage_plan_key(self, request: Members) -> Members:
        """Put a key in a usage plan."""
        if request["keyType"] != "API_KEY":
            raise bad_request("Invalid key type specified: keyType is API_KEY")
        key = self.documents.get(KEY, {"apiKey": request["keyId"]})

        def add(plan: Members) -> None:
            if key["id"] in plan["keys"]:
                raise conflict(f"{plan['id']} has the key {key['id']} already")
            plan["keys"].append(key["id"])

        self.documents.change(PLAN, request, add)
        return {"type": "API_KEY", **key}

    def delete_usage_plan_key(self, request: Members) -> None:
        """Take a key out of a usage plan."""

        def remove(plan: Members) -> None:
            if request["keyId"] not in plan["keys"]:
                raise not_found("API Key identifier")
            plan["keys"].remove(request["keyId"])

        self.documents.change(PLAN, request, remove)

    def get_account(self, _: Members) -> Members:
        """Return the account's settings."""
        found = self.platform.resources.find(ACCOUNT, ACCOUNT) or {}
        return {"throttleSettings": LIMITS, "features": ["UsagePlans"], **found}

    def update_account(self, request: Members) -> Members:
        """Change the role by which API Gateway writes logs: it is recorded."""
        account: Members = {}
        patch(account, request, "Account")
        self.platform.resources.put(ACCOUNT, ACCOUNT, account)
        return self.get_account({})

    def _check_plan(self, plan: Members) -> None:
        if any(limit < 0 for limit in plan.get("throttle", {}).values()):
            raise bad_request("Usage Plan throttle limits must not be negative")
        quota = plan.get("quota", {"limit": 1, "period": "DAY"})
        if quota.get("limit", 0) < 1 or quota.get("period") != "DAY" or quota.get("offset"):
            raise bad_request(
                "Usage Plan quota needs a limit above 0 and, on the local platform, the period DAY "
                "without an offset"
            )
        for each in plan["apiStages"]:
            refuse(each, "throttle")
            self.get_stage({"restApiId": each.get("apiId"), "stageName": each.get("stage")})

    def _changed(self) -> None:
        self._stages = {}  # the next request reads them anew

    def _deployed(self, api: str, stage: str) -> Deployed:
        known = self._stages  # a change while this one is read puts another in its place
        if (api, stage) not in known:
            known[api, stage] = deployed(self.documents, api, stage)
        return known[api, stage]


def _imported(request: Mapping[str, Any]) -> Members:
    """Return what a document makes of an API."""
    try:
        content = json.loads(request["body"])
    except ValueError as error:
        raise bad_request(f"Invalid OpenAPI input, which has to be JSON here: {error}") from None
    Document(content)
    parameters = dict(request.get("parameters", {}))
    parameters.pop("mode", None)  # ImportRestApi's own `?mode=import` is among them
    endpoint = parameters.pop("endpointConfigurationTypes", "EDGE")
    refuse(parameters, *parameters)
    info = content["info"]
    return {
        "name": info["title"],
        **{name: info[name] for name in ("description", "version") if name in info},
        "apiKeySource": "HEADER",
        "endpointConfiguration": {"types": [endpoint]},
        "disableExecuteApiEndpoint": False,
        "body": content,
    }


def _shown(key: Members, with_value: object) -> Members:
    return {name: value for name, value in key.items() if with_value or name != "value"}
