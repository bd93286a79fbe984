"""XML bodies by shape."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, XMLParser

from boostline.contracts.models import AnyShape
from boostline.local.wire.errors import AwsError
from boostline.local.wire.jsons import wire_name
from boostline.local.wire.values import from_text, to_text

_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"  # of the one attribute: a grantee's type


def parse(body: bytes) -> Element:
    """Return the root element of a document, without namespaces.

    Raises
    ------
    AwsError
        `MalformedXML` if it is none, or declares a document type: entities have no place here.
    """
    parser = XMLParser()  # noqa: S314  (no entity can be declared: see below)
    try:
        if b"<!DOCTYPE" in body:
            raise ParseError("a document type is not allowed")
        parser.feed(body)
        root: Element = parser.close()
    except ParseError as error:
        raise AwsError(
            "MalformedXML", f"The XML you provided was not well-formed: {error}"
        ) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: text for name, text in element.attrib.items()}
    return root


def from_xml(shape: AnyShape, element: Element) -> Any:
    """Return what an element means as a value of a shape; unknown elements are left out."""
    match shape.type_name:
        case "structure":
            members = {}
            for name, member in shape.members.items():
                found = _member(name, member, element)
                if found is not None:
                    members[name] = found
            return members
        case "list":
            return [from_xml(shape.member, item) for item in element]
        case "map":
            key, value = wire_name("key", shape.key), wire_name("value", shape.value)
            return {
                entry.findtext(key, ""): from_xml(shape.value, entry.find(value) or Element(value))
                for entry in element
            }
    return from_text(shape, element.text or "")


def _member(name: str, shape: AnyShape, element: Element) -> Any:
    if shape.serialization.get("flattened") and shape.type_name == "list":
        items = element.findall(_flat_name(name, shape))
        return [from_xml(shape.member, item) for item in items] or None
    if shape.serialization.get("xmlAttribute"):
        return element.get(wire_name(name, shape).rpartition(":")[2])
    child = element.find(wire_name(name, shape))
    return None if child is None else from_xml(shape, child)


def add_xml(parent: Element, name: str, shape: AnyShape, value: Any) -> None:
    """Add a value of a shape to an element, under a name; unknown members are left out."""
    kind = shape.type_name
    if kind == "list":
        flat = shape.serialization.get("flattened")
        target = parent if flat else SubElement(parent, name)
        item_name = _flat_name(name, shape) if flat else wire_name("member", shape.member)
        for item in value:
            add_xml(target, item_name, shape.member, item)
    elif kind == "map":
        target = SubElement(parent, name)
        for key, item in value.items():
            entry = SubElement(target, "entry")
            add_xml(entry, wire_name("key", shape.key), shape.key, key)
            add_xml(entry, wire_name("value", shape.value), shape.value, item)
    elif kind == "structure":
        add_members(SubElement(parent, name), shape, value)
    else:
        SubElement(parent, name).text = to_text(shape, value, "iso8601")


def add_members(element: Element, shape: AnyShape, value: dict[str, Any]) -> None:
    """Add the members of a structure that belong in the body to its element."""
    for name, member in shape.members.items():
        if value.get(name) is None or "location" in member.serialization:
            continue
        if member.serialization.get("xmlAttribute"):
            element.set("xmlns:xsi", _INSTANCE)
            element.set(wire_name(name, member), value[name])
        else:
            add_xml(element, wire_name(name, member), member, value[name])


def _flat_name(name: str, shape: AnyShape) -> str:
    return str(shape.serialization.get("name") or wire_name(name, shape.member))
