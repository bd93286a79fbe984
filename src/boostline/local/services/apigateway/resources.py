"""What the service keeps, and what is alike in the operations on it."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from boostline.local.store.resources import Missing, Resources
from boostline.local.wire.errors import AwsError

Members = dict[str, Any]
Operation = Callable[[Any, Members], Members | None]


class Kind(NamedTuple):
    """A kind of document: its name in the store and in errors, the member that names one."""

    name: str
    said: str
    member: str


API = Kind("apigateway.api", "API identifier", "restApiId")  # with its deployments and stages
KEY = Kind("apigateway.key", "API Key identifier", "apiKey")
PLAN = Kind("apigateway.plan", "Usage Plan ID", "usagePlanId")  # with the ids of its keys


class Documents:
    """Documents of these kinds; `changed` is called after each change."""

    def __init__(self, resources: Resources, changed: Callable[[], None]) -> None:
        self._resources = resources
        self._changed = changed

    def get(self, kind: Kind, request: Mapping[str, Any]) -> Members:
        """Return the document that a request is about."""
        found = self._resources.find(kind.name, request[kind.member])
        if found is None:
            raise not_found(kind.said)
        return found

    def list(self, kind: Kind) -> list[Members]:
        """Return all documents of a kind, oldest first."""
        return self._resources.list(kind.name)

    def create(self, kind: Kind, document: Members) -> Members:
        """Add a document with an id of its own."""
        self._resources.create(kind.name, document["id"], document)
        self._changed()
        return document

    def change(
        self, kind: Kind, request: Mapping[str, Any], change: Callable[[Members], None]
    ) -> Members:
        """Let `change` edit the document that a request is about."""
        try:
            document = self._resources.change(kind.name, request[kind.member], change)
        except Missing:
            raise not_found(kind.said) from None
        self._changed()
        return document

    def delete(self, kind: Kind, request: Mapping[str, Any]) -> None:
        """Remove the document that a request is about."""
        try:
            self._resources.delete(kind.name, request[kind.member])
        except Missing:
            raise not_found(kind.said) from None
        self._changed()


def getter(kind: Kind) -> Operation:
    """Return the operation that answers one document."""
    return lambda service, request: service.documents.get(kind, request)


def lister(kind: Kind) -> Operation:
    """Return the operation that answers the documents of a kind, by their names if asked."""

    def answer(service: Any, request: Members) -> Members:
        refuse(request, "customerId", "keyId")
        found, start = service.documents.list(kind), request.get("nameQuery", "")
        return {"items": [one for one in found if one.get("name", "").startswith(start)]}

    return answer


def deleter(kind: Kind) -> Operation:
    """Return the operation that removes one document."""
    return lambda service, request: service.documents.delete(kind, request)


def bad_request(message: str) -> AwsError:
    """Return the error for a request that cannot be done."""
    return AwsError("BadRequestException", message, 400)


def conflict(message: str) -> AwsError:
    """Return the error for a thing that is there already."""
    return AwsError("ConflictException", message, 409)


def not_found(what: str) -> AwsError:
    """Return the error for a thing that is not there."""
    return AwsError("NotFoundException", f"Invalid {what} specified", 404)


def given(request: Mapping[str, Any], names: str, besides: str = "") -> Members:
    """Return those members that a request has; refuse all others that ask for something."""
    refuse(request, *sorted(request.keys() - {*names.split(), *besides.split()}))
    return {name: request[name] for name in names.split() if name in request}


def refuse(request: Mapping[str, Any], *names: str) -> None:
    """Refuse members that the local platform does not have, if they ask for something."""
    asked = [name for name in names if request.get(name)]
    if asked:
        raise bad_request(f"the local platform does not have {', '.join(asked)} here")


def new_id(length: int) -> str:
    """Return a random identifier of lower-case letters and digits."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))
