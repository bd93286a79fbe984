"""REST APIs, their deployments and stages."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

from boostline.local.services.apigateway.document import Document
from boostline.local.services.apigateway.errors import bad_request
from boostline.local.services.apigateway.store import (
    API,
    DEPLOYMENT,
    STAGE,
    Stored,
    given,
    new_id,
    page,
    refuse,
)


class Apis(Stored):
    """The operations on APIs."""

    def import_rest_api(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make an API from an OpenAPI 3 document in JSON."""
        api = new_id(10)
        made = {"id": api, "createdDate": time.time(), "rootResourceId": new_id(10)}
        return self._create(API, api, self._imported(made, request))

    def put_rest_api(self, request: dict[str, Any]) -> dict[str, Any]:
        """Replace an API's document; stages keep theirs until the next deployment."""
        if request.get("mode", "merge") != "overwrite":
            raise bad_request("the local platform replaces documents: say mode=overwrite")
        kept = self._get(API, request["restApiId"])
        return self._change(API, kept["id"], lambda api: api.update(self._imported(api, request)))

    def get_rest_api(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return an API."""
        return self._get(API, request["restApiId"])

    def get_rest_apis(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return APIs, oldest first."""
        return page(self.platform.resources.list(API), request)

    def delete_rest_api(self, request: dict[str, Any]) -> dict[str, Any]:
        """Remove an API with its stages and deployments."""
        api = self._get(API, request["restApiId"])["id"]
        for stage in self.platform.resources.list(STAGE, api):
            self._delete(STAGE, f"{api}/{stage['stageName']}")
        for deployment in self.platform.resources.list(DEPLOYMENT, api):
            self._delete(DEPLOYMENT, deployment["id"])
        self._delete(API, api)
        return {}

    def create_deployment(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take a snapshot of the API's document, and put it on a stage if one is named."""
        refuse(request, "cacheClusterEnabled", "cacheClusterSize", "canarySettings")
        api = self._get(API, request["restApiId"])
        now = time.time()
        deployment = {
            "id": new_id(6),
            "createdDate": now,
            "body": api["body"],
            **given(request, "description"),
        }
        self._create(DEPLOYMENT, deployment["id"], deployment, parent=api["id"])
        if "stageName" in request:
            self._put_stage(api["id"], deployment["id"], now, request)
        return deployment

    def get_stage(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a stage."""
        self._get(API, request["restApiId"])
        return self._get(STAGE, f"{request['restApiId']}/{request['stageName']}")

    def get_stages(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return an API's stages."""
        self._get(API, request["restApiId"])
        stages = self.platform.resources.list(STAGE, request["restApiId"])
        wanted = request.get("deploymentId")
        return {"item": [one for one in stages if wanted in (None, one["deploymentId"])]}

    def _imported(self, api: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
        document = Document(request["body"])
        parameters = dict(request.get("parameters", {}))
        parameters.pop("mode", None)  # ImportRestApi's own `?mode=import` is among them
        endpoint = parameters.pop("endpointConfigurationTypes", "EDGE")
        if parameters.pop("basepath", "ignore") != "ignore" or parameters:
            raise bad_request(
                "the local platform has the import parameters endpointConfigurationTypes and "
                f"basepath=ignore, not {sorted(parameters) or 'another basepath'}"
            )
        described = {"description": document.description, "version": document.version}
        return {
            **api,
            "name": document.title,
            **{name: value for name, value in described.items() if value},
            "apiKeySource": "HEADER",
            "binaryMediaTypes": document.binary_types,
            "endpointConfiguration": {"types": [endpoint]},
            "disableExecuteApiEndpoint": False,
            "body": base64.b64encode(request["body"]).decode(),
        }

    def _put_stage(self, api: str, deployment: str, now: float, request: Mapping[str, Any]) -> None:
        name = request["stageName"]
        changes = {
            "deploymentId": deployment,
            "lastUpdatedDate": now,
            **given(request, "variables"),
        }
        if "stageDescription" in request:
            changes["description"] = request["stageDescription"]
        stage = {"stageName": name, "createdDate": now, "tracingEnabled": False, **changes}
        if self.platform.resources.find(STAGE, f"{api}/{name}") is None:
            self._create(STAGE, f"{api}/{name}", stage, parent=api)
        else:
            self._change(STAGE, f"{api}/{name}", lambda kept: kept.update(changes))
