"""Keys and usage plans: the operations on them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.apigateway import plans, resources
from boostline.local.services.apigateway.resources import (
    API,
    KEY,
    PLAN,
    Members,
    Reader,
    bad_request,
    boolean,
    given,
    named,
    new_id,
    not_found,
    patch,
    refuse,
)
from boostline.local.wire.errors import AwsError

NAMED: dict[str, Reader | None] = {"/name": str, "/description": str, "/enabled": boolean}


class Usage(Service):
    """The operations on keys and usage plans; `documents` are all that the service keeps."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.documents = resources.Documents(platform.resources, self._changed)

    get_usage_plan = resources.getter(PLAN)
    get_usage_plans = resources.lister(PLAN)

    def _changed(self) -> None:
        """Is called after each change."""

    def create_api_key(self, request: Members) -> Members:
        """Make a key; its value is made here unless it is given."""
        refuse(request, "stageKeys", "generateDistinctId", "customerId")
        value, now = request.get("value") or new_id(40), time.time()
        if not 20 <= len(value) <= 128:
            raise bad_request("API Key value should be at least 20 characters, and at most 128")
        if any(one["value"] == value for one in self.documents.list(KEY)):
            raise AwsError("ConflictException", "API Key already exists", 409)
        made = {"id": new_id(10), "createdDate": now, "lastUpdatedDate": now, "enabled": False}
        told = given(request, "name", "description", "enabled", "tags")
        return self.documents.create(KEY, made | told | {"value": value})

    def update_api_key(self, request: Members) -> Members:
        """Change what is said of a key, or switch it on or off."""

        def change(key: Members) -> None:
            patch(key, request, NAMED)
            key["lastUpdatedDate"] = time.time()

        return _shown(self.documents.change(KEY, request, change), with_value=False)

    def get_api_key(self, request: Members) -> Members:
        """Return a key, with its value if asked."""
        return _shown(self.documents.get(KEY, request), request.get("includeValue"))

    def get_api_keys(self, request: Members) -> Members:
        """Return keys whose name begins as asked, with their values if asked."""
        keys = self.documents.list(KEY)
        return named([_shown(key, request.get("includeValues")) for key in keys], request)

    def delete_api_key(self, request: Members) -> None:
        """Remove a key, from its usage plans too."""
        key = request["apiKey"]
        for plan in self.documents.list(PLAN):
            if key in plan["keys"]:
                where = {"usagePlanId": plan["id"]}
                self.documents.change(PLAN, where, lambda plan: plan["keys"].remove(key))
        self.documents.delete(KEY, request)

    def create_usage_plan(self, request: Members) -> Members:
        """Make a usage plan."""
        made: Members = {"id": new_id(6), "apiStages": [], "keys": []}
        made |= given(request, "name", "description", "apiStages", "throttle", "quota", "tags")
        self._check(made)
        return self.documents.create(PLAN, made)

    def update_usage_plan(self, request: Members) -> Members:
        """Change a usage plan's name, stages, throttle or quota."""

        def change(plan: Members) -> None:
            plans.change(plan, request)
            self._check(plan)

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
                message = f"{plan['id']} has the key {key['id']} already"
                raise AwsError("ConflictException", message, 409)
            plan["keys"].append(key["id"])

        self.documents.change(PLAN, request, add)
        return {"type": "API_KEY", **given(key, "id", "name", "value")}

    def delete_usage_plan_key(self, request: Members) -> None:
        """Take a key out of a usage plan."""

        def remove(plan: Members) -> None:
            if request["keyId"] not in plan["keys"]:
                raise not_found("API Key identifier")
            plan["keys"].remove(request["keyId"])

        self.documents.change(PLAN, request, remove)

    def _check(self, plan: Mapping[str, Any]) -> None:
        plans.check(plan)
        for each in plan["apiStages"]:
            refuse(each, "throttle")
            api = self.documents.get(API, {"restApiId": each["apiId"]})
            if each["stage"] not in api["stages"]:
                raise not_found("Stage identifier")


def _shown(key: Members, with_value: object) -> Members:
    return {name: value for name, value in key.items() if with_value or name != "value"}
