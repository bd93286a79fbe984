"""API Gateway's operations."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from boostline.local.names import random_name
from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.apigateway import stages
from boostline.local.services.apigateway.dataplane import DataPlane
from boostline.local.services.apigateway.document import imported
from boostline.local.services.apigateway.documents import (
    API,
    KEY,
    PLAN,
    SAID,
    Members,
    bad_request,
    conflict,
    given,
    not_found,
    patch,
)
from boostline.local.services.apigateway.meter import BURST, RATE, Meter
from boostline.local.store.resources import Missing

ACCOUNT = "apigateway.account"


class ApiGateway(Service):
    """REST APIs whose routes are Lambda functions (proxy integration).

    An OpenAPI document goes in; what the local platform does not have in it is refused by name. A
    deployment is a snapshot of the document.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._kept = platform.resources
        self._stages: dict[tuple[str, str], stages.Deployed] = {}
        self._meter = Meter(platform.resources)
        self._data_plane = DataPlane(platform, self._deployed, self._meter)
        self.answer = self._data_plane.answer

    def handler(self, operation: str) -> Callable[[Members], Any]:
        """Return what answers an operation, in API Gateway's words where something is missing."""
        answer = super().handler(operation)

        def told(request: Members) -> Any:
            try:
                return answer(request)
            except Missing as error:
                raise not_found(SAID[error.kind]) from None
            finally:
                if not operation.startswith("Get"):
                    self._stages = {}  # the next request reads them anew

        return told

    def stop(self) -> None:
        """Keep what the quotas counted, and the last lines."""
        self._meter.save()
        if self.platform.loop is not None:
            done = self._data_plane.close()
            asyncio.run_coroutine_threadsafe(done, self.platform.loop).result()

    def import_rest_api(self, request: Members) -> Members:
        """Make an API from an OpenAPI 3 document in JSON."""
        made = {
            "id": random_name(10),
            "createdDate": time.time(),
            "rootResourceId": random_name(10),
        }
        parts: Members = {"deployments": {}, "stages": {}}
        return self._create(API, made | parts | imported(request))

    def get_rest_apis(self, request: Members) -> Members:
        """Return APIs."""
        return self._list(API, request)

    def delete_rest_api(self, request: Members) -> None:
        """Remove an API, with its stages."""
        self._kept.delete(API, request["restApiId"])

    def put_rest_api(self, request: Members) -> Members:
        """Replace an API's document; stages keep theirs until the next deployment."""
        if request.get("mode", "merge") != "overwrite":
            raise bad_request("the local platform replaces documents: say mode=overwrite")
        document = imported(request)
        return self._kept.change(API, request["restApiId"], lambda api: api.update(document))

    def create_deployment(self, request: Members) -> Members:
        """Take a snapshot of the API's document, and put it on a stage if one is named."""
        told, now = given(request, "description", "restApiId stageName"), time.time()
        deployment = {"id": random_name(6), "createdDate": now, **told}

        def deploy(api: Members) -> None:
            api["deployments"][deployment["id"]] = {**deployment, "body": api["body"]}
            if name := request.get("stageName"):
                stage = api["stages"].setdefault(name, {"stageName": name, "createdDate": now})
                stage |= {"deploymentId": deployment["id"], "lastUpdatedDate": now}

        self._kept.change(API, request["restApiId"], deploy)
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

        self._kept.change(API, request["restApiId"], remove)

    def create_stage(self, request: Members) -> Members:
        """Put a deployment on a new stage."""
        names, now = "stageName deploymentId description tracingEnabled tags", time.time()
        stage = given(request, names, "restApiId") | {"createdDate": now, "lastUpdatedDate": now}

        def add(api: Members) -> None:
            if api["stages"].setdefault(stage["stageName"], stage) is not stage:
                raise conflict("Stage already exists")
            stages.check(api, stage)

        self._kept.change(API, request["restApiId"], add)
        return stage

    def get_stage(self, request: Members) -> Members:
        """Return a stage."""
        return stages.of(self._kept.get(API, request["restApiId"]), request["stageName"])

    def update_stage(self, request: Members) -> Members:
        """Move a stage to another deployment, or change what is said of it."""

        def change(api: Members) -> None:
            stage = stages.of(api, request["stageName"])
            patch(stage, request, "Stage")
            stage["lastUpdatedDate"] = time.time()
            stages.check(api, stage)

        return stages.of(self._kept.change(API, request["restApiId"], change), request["stageName"])

    def delete_stage(self, request: Members) -> None:
        """Remove a stage: its routes are gone."""

        def remove(api: Members) -> None:
            del api["stages"][stages.of(api, request["stageName"])["stageName"]]

        self._kept.change(API, request["restApiId"], remove)

    def create_api_key(self, request: Members) -> Members:
        """Make a key; its value is made here."""
        told, now = given(request, "name description enabled tags"), time.time()
        made = {"id": random_name(10), "value": random_name(40), "enabled": False}
        return self._create(KEY, made | told | {"createdDate": now, "lastUpdatedDate": now})

    def get_api_key(self, request: Members) -> Members:
        """Return a key, with its value if asked."""
        return _shown(self._kept.get(KEY, request["apiKey"]), request.get("includeValue"))

    def get_api_keys(self, request: Members) -> Members:
        """Return keys whose name begins as asked, with their values if asked."""
        found = self._list(KEY, request)["items"]
        return {"items": [_shown(key, request.get("includeValues")) for key in found]}

    def update_api_key(self, request: Members) -> Members:
        """Change what is said of a key, or switch it on or off."""

        def change(key: Members) -> None:
            patch(key, request, "ApiKey")
            key["lastUpdatedDate"] = time.time()

        return _shown(self._kept.change(KEY, request["apiKey"], change), with_value=False)

    def delete_api_key(self, request: Members) -> None:
        """Remove a key."""
        self._kept.delete(KEY, request["apiKey"])

    def create_usage_plan(self, request: Members) -> Members:
        """Make a usage plan."""
        told = given(request, "name description apiStages throttle quota tags")
        plan = {"id": random_name(6), "apiStages": [], "keys": [], **told}
        self._check_plan(plan)
        return self._create(PLAN, plan)

    def get_usage_plan(self, request: Members) -> Members:
        """Return a usage plan."""
        return self._kept.get(PLAN, request["usagePlanId"])

    def update_usage_plan(self, request: Members) -> Members:
        """Change a usage plan's name, stages, throttle or quota."""

        def change(plan: Members) -> None:
            patch(plan, request, "UsagePlan")
            self._check_plan(plan)

        return self._kept.change(PLAN, request["usagePlanId"], change)

    def delete_usage_plan(self, request: Members) -> None:
        """Remove a usage plan that has no stages any more."""
        if self._kept.get(PLAN, request["usagePlanId"])["apiStages"]:
            raise bad_request(
                f"Cannot delete Usage Plan {request['usagePlanId']} because API stages are "
                "associated with it: remove them first"
            )
        self._kept.delete(PLAN, request["usagePlanId"])

    def create_usage_plan_key(self, request: Members) -> Members:
        """Put a key in a usage plan."""
        if request["keyType"] != "API_KEY":
            raise bad_request("Invalid key type specified: keyType is API_KEY")
        key = self._kept.get(KEY, request["keyId"])

        def add(plan: Members) -> None:
            if key["id"] in plan["keys"]:
                raise conflict(f"{plan['id']} has the key {key['id']} already")
            plan["keys"].append(key["id"])

        self._kept.change(PLAN, request["usagePlanId"], add)
        return {"type": "API_KEY", **key}

    def delete_usage_plan_key(self, request: Members) -> None:
        """Take a key out of a usage plan."""

        def remove(plan: Members) -> None:
            if request["keyId"] not in plan["keys"]:
                raise not_found("API Key identifier")
            plan["keys"].remove(request["keyId"])

        self._kept.change(PLAN, request["usagePlanId"], remove)

    def get_account(self, _: Members) -> Members:
        """Return the account's settings."""
        limits = {"rateLimit": RATE, "burstLimit": BURST}
        kept = self._kept.find(ACCOUNT, ACCOUNT) or {}
        return {**kept, "throttleSettings": limits, "features": ["UsagePlans"]}

    def update_account(self, request: Members) -> Members:
        """Change the role by which API Gateway writes logs: it is recorded."""
        account = self.get_account({})
        patch(account, request, "Account")
        self._kept.put(ACCOUNT, ACCOUNT, account)
        return account

    def _check_plan(self, plan: Members) -> None:
        if not all(0 <= limit < math.inf for limit in plan.get("throttle", {}).values()):
            raise bad_request("Usage Plan throttle limits must be numbers that are not negative")
        quota = plan.get("quota", {"limit": 1, "period": "DAY"})
        if quota.get("limit", 0) < 1 or quota.get("period") != "DAY" or quota.get("offset"):
            raise bad_request(
                "Usage Plan quota needs a limit above 0 and, on the local platform, the period DAY "
                "without an offset"
            )
        for each in plan["apiStages"]:
            given(each, "apiId stage")
            stages.of(self._kept.get(API, each.get("apiId", "")), each.get("stage", ""))

    def _create(self, kind: str, document: Members) -> Members:
        self._kept.create(kind, document["id"], document)
        return document

    def _list(self, kind: str, request: Members) -> Members:
        start = given(request, "nameQuery", "includeValues limit position").get("nameQuery", "")
        found = self._kept.list(kind)
        return {"items": [one for one in found if one.get("name", "").startswith(start)]}

    def _deployed(self, api: str, stage: str) -> stages.Deployed:
        known = self._stages  # a change while this one is read puts another in its place
        if (api, stage) not in known:
            known[api, stage] = stages.Deployed.read(self._kept, api, stage)
        return known[api, stage]


def _shown(key: Members, with_value: object) -> Members:
    return {name: value for name, value in key.items() if with_value or name != "value"}
