"""What is sent back: outputs and errors in the forms of the protocols."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from boostline.contracts.models import AnyShape, Operation, Service
from boostline.local.store.blobs import FileRange
from boostline.local.wire.errors import AwsError
from boostline.local.wire.jsons import to_json, wire_name
from boostline.local.wire.values import to_text
from boostline.local.wire.xmls import add_members

S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# The root elements that S3's guide shows, where they are not the output shape's name.
ROOTS = {
    "ListBuckets": "ListAllMyBucketsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListObjectVersions": "ListVersionsResult",
    "DeleteObjects": "DeleteResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "GetBucketAcl": "AccessControlPolicy",
    "GetObjectAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketTagging": "Tagging",
    "GetObjectTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
}
# Its answer is one element, which holds the text itself (S3 API reference, GetBucketLocation).
UNWRAPPED = {"GetBucketLocationOutput": "LocationConstraint"}


@dataclass
class Answer:
    """Status, headers and body of a response."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | FileRange = b""


def output(operation: Operation, protocol: str, members: dict[str, Any], request_id: str) -> Answer:
    """Return a handler's result on the wire: the members that the output shape knows."""
    status = members.get("ResponseMetadata", {}).get(
        "HTTPStatusCode", operation.http.get("responseCode", 200)
    )
    answer = Answer(status, _request_id(protocol, request_id))
    shape = operation.output_shape
    if protocol == "json":
        answer.headers["content-type"] = "application/x-amz-json-1.1"
        answer.body = json.dumps(to_json(shape, members)).encode() if shape else b""
    elif protocol == "query":
        answer.headers["content-type"] = "text/xml"
        answer.body = _query(operation, shape, members, request_id)
    elif shape is not None:
        _rest(answer, shape, protocol, members)
    return answer


def failure(
    error: AwsError, model: Service | None, protocol: str, head_only: bool, request_id: str
) -> Answer:
    """Return an error on the wire; `model` knows the members and names of its shape, if any."""
    shape = model.shape_for_error_code(error.code) if model is not None else None
    answer = Answer(error.status, _request_id(protocol, request_id))
    if shape is not None:
        answer.headers.update(_headers(shape, error.members))
    answer.headers |= {name: text for name, text in error.members.items() if name[:2] == "x-"}
    if protocol in {"json", "rest-json"}:
        json_type = "application/x-amz-json-1.1" if protocol == "json" else "application/json"
        answer.headers |= {"content-type": json_type, "x-amzn-errortype": error.code}
        answer.body = json.dumps(_error_json(error, shape, protocol)).encode()
    elif not head_only and error.status != 304:
        answer.headers["content-type"] = "application/xml"
        answer.body = _error_xml(error, model, protocol, request_id)
    return answer


def _error_json(error: AwsError, shape: AnyShape | None, protocol: str) -> dict[str, Any]:
    names = shape.members if shape is not None else ()
    message = next((name for name in names if name.lower() == "message"), "message")
    members = error.members if shape is None else to_json(shape, error.members)
    kind = {"__type": error.code} if protocol == "json" else {}
    return {**kind, **members, message: error.message}


def _request_id(protocol: str, request_id: str) -> dict[str, str]:
    if protocol == "rest-xml":
        return {"x-amz-request-id": request_id, "x-amz-id-2": request_id}
    return {"x-amzn-requestid": request_id}


def _query(
    operation: Operation, shape: AnyShape | None, members: dict[str, Any], request_id: str
) -> bytes:
    namespace = operation.service_model.metadata.get("xmlNamespace", "")
    root = Element(f"{operation.name}Response", xmlns=namespace)
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result")
        add_members(SubElement(root, wrapper), shape, members)
    SubElement(SubElement(root, "ResponseMetadata"), "RequestId").text = request_id
    return _document(root)


def _rest(answer: Answer, shape: AnyShape, protocol: str, members: dict[str, Any]) -> None:
    answer.headers.update(_headers(shape, members))
    for name, member in shape.members.items():
        if member.serialization.get("location") == "statusCode" and name in members:
            answer.status = members[name]
    payload = shape.serialization.get("payload")
    if payload is not None:
        value, member = members.get(payload), shape.members[payload]
        if value is None:
            return
        if member.type_name in {"blob", "string"}:
            answer.body = value.encode() if isinstance(value, str) else value
            return
        shape, members = member, value
    inside = any("location" not in member.serialization for member in shape.members.values())
    if not inside and payload is None:
        return
    if protocol == "rest-json":
        answer.headers.setdefault("content-type", "application/json")
        located = {name for name, m in shape.members.items() if "location" in m.serialization}
        body = {name: value for name, value in members.items() if name not in located}
        answer.body = json.dumps(to_json(shape, body)).encode()
    else:
        answer.headers.setdefault("content-type", "application/xml")
        answer.body = _rest_xml(shape, members)


def _rest_xml(shape: AnyShape, members: dict[str, Any]) -> bytes:
    if shape.name in UNWRAPPED:
        root = Element(UNWRAPPED[shape.name], xmlns=S3_NAMESPACE)
        root.text = members.get(UNWRAPPED[shape.name])
    else:
        operation = shape.name.removesuffix("Output")
        output = operation if operation == shape.name else f"{operation}Result"
        root = Element(ROOTS.get(operation, output), xmlns=S3_NAMESPACE)
        add_members(root, shape, members)
    return _document(root)


def _headers(shape: AnyShape, members: dict[str, Any]) -> dict[str, str]:
    headers = {}
    for name, member in shape.members.items():
        value = members.get(name)
        if value is None:
            continue
        match member.serialization.get("location"):
            case "header" if member.type_name == "list":
                headers[wire_name(name, member).lower()] = _header(", ".join(map(str, value)))
            case "header":
                text = to_text(member, value, "rfc822")
                headers[wire_name(name, member).lower()] = _header(text)
            case "headers":
                prefix = wire_name(name, member).lower()
                headers.update({prefix + key.lower(): _header(value[key]) for key in value})
    return headers


def _header(text: str) -> str:
    """Return a text as a header may hold it: on one line, and beyond Latin-1 in UTF-8's bytes."""
    line = " ".join(text.splitlines())
    return line if all(ord(each) < 256 for each in line) else line.encode().decode("latin-1")


def _error_xml(error: AwsError, model: Service | None, protocol: str, request_id: str) -> bytes:
    parts = {"Code": error.code, "Message": error.message}
    if protocol == "query":
        namespace = model.metadata.get("xmlNamespace", "") if model is not None else ""
        root = Element("ErrorResponse", xmlns=namespace)
        parts = {"Type": "Receiver" if error.status >= 500 else "Sender", **parts}
        inner = SubElement(root, "Error")
    else:
        root = inner = Element("Error")
        parts |= {name: str(value) for name, value in error.members.items() if name[:2] != "x-"}
    for name, text in parts.items():
        SubElement(inner, name).text = text
    SubElement(root, "RequestId").text = request_id
    return _document(root)


def _document(root: Element) -> bytes:
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document
