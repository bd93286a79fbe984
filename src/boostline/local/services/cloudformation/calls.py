"""What a resource asks of the platform's services, by the table of kinds and botocore's models."""

from __future__ import annotations

import contextlib
import json
import string
from collections.abc import Iterator, Mapping
from typing import Any

from boostline.contracts.models import AnyShape, service_model
from boostline.local.names import random_name
from boostline.local.platform import Platform
from boostline.local.services.apigateway.documents import by_path
from boostline.local.services.cloudformation.kind import Kind
from boostline.local.services.cloudformation.kinds import KINDS
from boostline.local.services.cloudformation.values import refuse, text
from boostline.local.services.sagemaker.endpoints import CHANGING
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError

# Where a template's name differs from the member by more than the case of its first letter: only
# asked where a call has no member of the template's own name.
ALIASES = {
    "AccessLogSetting": "accessLogSettings",
    "AlarmName": "AlarmNames",
    "BucketName": "Bucket",
    "CloudWatchRoleArn": "cloudwatchRoleArn",
    "ExpirationInDays": "Expiration.Days",
    "Id": "ID",
    "Name": "Rule",
    "PolicyDocument": "Policy",
    "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
    "Tags": "Tagging",
    "UsagePlanName": "name",
}
SMALL = {"AWS::ECR::Repository", "AWS::S3::Bucket"}  # whose names have no capitals


