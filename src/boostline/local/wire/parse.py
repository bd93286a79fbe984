"""What a request says, by the members of its operation's input shape."""

from __future__ import annotations

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
    if isinstance(body, bytes) and protocol == "query":
        pairs = head.parameters + parse_qsl(_text(body), keep_blank_values=True)
        form: dict[str, Any] = from_text(shape, _form(pairs))
        return form
    members = _body(shape, protocol, body) | from_headers(shape, head.headers)
    query = dict(head.parameters)
    places = {"uri": labels, "querystring": query}
    for name, member in shape.members.items():
        found = places.get(member.serialization.get("location"), {})
        wire = member.serialization.get("name", name)
        if wire in found:
            members[name] = from_text(member, found[wire])
        elif found is query and member.type_name == "map":  # of all that is left over
            known = {each.serialization.get("name") for each in shape.members.values()}
            members[name] = {key: text for key, text in query.items() if key not in known}
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
    inside = {name for name, m in shape.members.items() if "location" not in m.serialization}
    return {name: found[name] for name in inside & found.keys()}


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise malformed(f"The body is not UTF-8: {error}") from None


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
