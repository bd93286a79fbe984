"""API Gateway's operations."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from boostline.local.platform import Platform
from boostline.local.services.apigateway import plans, resources, stages
from boostline.local.services.apigateway.dataplane import DataPlane
from boostline.local.services.apigateway.document import Document
from boostline.local.services.apigateway.resources import (
    API,
    KEY,
    PLAN,
    Members,
    Reader,
    bad_request,
    given,
    new_id,
    not_found,
    patch,
    refuse,
)
from boostline.local.services.apigateway.usage import Usage
from boostline.local.wire.errors import AwsError

ACCOUNT = "apigateway.account"
CHANGEABLE: dict[str, Reader | None] = {"/cloudwatchRoleArn": str}
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
LIMITS = {"rateLimit": plans.RATE, "burstLimit": plans.BURST}


class ApiGateway(Usage):
    """REST APIs whose routes are Lambda functions (proxy integration).

    An OpenAPI document goes in; what the local platform does not have in it is refused by name. A
    deployment is a snapshot of the document.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._stages: dict[tuple[str, str], stages.Deployed] = {}
        self._meter = plans.Meter(platform.resources)
        self._data_plane = DataPlane(platform, self._deployed, self._meter)

    get_rest_api = resources.getter(API)
    get_rest_apis = resources.lister(API)
    delete_rest_api = resources.deleter(API)

    def stop(self) -> None:
        """Keep what the quotas counted, and the last lines."""
        self._meter.save()
        if self.platform.loop is not None:
            done = self._data_plane.close()
            asyncio.run_coroutine_threadsafe(done, self.platform.loop).result()

    async def answer(self, request: Request) -> Response:
        """Answer an unsigned request to `/restapis/<api id>/<stage>/<path>`."""
        return await self._data_plane.answer(request)

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
        refuse(request, "cacheClusterEnabled", "cacheClusterSize", "canarySettings")
        now = time.time()
        deployment = {"id": new_id(6), "createdDate": now, **given(request, "description")}
        shown = {"deploymentId": deployment["id"], "lastUpdatedDate": now}
        shown |= given(request, "variables")

        def deploy(api: Members) -> None:
            api["deployments"][deployment["id"]] = {**deployment, "body": api["body"]}
            if "stageName" in request:
                made = {"stageName": request["stageName"], "createdDate": now}
                api["stages"].setdefault(request["stageName"], made).update(shown)

        self.documents.change(API, request, deploy)
        return deployment

    def get_stage(self, request: Members) -> Members:
        """Return a stage."""
        stages = self.documents.get(API, request)["stages"]
        if request["stageName"] not in stages:
            raise not_found("Stage identifier")
        return dict(stages[request["stageName"]])

    def create_stage(self, request: Members) -> Members:
        """Put a deployment on a new stage."""
        refuse(request, "cacheClusterEnabled", "cacheClusterSize", "canarySettings")
        now = time.time()
        made = given(request, "stageName", "deploymentId", "description", "variables", "tags")
        made |= given(request, "tracingEnabled")
        made |= {"createdDate": now, "lastUpdatedDate": now}

        def add(api: Members) -> None:
            if made["stageName"] in api["stages"]:
                raise AwsError("ConflictException", "Stage already exists", 409)
            api["stages"][made["stageName"]] = made
            _check_stages(api)

        return dict(self.documents.change(API, request, add)["stages"][made["stageName"]])

    def update_stage(self, request: Members) -> Members:
        """Move a stage to another deployment, or change what is said of it."""
        self.get_stage(request)

        def change(api: Members) -> None:
            stage = api["stages"][request["stageName"]]
            patch(stage, request, stages.CHANGEABLE, stages.of_method)
            stage["lastUpdatedDate"] = time.time()
            _check_stages(api)

        self.documents.change(API, request, change)
        return self.get_stage(request)

    def delete_stage(self, request: Members) -> None:
        """Remove a stage: its routes are gone."""
        self.get_stage(request)
        self.documents.change(API, request, lambda api: api["stages"].pop(request["stageName"]))

    def delete_deployment(self, request: Members) -> None:
        """Remove a deployment that no stage shows."""

        def remove(api: Members) -> None:
            if api["deployments"].pop(request["deploymentId"], None) is None:
                raise not_found("Deployment identifier")
            if any(
                one["deploymentId"] == request["deploymentId"] for one in api["stages"].values()
            ):
                raise bad_request(
                    "Active stages pointing to this deployment must be moved or deleted"
                )

        self.documents.change(API, request, remove)

    def get_account(self, _: Members) -> Members:
        """Return the account's settings."""
        found = self.platform.resources.find(ACCOUNT, ACCOUNT) or {}
        return {"throttleSettings": LIMITS, "features": ["UsagePlans"], **found}

    def update_account(self, request: Members) -> Members:
        """Change the role by which API Gateway writes logs: it is recorded."""
        account: Members = {}
        patch(account, request, CHANGEABLE)
        self.platform.resources.put(ACCOUNT, ACCOUNT, account)
        return self.get_account({})

    def _changed(self) -> None:
        self._stages = {}  # the next request reads them anew

    def _deployed(self, api: str, stage: str) -> stages.Deployed | None:
        known = self._stages  # a change while this one is read puts another in its place
        if (api, stage) not in known:
            found = self.platform.resources.find(API.name, api)
            if found is None or stage not in found["stages"]:
                return None
            shown = found["stages"][stage]
            keys = {
                key["value"]: (key, plan)
                for plan in self.documents.list(PLAN)
                if {"apiId": api, "stage": stage} in plan["apiStages"]
                for member in plan["keys"]
                if (key := self.documents.get(KEY, {"apiKey": member}))["enabled"]
            }
            body = found["deployments"][shown["deploymentId"]]["body"]
            known[api, stage] = stages.Deployed(found["name"], Document(body), shown, keys)
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
    return {
        "name": content["info"]["title"],
        **given(content["info"], "description", "version"),
        "apiKeySource": "HEADER",
        "endpointConfiguration": {"types": [endpoint]},
        "disableExecuteApiEndpoint": False,
        "body": content,
    }


def _check_stages(api: Members) -> None:
    for stage in api["stages"].values():
        if stage["deploymentId"] not in api["deployments"]:
            raise bad_request("Deployment id does not exist")
