"""What a request says, by the members of its operation's input shape."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement

from boostline.contracts.models import AnyShape, Operation
from boostline.local.store.blobs import Blob
from boostline.local.wire.head import Head
from boostline.local.wire.shapes import from_headers, from_json, from_text, from_xml, malformed

Body = bytes | Blob
ITEMS = ("member", "entry")  # what stands before the number of an item, of a list and of a map


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
    if isinstance(body, bytes) and protocol == "json":
        return from_json(shape, body)
    if isinstance(body, bytes) and protocol == "query":
        pairs = head.parameters + parse_qsl(_text(body), keep_blank_values=True)
        members: dict[str, Any] = from_text(shape, _form(pairs))
        return members
    members = _body(shape, protocol, body) | from_headers(shape, head.headers)
    query = _free_query(operation, head)
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "uri" if wire in labels:
                members[name] = from_text(member, labels[wire])
            case "querystring" if found := _query(shape, member, query, wire):
                members[name] = found[0]
    return members


def _body(shape: AnyShape, protocol: str, body: Body) -> dict[str, Any]:
    payload = shape.serialization.get("payload")
    member = shape if payload is None else shape.members[payload]
    if member.type_name == "blob":
        return {payload: body}
    if not body or not isinstance(body, bytes):
        return {}
    if member.type_name == "string":
        return {payload: _text(body)}
    found = from_xml(member, body) if protocol == "rest-xml" else from_json(member, body)
    if payload is not None:
        return {payload: found}
    inside = shape.members.items()
    return {name: found[name] for name, m in inside if name in found and not _located(m)}


def _located(member: AnyShape) -> bool:
    return "location" in member.serialization


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise malformed(f"The body is not UTF-8: {error}") from None


def _free_query(operation: Operation, head: Head) -> dict[str, list[str]]:
    """Return the query without what names the operation itself, for example `mode=import`."""
    fixed = parse_qsl(operation.http["requestUri"].partition("?")[2], keep_blank_values=True)
    query = defaultdict(list)
    for name, value in head.parameters:
        if (name, value) not in fixed:
            query[name].append(value)
    return query


def _query(
    shape: AnyShape, member: AnyShape, query: dict[str, list[str]], wire: str
) -> tuple[Any, ...]:
    """Return the value of a member in the query, if it is there."""
    if member.type_name == "map":
        others = {each.serialization.get("name") for each in shape.members.values()}
        free = {name: found[-1] for name, found in query.items() if name not in others}
        return (free,) if free else ()
    if wire not in query:
        return ()
    if member.type_name == "list":
        return ([from_text(member.member, text) for text in query[wire]],)
    return (from_text(member, query[wire][-1]),)


def _form(pairs: list[tuple[str, str]]) -> Element:
    """Return the tree that the dotted names of the query protocol spell, as if it were XML.

    `Names.member.2=b` is the second item of the list `Names`.
    """
    root = Element("form")
    parts = [
        ([part for part in name.split(".") if part not in ITEMS], text) for name, text in pairs
    ]
    for names, text in sorted(parts, key=lambda pair: [(len(each), each) for each in pair[0]]):
        element = root
        for name in names:
            found = [child for child in element if child.tag == name]
            element = found[-1] if found else SubElement(element, name)
        element.text = text
    return root
