"""API keys and usage plans."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from boostline.local.services.apigateway import plans
from boostline.local.services.apigateway.errors import bad_request, conflict, not_found
from boostline.local.services.apigateway.store import (
    KEY,
    PLAN,
    PLAN_KEY,
    STAGE,
    Stored,
    given,
    new_id,
    page,
    refuse,
)


class Keys(Stored):
    """The operations on API keys and usage plans."""

    def create_api_key(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make a key; its value is made here unless it is given."""
        refuse(request, "stageKeys", "generateDistinctId")
        value = request.get("value") or new_id(40)
        if not 20 <= len(value) <= 128:
            raise bad_request("API Key value should be at least 20 characters, and at most 128")
        if any(one["value"] == value for one in self.platform.resources.list(KEY)):
            raise conflict("API Key already exists")
        now = time.time()
        made = {
            "id": new_id(10),
            "enabled": request.get("enabled", False),
            "createdDate": now,
            "lastUpdatedDate": now,
            "stageKeys": [],
            **given(request, "name", "description", "customerId", "tags"),
            "value": value,
        }
        return self._create(KEY, made["id"], made)

    def get_api_key(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a key, with its value if asked."""
        return _shown(self._get(KEY, request["apiKey"]), request.get("includeValue", False))

    def get_api_keys(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return keys whose name begins as asked, with their values if asked."""
        found = [
            _shown(key, request.get("includeValues", False))
            for key in self.platform.resources.list(KEY)
            if key.get("name", "").startswith(request.get("nameQuery", ""))
            and request.get("customerId") in (None, key.get("customerId"))
        ]
        return page(found, request)

    def delete_api_key(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remove a key, from its usage plans too."""
        key = request["apiKey"]
        for member in self.platform.resources.list(PLAN_KEY):
            if member["id"] == key:
                self._delete(PLAN_KEY, f"{member['plan']}/{key}")
        self._delete(KEY, key)
        return {}

    def create_usage_plan(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make a usage plan."""
        made = {
            "id": new_id(6),
            "apiStages": [],
            **given(request, "name", "description", "apiStages", "throttle", "quota", "tags"),
        }
        self._check_plan(made)
        return self._create(PLAN, made["id"], made)

    def get_usage_plan(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a usage plan."""
        return self._get(PLAN, request["usagePlanId"])

    def get_usage_plans(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return usage plans, those with a key if one is named."""
        found = self.platform.resources.list(PLAN)
        if "keyId" in request:
            members = self.platform.resources.list(PLAN_KEY)
            wanted = {one["plan"] for one in members if one["id"] == request["keyId"]}
            found = [plan for plan in found if plan["id"] in wanted]
        return page(found, request)

    def update_usage_plan(self, request: dict[str, Any]) -> dict[str, Any]:
        """Change a usage plan's name, stages, throttle or quota."""

        def change(plan: dict[str, Any]) -> None:
            plans.patch(plan, request.get("patchOperations", []))
            self._check_plan(plan)

        self._get(PLAN, request["usagePlanId"])
        return self._change(PLAN, request["usagePlanId"], change)

    def delete_usage_plan(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remove a usage plan that has no stages any more."""
        plan = request["usagePlanId"]
        if self._get(PLAN, plan)["apiStages"]:
            raise bad_request(
                f"Cannot delete Usage Plan {plan} because API stages are associated with it: "
                "remove them first"
            )
        for member in self.platform.resources.list(PLAN_KEY, plan):
            self._delete(PLAN_KEY, f"{plan}/{member['id']}")
        self._delete(PLAN, plan)
        return {}

    def create_usage_plan_key(self, request: dict[str, Any]) -> dict[str, Any]:
        """Put a key in a usage plan."""
        if request["keyType"] != "API_KEY":
            raise bad_request("Invalid key type specified: keyType is API_KEY")
        plan = self._get(PLAN, request["usagePlanId"])
        key = self._get(KEY, request["keyId"])
        made = {"id": key["id"], "type": "API_KEY", "plan": plan["id"], "value": key["value"]}
        made |= given(key, "name")
        return self._create(PLAN_KEY, f"{plan['id']}/{key['id']}", made, parent=plan["id"])

    def get_usage_plan_keys(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the keys of a usage plan."""
        plan = self._get(PLAN, request["usagePlanId"])
        found = self.platform.resources.list(PLAN_KEY, plan["id"])
        start = request.get("nameQuery", "")
        return page([one for one in found if one.get("name", "").startswith(start)], request)

    def _check_plan(self, plan: Mapping[str, Any]) -> None:
        plans.check(plan)
        for each in plan["apiStages"]:
            refuse(each, "throttle")
            if self.platform.resources.find(STAGE, f"{each['apiId']}/{each['stage']}") is None:
                raise not_found(f"API Stage {each['apiId']}:{each['stage']}")


def _shown(key: Mapping[str, Any], with_value: bool) -> dict[str, Any]:
    return {name: value for name, value in key.items() if with_value or name != "value"}
