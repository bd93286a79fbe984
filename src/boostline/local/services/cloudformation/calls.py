"""What a resource asks of the platform's services, by the table of kinds and botocore's models."""

from __future__ import annotations

import contextlib
import json
import secrets
import string
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from boostline.contracts.models import AnyShape, service_model
from boostline.local.platform import Platform
from boostline.local.services.cloudformation.kinds import KINDS, Kind
from boostline.local.services.cloudformation.values import refuse, text
from boostline.local.services.sagemaker.endpoints import CHANGING
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError

# Where a template's name of a member differs by more than the case of its first letter.
ALIASES = {
    "ExpirationInDays": "Expiration.Days",
    "Id": "ID",
    "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
}
SMALL = {"AWS::ECR::Repository", "AWS::S3::Bucket"}  # whose names have no capitals
_ALPHABET = string.ascii_uppercase + string.digits


class _Facts(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        raise refuse(f"Properties validation failed: required key [{name}] not found")


class Calls:
    """Makes, changes and removes resources, each as a record.

    A record has `ResourceType`, `LogicalResourceId`, `Properties` and, once it is made,
    `PhysicalResourceId` and `Own`, the facts that only the making told.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def create(
        self, stack: str, record: Document, properties: Document, adopts: bool = False
    ) -> None:
        """Make a resource, and put into its record what is known of it then.

        With `adopts`, one that has a name of the template's may be there already.
        """
        kind = KINDS[record["ResourceType"]]
        unique = "".join(secrets.choice(_ALPHABET) for _ in range(12))
        made = f"{stack[:24]}-{record['LogicalResourceId'][:24]}-{unique}"
        made = made.lower() if record["ResourceType"] in SMALL else made
        name = properties.get(kind.name) or made
        record |= {"Properties": properties, "Own": {"unique": unique, "name": name}}
        operations = kind.calls[1].split()
        taken = _taken(kind, operations, properties)
        for operation in operations:
            facts = self._facts(record) | _changes(kind, taken, properties)
            request = self._request(kind, operation, facts)
            if request is not None:
                try:
                    answer = self._call(kind, operation, request)
                except AwsError as error:
                    named = kind.name in properties
                    there = "already" in f"{error.code} {error.message}".lower()
                    if not (adopts and named and there):
                        raise
                    answer = {}
                found = {fact: answer.get(member) for fact, member in kind.keeps.items()}
                record["Own"] |= {fact: value for fact, value in found.items() if value is not None}
        record["PhysicalResourceId"] = kind.ref.format_map(self._facts(record))

    def update(self, record: Document, properties: Document) -> None:
        """Change a resource; only what differs is asked for."""
        kind, before = KINDS[record["ResourceType"]], self._facts(record)
        old, record["Properties"] = record["Properties"], properties
        after = self._facts(record) | _changes(kind, old, properties)
        is_so = self._is_so(record)
        for operation in kind.calls[2].split():
            if is_so and not operation.startswith("?"):
                continue
            now, then = (self._request(kind, operation, facts) for facts in (after, before))
            undo = operation.partition("|")[2]
            if now is None and then is not None and undo:
                self._call(kind, undo, self._request(kind, undo, before) or {})
            elif now is not None and now != then:
                self._call(kind, operation, now)

    def delete(self, record: Document) -> None:
        """Remove a resource; one that is not there any more is no error."""
        kind, old = KINDS[record["ResourceType"]], record["Properties"]
        emptied = {name: value for name, value in old.items() if not isinstance(value, list)}
        facts = self._facts(record) | _changes(kind, old, emptied)
        try:
            for operation in kind.calls[3].split():
                if (request := self._request(kind, operation, facts)) is not None:
                    self._call(kind, operation, request)
        except AwsError as error:
            if not _missing(error):
                raise

    def ready(self, record: Document) -> bool:
        """Whether a resource is what it should be; `AwsError` if it will never be."""
        kind = KINDS[record["ResourceType"]]
        if not kind.describe:
            return True
        facts = self._facts(record)
        answer = self._ask(kind, facts)
        if answer["EndpointStatus"] in CHANGING:
            return False
        wanted = ("InService", facts["EndpointConfigName"])
        if (answer["EndpointStatus"], answer["EndpointConfigName"]) != wanted:
            reason = answer.get("FailureReason", f"It is {answer['EndpointStatus']}")
            raise refuse(reason, "NotStabilized")
        return True

    def _is_so(self, record: Document) -> bool:
        """Whether a resource that can fail is what it should be: it came back by itself."""
        with contextlib.suppress(AwsError):
            return bool(KINDS[record["ResourceType"]].describe) and self.ready(record)
        return False

    def gone(self, record: Document) -> bool:
        """Whether a resource that was removed is not there any more."""
        kind = KINDS[record["ResourceType"]]
        try:
            if kind.describe:
                self._ask(kind, self._facts(record))
        except AwsError as error:
            if not _missing(error):
                raise
            return True
        return not kind.describe

    def attribute(self, record: Document, name: str) -> str:
        """Return what Ref (`name` is empty) or GetAtt gives of a resource."""
        kind = KINDS[record["ResourceType"]]
        template = kind.attributes[name] if name else kind.ref
        return template.format_map(self._facts(record))

    def _facts(self, record: Document) -> _Facts:
        kind, own = KINDS[record["ResourceType"]], record["Own"]
        settings = self._platform.settings
        facts = _Facts(kind.defaults)
        facts |= {n: value for n, value in record["Properties"].items() if n not in kind.recorded}
        facts |= {"account": settings.account, "region": settings.region, **own}
        facts |= {kind.name: own["name"]} if kind.name else {}
        for fact, (name, made_of) in kind.others.items():
            with contextlib.suppress(KeyError):  # a part that is not there
                facts |= {fact: made_of(facts[name])} if name in facts else {}
        facts["ResourceArn"] = record.get("PhysicalResourceId", "")
        return facts

    def _request(self, kind: Kind, operation: str, facts: Mapping[str, Any]) -> Document | None:
        """Return a call's request; None if what it requires is not there, and it is optional."""
        shape = _input(kind, operation)
        found = {
            member: shaped(inner, facts[fact])
            for member, inner in shape.members.items()
            for fact in {member, _lower(member), member[:1].upper() + member[1:]}
            if fact in facts
        }
        needed = {*shape.required_members, shape.serialization.get("payload", "")} - {""}
        return None if operation.startswith("?") and not needed <= found.keys() else found

    def _ask(self, kind: Kind, facts: Mapping[str, Any]) -> Document:
        return self._call(kind, kind.describe, self._request(kind, kind.describe, facts) or {})

    def _call(self, kind: Kind, operation: str, request: Document) -> Document:
        return self._platform.call(kind.service, _plain(operation), request)


def _plain(operation: str) -> str:
    """Return the name of an operation in the table without what is said of it."""
    return operation.lstrip("?").partition("|")[0]


def _input(kind: Kind, operation: str) -> AnyShape:
    return service_model(kind.service).operation_model(_plain(operation)).input_shape


def unchangeable(kind: Kind, changed: set[str]) -> set[str]:
    """Return those properties that no call of the platform changes."""
    if not kind.service:
        return set()
    able = {*kind.replacing, *kind.recorded, "Tags"}
    for operation in kind.calls[2].split():
        members = _input(kind, operation).members
        if "patchOperations" in members:
            return set()
        able |= {member[:1].upper() + member[1:] for member in members}
        able |= {name for fact, (name, _) in kind.others.items() if fact in members}
    return changed - able


def shaped(shape: AnyShape, value: Any) -> Any:
    """Return a template's value as an operation takes it.

    Texts become numbers, documents become JSON, lists of tags become maps, where the shape says
    so. What does not fit stays as it is: the strict check names it.
    """
    kind, made = shape.type_name, value
    match kind, value:
        case "structure", list() if len(shape.members) == 1:
            (member,) = shape.members
            made = {member: shaped(shape.members[member], value)}
        case "structure", dict():
            made = dict(_members(shape, value))
        case "list", list():
            made = [shaped(shape.member, item) for item in value]
        case "map", [{"Key": _, "Value": _}, *_]:
            made = {item["Key"]: text(item["Value"]) for item in value}
        case "map", dict():
            made = {name: shaped(shape.value, item) for name, item in value.items()}
        case _ if kind in SCALARS:
            with contextlib.suppress(TypeError, ValueError):
                made = SCALARS[kind](value)
    return made


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else text(value)


# What a scalar of a template becomes, by the type that an operation takes.
SCALARS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "blob": lambda value: value if isinstance(value, bytes) else _text(value).encode(),
    "boolean": lambda value: {"true": True, "false": False}.get(value, value),
    **dict.fromkeys(("integer", "long"), lambda value: int(value) if _is_text(value) else value),
    **dict.fromkeys(("float", "double"), lambda value: float(value) if _is_text(value) else value),
}


