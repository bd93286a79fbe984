"""Values by shape, read and written by botocore's own parts with the roles of both sides swapped.

What botocore parses is an answer and what it serializes is a request; the shapes are alike.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError, SubElement, XMLParser, tostring

from botocore.parsers import JSONParser, ResponseParserError, RestXMLParser
from botocore.serialize import RestJSONSerializer, RestXMLSerializer
from botocore.utils import parse_timestamp

from boostline.contracts.models import AnyShape
from boostline.local.wire.documents import read_json
from boostline.local.wire.errors import AwsError

S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# The root elements that S3's guide shows, where they are not the operation's name and `Result`.
ROOTS = {
    "ListBuckets": "ListAllMyBucketsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListObjectVersions": "ListVersionsResult",
    "DeleteObjects": "DeleteResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetObjectAcl": "AccessControlPolicy",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLocation": "LocationConstraint",
    "GetBucketTagging": "Tagging",
    "GetObjectTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
}


def malformed(message: str) -> AwsError:
    """Return the error for a request that cannot be read."""
    return AwsError("SerializationException", message)


# How far from zero the whole numbers of a type may be, in bits.
BITS = {"integer": 31, "long": 63}


def _fits(shape: AnyShape, value: Any) -> Any:
    """Return a value, or raise `ValueError` for a whole number that its type cannot hold."""
    bits = BITS.get(shape.type_name)
    if bits and isinstance(value, int) and not -(1 << bits) <= value < 1 << bits:
        raise ValueError(f"{value} is no number of {bits + 1} bits")
    return value


class _Json(JSONParser):  # type: ignore[misc]
    """Reads decoded JSON; the strict check looks at scalars, and at unions."""

    def _has_unknown_tagged_union_member(self, *_: Any) -> bool:
        return False

    def _parse_shape(self, shape: AnyShape, node: Any) -> Any:
        kind = {"structure": dict, "map": dict, "list": list}.get(shape.type_name, object)
        if not isinstance(node, kind) and not getattr(shape, "is_document_type", False):
            raise TypeError(f"{node!r:.100} can not be converted to {shape.type_name}")
        return _fits(shape, super()._parse_shape(shape, node))


class _Text(RestXMLParser):  # type: ignore[misc]
    """Reads elements of XML, and the texts of headers, paths and queries."""

    _has_unknown_tagged_union_member = _Json._has_unknown_tagged_union_member  # noqa: SLF001

    def _parse_shape(self, shape: AnyShape, node: Any) -> Any:
        return _fits(shape, super()._parse_shape(shape, node))

    def headers(self, shape: AnyShape, headers: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._parse_non_payload_attrs({"headers": headers}, shape, shape.members, found)
        return {name: value for name, value in found.items() if value != {}}


def _seconds(value: Any) -> float:
    moment: dt.datetime = parse_timestamp(value)
    return moment.timestamp()


_JSON, _TEXT = _Json(_seconds), _Text(_seconds)
_UNREADABLE = (
    # RuntimeError: botocore's for a time beyond the calendar, and too deep a recursion.
    *(ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError),
    ResponseParserError,
)


def _read(parser: Callable[..., Any], shape: AnyShape, value: Any) -> Any:
    try:
        return parser(shape, value)
    except _UNREADABLE as error:
        raise malformed(f"What is to be {shape.name} cannot be read: {error}") from None


def from_json(shape: AnyShape, body: bytes) -> dict[str, Any]:
    """Return what a JSON body means: blobs as bytes, times as epoch seconds, and no nulls.

    Raises
    ------
    AwsError
        `SerializationException` if it is no JSON, or of another form than its shape.
    """
    try:
        decoded = read_json(body or b"{}")
    except ValueError as error:
        raise malformed(f"The body is not JSON: {error}") from None
    members: dict[str, Any] = _read(_JSON._parse_shape, shape, decoded)  # noqa: SLF001
    return members


def from_text(shape: AnyShape, value: Element | str) -> Any:
    """Return what an element or a text means; AwsError `SerializationException` if nothing."""
    return _read(_TEXT._parse_shape, shape, value)  # noqa: SLF001


def from_headers(shape: AnyShape, headers: Any) -> dict[str, Any]:
    """Return the members that a structure has in headers; errors as `from_text`."""
    members: dict[str, Any] = _read(_TEXT.headers, shape, headers)
    return members


def from_xml(shape: AnyShape, body: bytes) -> Any:
    """Return what an XML document means.

    Raises
    ------
    AwsError
        `MalformedXML` if it is none, or declares a document type: entities have no place here.
    """
    parser = XMLParser()  # noqa: S314  (no entity can be declared: see below)
    try:
        if b"<!DOCTYPE" in body.replace(b"\0", b""):  # in UTF-16 too
            raise ParseError("a document type is not allowed")
        parser.feed(body)
        root: Element = parser.close()
    except ParseError as error:
        message = f"The XML you provided was not well-formed: {error}"
        raise AwsError("MalformedXML", message) from None
    return from_text(shape, root)


class _Times:
    """Takes times as handlers have them: epoch seconds, datetimes (UTC if bare) and texts."""

    def _convert_timestamp_to_str(self, value: Any, timestamp_format: str | None = None) -> Any:
        if isinstance(value, int | float):
            value = dt.datetime.fromtimestamp(round(value, 3), dt.UTC)
        elif isinstance(value, dt.datetime) and value.tzinfo is None:
            value = value.replace(tzinfo=dt.UTC)
        return super()._convert_timestamp_to_str(value, timestamp_format)  # type: ignore[misc]


class _JsonWriter(_Times, RestJSONSerializer):  # type: ignore[misc]
    """Writes headers and JSON."""


class _XmlWriter(_Times, RestXMLSerializer):  # type: ignore[misc]
    """Writes headers and XML, under the names that S3 gives its documents."""

    def _serialize_body_params(self, params: dict[str, Any], shape: AnyShape) -> bytes:
        operation = shape.name.removesuffix("Output")
        plain = operation if operation == shape.name else f"{operation}Result"
        parent = Element("")
        if operation == "GetBucketLocation":  # one element, which holds the text itself
            SubElement(parent, ROOTS[operation]).text = params.get(ROOTS[operation])
        else:
            self._serialize(shape, params, parent, ROOTS.get(operation, plain))
        parent[0].set("xmlns", S3_NAMESPACE)
        return document(parent[0])


class _Reply(NamedTuple):
    """An output as botocore's serializers want an operation's input."""

    input_shape: AnyShape
    http: dict[str, str]
    endpoint: None = None


_JSON_WRITER, _XML_WRITER = _JsonWriter("millisecond"), _XmlWriter("millisecond")


def to_rest(shape: AnyShape, protocol: str, members: dict[str, Any]) -> tuple[dict[str, str], Any]:
    """Return headers and body of a structure; a blob that is the body is given back as it is."""
    located = {
        name: value
        for name, value in known(shape, members).items()
        if shape.members[name].serialization.get("location") != "statusCode"
    }
    writer = _XML_WRITER if protocol == "rest-xml" else _JSON_WRITER
    made = writer.serialize_to_request(located, _Reply(shape, {"requestUri": "/"}))
    bare = "payload" not in shape.serialization and not made["body"]
    if bare and any("location" not in each.serialization for each in shape.members.values()):
        made["body"] = writer._serialize_body_params({}, shape)  # noqa: SLF001
    return made["headers"], made["body"]


def to_json(shape: AnyShape, value: Any) -> Any:
    """Return a value as its shape's JSON; what the shape does not know is left out."""
    made: dict[str, Any] = {}
    _JSON_WRITER._serialize(made, known(shape, value), shape, "it")  # noqa: SLF001
    return made["it"]


def add_xml(parent: Element, name: str, shape: AnyShape, value: Any) -> None:
    """Add a value to an element, under a name; what the shape does not know is left out."""
    _XML_WRITER._serialize(shape, known(shape, value), parent, name)  # noqa: SLF001


def known(shape: AnyShape, value: Any) -> Any:
    """Return a value without the members, anywhere in it, that its shape does not know or lack."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            return {
                name: known(member, value[name])
                for name, member in shape.members.items()
                if value.get(name) is not None
            }
        case "list":
            return [known(shape.member, item) for item in value]
        case "map":
            return {key: known(shape.value, item) for key, item in value.items()}
    return value


# Those that a reader would take for a line feed, or XML 1.0 has no place for. S3 writes the latter
# as references, too; clients that are to read such keys ask for `EncodingType=url`.
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f]")


def document(root: Element) -> bytes:
    """Return an element as a document, control characters as references."""
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    written: bytes = _CONTROL.sub(lambda found: b"&#x%x;" % ord(found[0]), text)
    return written
