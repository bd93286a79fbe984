"""What is sent back: outputs and errors in the forms of the protocols."""

from __future__ import annotations

import json
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from starlette.responses import Response, StreamingResponse

from boostline.contracts.models import Operation, Service
from boostline.local.store.blobs import FileRange
from boostline.local.wire.errors import AwsError
from boostline.local.wire.shapes import add_xml, document, to_json, to_rest

CONTENT = {
    "json": "application/x-amz-json-1.1",
    "query": "text/xml",
    "rest-json": "application/json",
    "rest-xml": "application/xml",
}


def output(
    operation: Operation, protocol: str, members: dict[str, Any], request_id: str
) -> Response:
    """Return a handler's result on the wire: the members that the output shape knows."""
    asked = members.get("ResponseMetadata", {}).get("HTTPStatusCode")
    status = asked or operation.http.get("responseCode", 200)
    headers = _request_id(protocol, request_id)
    shape = operation.output_shape
    if protocol == "query":
        root = Element(f"{operation.name}Response", xmlns=_namespace(operation.service_model))
        if shape is not None:
            add_xml(root, f"{operation.name}Result", shape, members)
        SubElement(SubElement(root, "ResponseMetadata"), "RequestId").text = request_id
        headers["content-type"] = CONTENT[protocol]
        return Response(document(root), status, headers)
    if shape is None:
        return Response(status_code=status, headers=headers)
    for name, member in shape.members.items():
        if member.serialization.get("location") == "statusCode" and name in members:
            status = members[name]
    given, body = to_rest(shape, protocol, members)
    headers |= {name.lower(): _header(text) for name, text in given.items()}
    if isinstance(body, FileRange):
        headers["content-length"] = str(body.length)
        return StreamingResponse(body.pieces(), status, headers)
    if body and "payload" not in shape.serialization:
        headers["content-type"] = CONTENT[protocol]
    return Response(body, status, headers)


def failure(error: AwsError, model: Service | None, protocol: str, request_id: str) -> Response:
    """Return an error on the wire; `model` knows the members and names of its shape, if any."""
    hints = {name: text for name, text in error.members.items() if name.startswith("x-")}
    members = {name: value for name, value in error.members.items() if name not in hints}
    headers = _request_id(protocol, request_id) | hints
    if error.status == 304:
        return Response(status_code=304, headers=headers)
    headers["content-type"] = CONTENT[protocol]
    if "json" not in protocol:
        body = _error_xml(error, model, protocol, members, request_id)
        return Response(body, error.status, headers)
    shape = model.shape_for_error_code(error.code) if model is not None else None
    names = shape.members if shape is not None else {}
    message = next((name for name in names if name.lower() == "message"), "message")
    told = to_json(shape, members) if shape is not None else members
    told |= {"__type": error.code, message: error.message}
    headers["x-amzn-errortype"] = error.code
    return Response(json.dumps(told), error.status, headers)


def _error_xml(
    error: AwsError, model: Service | None, protocol: str, members: dict[str, Any], request_id: str
) -> bytes:
    parts = {"Code": error.code, "Message": error.message}
    if protocol == "query":
        root = Element("ErrorResponse", xmlns=_namespace(model))
        parts = {"Type": "Receiver" if error.status >= 500 else "Sender", **parts}
        inner = SubElement(root, "Error")
    else:
        root = inner = Element("Error")
        parts |= {name: str(value) for name, value in members.items()}
    for name, text in parts.items():
        SubElement(inner, name).text = text
    SubElement(root, "RequestId").text = request_id
    return document(root)


def _namespace(model: Service | None) -> str:
    return "" if model is None else str(model.metadata.get("xmlNamespace", ""))


def _request_id(protocol: str, request_id: str) -> dict[str, str]:
    if protocol == "rest-xml":
        return {"x-amz-request-id": request_id, "x-amz-id-2": request_id}
    return {"x-amzn-requestid": request_id}


def _header(text: str) -> str:
    """Return a text as a header may hold it: on one line, and beyond Latin-1 in UTF-8's bytes."""
    line = " ".join(text.splitlines())
    return line if all(ord(each) < 256 for each in line) else line.encode().decode("latin-1")