def _members(shape: AnyShape, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    known = {_lower(member): member for member in shape.members}
    for name, item in value.items():
        member, _, inner = known.get(_lower(name), ALIASES.get(name, name)).partition(".")
        given = {inner: item} if inner else item
        yield member, shaped(shape.members[member], given) if member in shape.members else item


def _taken(kind: Kind, operations: list[str], properties: Document) -> Document:
    """Return those properties that the first of some operations takes as they are."""
    members = {_lower(name) for each in operations[:1] for name in _input(kind, each).members}
    return {name: value for name, value in properties.items() if _lower(name) in members}


def _changes(kind: Kind, old: Document, new: Document) -> Document:
    """Return what a change is to calls that take changes: patches, what tags and targets go."""
    old, new = kind.defaults | old, kind.defaults | new
    facts = {name: (fact, made_of) for fact, (name, made_of) in kind.others.items()}
    patches = [
        {"op": op, "path": path} | ({} if value is None else {"value": value})
        for name in sorted((old.keys() | new.keys()) - kind.recorded - {"Tags"})
        if any("patchOperations" in _input(kind, each).members for each in kind.calls[2].split())
        for fact, made_of in [facts.get(name, (name, lambda value: value))]
        for op, path, value in _patches(
            f"/{_lower(fact)}".rstrip("/"), made_of(old.get(name)), made_of(new.get(name))
        )
    ]
    found = {"patchOperations": patches}
    for fact, name, member in (("TagKeys", "Tags", "Key"), ("Ids", "Targets", "Id")):
        keys = [{item[member] for item in each.get(name, [])} for each in (old, new)]
        found[fact] = sorted(keys[0] - keys[1])
    return {fact: value for fact, value in found.items() if value}


def _patches(path: str, old: Any, new: Any) -> Iterator[tuple[str, str, str | None]]:
    """Give API Gateway's patches: https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html."""
    if old == new:
        return
    if isinstance(old or new, list):  # of objects: their values with colons between
        before, after = ([":".join(item.values()) for item in each or []] for each in (old, new))
        yield from (("remove", path, item) for item in before if item not in after)
        yield from (("add", path, item) for item in after if item not in before)
    elif new is None:
        yield "remove", path, None
    elif isinstance(new, dict):
        inside = old or {}
        for name in sorted(inside.keys() | new.keys()):
            yield from _patches(f"{path}/{_lower(name)}", inside.get(name), new.get(name))
    else:
        yield "replace", path, text(new)


def _missing(error: AwsError) -> bool:
    said = ("could not find", "does not exist", "not found")
    named = "NotFound" in error.code or "NoSuch" in error.code
    return named or any(each in error.message.lower() for each in said)


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
