"""API Gateway, put together."""

from __future__ import annotations

import base64
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from boostline.local.platform import Platform
from boostline.local.services.apigateway.apis import Apis
from boostline.local.services.apigateway.dataplane import DataPlane, Deployed
from boostline.local.services.apigateway.document import Document
from boostline.local.services.apigateway.keys import Keys
from boostline.local.services.apigateway.plans import Meter
from boostline.local.services.apigateway.store import DEPLOYMENT, KEY, PLAN, PLAN_KEY, STAGE

USAGE = "apigateway.usage"


class ApiGateway(Apis, Keys):
    """REST APIs whose routes are Lambda functions (proxy integration).

    An OpenAPI document goes in; what the local platform does not have in it is refused by name. A
    deployment is a snapshot of the document.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._stages: dict[tuple[str, str], Deployed] = {}
        self._meter = Meter(self._load_usage, self._save_usage)
        self._data_plane = DataPlane(platform, self._deployed, self._meter)

    def stop(self) -> None:
        """Keep what the quotas counted."""
        self._meter.close()

    def changed(self) -> None:
        """Let the next request read the stages anew."""
        self._stages = {}

    async def answer(self, request: Request) -> Response:
        """Answer an unsigned request to `/restapis/<api id>/<stage>/<path>`."""
        return await self._data_plane.answer(request)

    def _deployed(self, api: str, stage: str) -> Deployed | None:
        stages = self._stages  # a change while this one is read puts another in its place
        if (api, stage) not in stages:
            found = self.platform.resources.find(STAGE, f"{api}/{stage}")
            if found is None:
                return None
            body = self.platform.resources.get(DEPLOYMENT, found["deploymentId"])["body"]
            document = Document(base64.b64decode(body))
            stages[api, stage] = Deployed(document, found, self._keys(api, stage))
        return stages[api, stage]

    def _keys(self, api: str, stage: str) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        resources = self.platform.resources
        return {
            key["value"]: (key, plan)
            for plan in resources.list(PLAN)
            if {"apiId": api, "stage": stage} in plan["apiStages"]
            for member in resources.list(PLAN_KEY, plan["id"])
            if (key := resources.get(KEY, member["id"]))["enabled"]
        }

    def _load_usage(self, name: str) -> dict[str, Any]:
        return self.platform.resources.find(USAGE, name) or {}

    def _save_usage(self, name: str, used: dict[str, Any]) -> None:
        if self.platform.resources.find(USAGE, name) is None:
            self.platform.resources.create(USAGE, name, used)
        else:
            self.platform.resources.change(USAGE, name, lambda kept: kept.update(used))
