"""What the service keeps, and what is alike in the operations on it."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from boostline.local.store.resources import Missing, Resources
from boostline.local.wire.errors import AwsError

Members = dict[str, Any]
Operation = Callable[[Any, Members], Members | None]
Reader = Callable[[str], Any]  # of a text; ValueError if it means nothing


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
    """Return the operation that answers the documents of a kind."""
    return lambda service, request: named(service.documents.list(kind), request)


def deleter(kind: Kind) -> Operation:
    """Return the operation that removes one document."""
    return lambda service, request: service.documents.delete(kind, request)


def named(items: list[Members], request: Mapping[str, Any]) -> Members:
    """Return those whose name begins as asked."""
    refuse(request, "customerId", "keyId")
    start = request.get("nameQuery", "")
    return {"items": [one for one in items if one.get("name", "").startswith(start)]}


def bad_request(message: str) -> AwsError:
    """Return the error for a request that cannot be done."""
    return AwsError("BadRequestException", message, 400)


def not_found(what: str) -> AwsError:
    """Return the error for a thing that is not there."""
    return AwsError("NotFoundException", f"Invalid {what} specified", 404)


def given(request: Mapping[str, Any], *names: str) -> Members:
    """Return those members that a request has."""
    return {name: request[name] for name in names if name in request}


def refuse(request: Mapping[str, Any], *names: str) -> None:
    """Refuse members that the local platform does not have, if they ask for something."""
    asked = [name for name in names if request.get(name)]
    if asked:
        raise bad_request(f"the local platform does not have {', '.join(asked)} here")


def patch(
    document: Members,
    request: Mapping[str, Any],
    values: Mapping[str, Reader | None],
    meant: Callable[[Mapping[str, str]], Mapping[str, str]] = dict,
) -> None:
    """Apply a request's patch operations to a document, or refuse them.

    Parameters
    ----------
    values
        How a value is read, by its path (a JSON pointer), in which `*` stands for any name. None is
        for what can only be removed, as what ends in `*` can be too.
    meant
        Makes another operation of one first.
    """
    for operation in map(meant, request.get("patchOperations", [])):
        op, path = operation.get("op"), operation.get("path", "")
        slashes = path.count("/")
        known = (each for each in values if each.count("/") == slashes and fnmatchcase(path, each))
        found = next(known, "")
        read = values.get(found)
        removes = op == "remove" and (found.endswith("*") or (found and read is None))
        if not removes and (read is None or op not in {"add", "replace"}):
            has = f"replace of {', '.join(values)}"
            raise bad_request(
                f"Invalid patch: the local platform has no {op!r} of {path!r}; it has {has}"
            )
        place, names = document, path[1:].split("/")
        *parents, name = (each.replace("~1", "/").replace("~0", "~") for each in names)
        for parent in parents:
            place = place.setdefault(parent, {})
        if removes or read is None:
            place.pop(name, None)
            continue
        value = operation.get("value", "")
        try:
            place[name] = read(value)
        except ValueError:
            raise bad_request(f"Invalid patch value {value!r} for {path}") from None


def boolean(text: str) -> bool:
    """Read a patch's value."""
    return bool(("false", "true").index(text.lower()))


def new_id(length: int) -> str:
    """Return a random identifier of lower-case letters and digits."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))
