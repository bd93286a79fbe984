"""What a request says, by the members of its operation's input shape."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement

from boostline.contracts.models import AnyShape, Operation
from boostline.local.store.blobs import Blob
from boostline.local.wire.head import Head
from boostline.local.wire.jsons import from_json, wire_name
from boostline.local.wire.values import from_text, malformed
from boostline.local.wire.xmls import from_xml
from boostline.local.wire.xmls import parse as parse_xml

Body = bytes | Blob


def parse(
    operation: Operation, protocol: str, head: Head, labels: dict[str, str], body: Body
) -> dict[str, Any]:
    """Return an operation's input, read from the places where its protocol puts it.

    Parameters
    ----------
    labels
        The values of the path's labels, decoded; empty for the protocols without.
    body
        The whole body, or a stored one if the operation's payload streams.

    Raises
    ------
    AwsError
        `SerializationException` or `MalformedXML` if something cannot be read.
    """
    shape = operation.input_shape
    if shape is None:
        return {}
    if isinstance(body, bytes):
        if protocol == "json":
            return _object(shape, body)
        if protocol == "query":
            pairs = head.parameters + parse_qsl(_text(body), keep_blank_values=True)
            members: dict[str, Any] = from_xml(shape, _form(pairs))
            return members
    return _body(shape, protocol, body) | _located(
        shape, head, labels, _free_query(operation, head)
    )


def _free_query(operation: Operation, head: Head) -> dict[str, list[str]]:
    """Return the query without what names the operation itself, for example `mode=import`."""
    fixed = parse_qsl(operation.http["requestUri"].partition("?")[2], keep_blank_values=True)
    query = defaultdict(list)
    for name, value in head.parameters:
        if (name, value) not in fixed:
            query[name].append(value)
    return query


def _object(shape: AnyShape, body: bytes) -> dict[str, Any]:
    try:
        decoded = json.loads(body or b"{}", parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise malformed(f"The body is not JSON: {error}") from None
    if not isinstance(decoded, dict):
        raise malformed("The body is not a JSON object")
    members: dict[str, Any] = from_json(shape, decoded)
    return members


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _located(
    shape: AnyShape, head: Head, labels: dict[str, str], query: dict[str, list[str]]
) -> dict[str, Any]:
    members = {}
    for name, member in shape.members.items():
        wire = wire_name(name, member)
        match member.serialization.get("location"):
            case "uri":
                found = from_text(member, labels[wire]) if wire in labels else None
            case "querystring":
                found = _query(shape, member, query, wire)
            case "header":
                found = _header(member, head.headers.get(wire))
            case "headers":
                found = {
                    key[len(wire) :]: value
                    for key, value in head.headers.items()
                    if key.startswith(wire.lower())
                }
            case _:
                continue
        if found is not None and found != {}:
            members[name] = found
    return members


def _body(shape: AnyShape, protocol: str, body: Body) -> dict[str, Any]:
    payload = shape.serialization.get("payload")
    if payload is not None:
        return _payload(payload, shape.members[payload], protocol, body)
    inside = {
        name for name, member in shape.members.items() if "location" not in member.serialization
    }
    if not inside or not body or not isinstance(body, bytes):
        return {}
    xml = protocol == "rest-xml"
    found = from_xml(shape, parse_xml(body)) if xml else _object(shape, body)
    return {name: value for name, value in found.items() if name in inside}


def _payload(name: str, shape: AnyShape, protocol: str, body: Body) -> dict[str, Any]:
    if shape.type_name == "blob":
        return {name: body}
    if not body or not isinstance(body, bytes):
        return {}
    if shape.type_name == "string":
        return {name: _text(body)}
    if protocol == "rest-xml":
        return {name: from_xml(shape, parse_xml(body))}
    return {name: _object(shape, body)}


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise malformed(f"The body is not UTF-8: {error}") from None


def _query(shape: AnyShape, member: AnyShape, query: dict[str, list[str]], wire: str) -> Any:
    if member.type_name == "map":
        others = {
            other.serialization.get("name")
            for other in shape.members.values()
            if other.serialization.get("location") == "querystring"
        }
        return {name: found[-1] for name, found in query.items() if name not in others}
    if wire not in query:
        return None
    if member.type_name == "list":
        return [from_text(member.member, text) for text in query[wire]]
    return from_text(member, query[wire][-1])


def _header(member: AnyShape, text: str | None) -> Any:
    if text is None:
        return None
    if member.type_name == "list":
        return [from_text(member.member, item.strip()) for item in text.split(",")]
    return from_text(member, text)


def _form(pairs: list[tuple[str, str]]) -> Element:
    """Return the tree that the dotted names of the query protocol spell, as if it were XML.

    `Names.member.2=b` is the second item of the list `Names`.
    """
    root = Element("form")
    parts = [([part for part in name.split(".") if part != "member"], text) for name, text in pairs]
    for names, text in sorted(parts, key=lambda pair: [(len(each), each) for each in pair[0]]):
        element = root
        for name in names:
            found = [child for child in element if child.tag == name]
            element = found[-1] if found else SubElement(element, name)
        element.text = text
    return root
