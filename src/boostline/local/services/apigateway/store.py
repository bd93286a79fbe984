"""The documents of APIs, keys and plans."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from boostline.local.service import Service
from boostline.local.services.apigateway.errors import bad_request, conflict, not_found
from boostline.local.store.resources import Exists, Missing

API, DEPLOYMENT, STAGE = "apigateway.api", "apigateway.deployment", "apigateway.stage"
KEY, PLAN, PLAN_KEY = "apigateway.key", "apigateway.plan", "apigateway.plan-key"

_NAMES = {
    API: "API identifier",
    DEPLOYMENT: "Deployment identifier",
    STAGE: "Stage identifier",
    KEY: "API Key identifier",
    PLAN: "Usage Plan ID",
    PLAN_KEY: "Usage Plan Key",
}


class Stored(Service):
    """A part of the service that keeps documents, each change of which reaches the data plane."""

    def changed(self) -> None:
        """Take note that a document changed."""
        raise NotImplementedError

    def _get(self, kind: str, name: str) -> dict[str, Any]:
        found = self.platform.resources.find(kind, name)
        if found is None:
            raise not_found(_NAMES[kind])
        return found

    def _create(
        self, kind: str, name: str, document: dict[str, Any], parent: str = ""
    ) -> dict[str, Any]:
        try:
            self.platform.resources.create(kind, name, document, parent)
        except Exists:
            raise conflict(f"{_NAMES[kind]} already exists: {name}") from None
        self.changed()
        return document

    def _change(
        self, kind: str, name: str, change: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        try:
            document = self.platform.resources.change(kind, name, change)
        except Missing:
            raise not_found(_NAMES[kind]) from None
        self.changed()
        return document

    def _delete(self, kind: str, name: str) -> None:
        try:
            self.platform.resources.delete(kind, name)
        except Missing:
            raise not_found(_NAMES[kind]) from None
        self.changed()


def page(items: list[dict[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of a listing: `position` is where the next one begins."""
    position = request.get("position", "0")
    if not position.isdecimal():
        raise bad_request(f"Invalid position {position!r}")
    start = int(position)
    end = start + request.get("limit", 25)
    more = {"position": str(end)} if end < len(items) else {}
    return {"items": items[start:end], **more}


def given(request: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return those members that a request has."""
    return {name: request[name] for name in names if name in request}


def refuse(request: Mapping[str, Any], *names: str) -> None:
    """Refuse members that the local platform does not have, if they ask for something."""
    asked = [name for name in names if request.get(name)]
    if asked:
        raise bad_request(f"the local platform does not have {', '.join(asked)} here")


def new_id(length: int) -> str:
    """Return a random identifier of lower-case letters and digits."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))