class _Facts(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        raise refuse(f"Properties validation failed: required key [{name}] not found")


class Calls:
    """Makes, changes and removes resources, each as a record.

    A record has `StackName`, `LogicalResourceId`, `ResourceType`, `Properties` and, once it is
    made, `PhysicalResourceId` and `Own`, the facts that only the making told.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def create(self, record: Document, properties: Document, adopts: bool = False) -> None:
        """Make a resource, and put into its record what is known of it then.

        With `adopts`, one that has a name of the template's may be there already.
        """
        kind = KINDS[record["ResourceType"]]
        unique = random_name(12, string.ascii_uppercase)
        made = f"{record['StackName'][:24]}-{record['LogicalResourceId'][:24]}-{unique}"
        made = made.lower() if record["ResourceType"] in SMALL else made
        record["Own"] = {"unique": unique, "name": properties.get(kind.name) or made}
        record["Properties"] = {
            name: value
            for name, value in properties.items()
            if kind.describe or creates_with(kind, {name: value})  # else it cannot be updated yet
        }
        if kind.calls[1]:
            fact, member = kind.keeps
            answer = self._created(kind, self._facts(record), adopts and kind.name in properties)
            record["Own"] |= {fact: answer[member]} if member in answer else {}
        self.update(record, properties)
        record["PhysicalResourceId"] = self.attribute(record, "")

    def _created(self, kind: Kind, facts: Mapping[str, Any], adopts: bool) -> Document:
        try:
            return self._call(kind, kind.calls[1], facts)
        except AwsError as error:
            if adopts and "already" in f"{error.code} {error.message}".lower():
                return {}
            raise

    def update(self, record: Document, properties: Document) -> None:
        """Change a resource; only what differs is asked for."""
        kind, before = KINDS[record["ResourceType"]], self._facts(record)
        old, record["Properties"] = record["Properties"], properties
        after = self._facts(record) | _changes(kind, old, properties)
        is_so = self._is_so(record)
        for operation in kind.calls[2].split():
            if is_so and not operation.startswith("?"):
                continue
            now, then = (request(kind, operation, facts) for facts in (after, before))
            undo = operation.partition("|")[2]
            if now is None and then is not None and undo:
                self._call(kind, undo, before)
            elif now is not None and now != then:
                self._call(kind, operation, after)

    def delete(self, record: Document) -> None:
        """Remove a resource; one that is not there any more is no error."""
        kind, old = KINDS[record["ResourceType"]], record["Properties"]
        emptied = {name: value for name, value in old.items() if not isinstance(value, list)}
        facts = self._facts(record) | _changes(kind, old, emptied)
        try:
            for operation in kind.calls[3].split():
                self._call(kind, operation, facts)
        except AwsError as error:
            if not _missing(error):
                raise

    def ready(self, record: Document) -> bool:
        """Whether a resource is what it should be; `AwsError` if it will never be."""
        answer = self._described(record)
        if answer is None:
            return True
        if answer["EndpointStatus"] in CHANGING:
            return False
        wanted = ("InService", record["Properties"]["EndpointConfigName"])
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
        try:
            return self._described(record) is None
        except AwsError as error:
            if not _missing(error):
                raise
            return True

    def _described(self, record: Document) -> Document | None:
        kind = KINDS[record["ResourceType"]]
        return self._call(kind, kind.describe, self._facts(record)) if kind.describe else None

    def attribute(self, record: Document, name: str) -> str:
        """Return what Ref (`name` is empty) or GetAtt gives of a resource."""
        kind = KINDS[record["ResourceType"]]
        template = kind.attributes[name] if name else kind.ref or f"{{{kind.keeps[0]}}}"
        return template.format_map(self._facts(record))

    def _facts(self, record: Document) -> _Facts:
        kind, own, settings = KINDS[record["ResourceType"]], record["Own"], self._platform.settings
        facts = _Facts(kind.defaults)
        facts |= told(kind, record["Properties"])
        facts |= {"account": settings.account, "region": settings.region, **own}
        facts |= {kind.name: own["name"]} if kind.name else {}
        facts["ResourceArn"] = record.get("PhysicalResourceId", "")
        return facts

    def _call(self, kind: Kind, operation: str, facts: Mapping[str, Any]) -> Document:
        asked = request(kind, operation, facts)
        return {} if asked is None else self._platform.call(kind.service, _plain(operation), asked)


def told(kind: Kind, properties: Mapping[str, Any]) -> Document:
    """Return the facts that properties are, and those inside of them."""
    found = {name: value for name, value in properties.items() if name not in kind.recorded}
    inside = (tells(found[name]) for name, tells in kind.others.items() if name in found)
    return found | {fact: value for each in inside for fact, value in each.items()}


def creates_with(kind: Kind, properties: Mapping[str, Any]) -> bool:
    """Whether the call that creates takes something of some properties."""
    return bool(kind.calls[1] and request(kind, kind.calls[1], told(kind, properties)))


def request(kind: Kind, operation: str, facts: Mapping[str, Any]) -> Document | None:
    """Return a call's request; None if what it requires is not there, and it is optional."""
    shape = _input(kind, operation)
    found = {name: value for name, value in _members(shape, facts) if name in shape.members}
    needed = {*shape.required_members, shape.serialization.get("payload", "")} - {""}
    return None if operation.startswith("?") and not needed <= found.keys() else found


def _plain(operation: str) -> str:
    """Return the name of an operation in the table without what is said of it."""
    return operation.lstrip("?").partition("|")[0]


def _input(kind: Kind, operation: str) -> AnyShape:
    return service_model(kind.service).operation_model(_plain(operation)).input_shape


def shaped(shape: AnyShape, value: Any) -> Any:
    """Return a template's value as an operation takes it.

    Texts become numbers, documents become JSON, lists of tags become maps, what stands alone
    becomes a list, where the shape says so. What does not fit stays as it is: the strict check
    names it.
    """
    made = value
    match shape.type_name, value:
        case "structure", list() if len(shape.members) == 1:
            (member,) = shape.members
            made = {member: shaped(shape.members[member], value)}
        case "structure", dict():
            made = dict(_members(shape, value))
        case "list", list():
            made = [shaped(shape.member, item) for item in value]
        case "list", str():
            made = [value]
        case "map", [{"Key": _, "Value": _}, *_]:
            made = {item["Key"]: shaped(shape.value, item["Value"]) for item in value}
        case "map", dict():
            made = {name: shaped(shape.value, item) for name, item in value.items()}
        case "string", _:
            made = _text(value)
        case "blob", _ if not isinstance(value, bytes):
            made = _text(value).encode()
        case "integer" | "long" | "float" | "double" | "boolean", str():
            with contextlib.suppress(ValueError):
                made = json.loads(value)
    return made


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _members(shape: AnyShape, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    known = {_lower(member): member for member in shape.members}
    for name, item in value.items():
        member, _, inner = known.get(_lower(name), ALIASES.get(name, name)).partition(".")
        given = {inner: item} if inner else item
        yield member, shaped(shape.members[member], given) if member in shape.members else item


def _changes(kind: Kind, old: Document, new: Document) -> Document:
    """Return what a change is to calls that take changes: patches, what tags and targets go."""
    found: Document = {}
    if any("patchOperations" in _input(kind, each).members for each in kind.calls[2].split()):
        before, after = (_patched(kind.defaults | each) for each in (old, new))
        found["patchOperations"] = [
            {"op": op, "path": path} | ({} if value is None else {"value": value})
            for op, path, value in _patches("", before, after)
        ]
    for fact, name, member in (("TagKeys", "Tags", "Key"), ("Ids", "Targets", "Id")):
        keys = [{item[member] for item in each.get(name, [])} for each in (old, new)]
        found[fact] = sorted(keys[0] - keys[1])
    return {fact: value for fact, value in found.items() if value}


def _patched(properties: Document) -> Document:
    """Return properties as the paths of patches go through them."""
    found = {ALIASES.get(name, name): value for name, value in properties.items() if name != "Tags"}
    return found | by_path(found.pop("MethodSettings", []))


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
