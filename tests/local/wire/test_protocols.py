"""Every declared operation there and back: botocore writes what is read, reads what is written."""

from __future__ import annotations

import datetime as dt
from io import BytesIO
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from starlette.datastructures import Headers

from boostline.contracts.models import AnyShape, Operation, service_model
from boostline.local.operations import SERVICES
from boostline.local.wire.answer import failure, output
from boostline.local.wire.errors import AwsError
from boostline.local.wire.head import Head
from boostline.local.wire.parse import parse
from boostline.local.wire.routing import protocol_of, route
from boostline.local.wire.shapes import to_json, to_rest

MOMENT = dt.datetime(2026, 11, 23, 12, 30, 15, tzinfo=dt.UTC)
OPERATIONS = [(name, each) for name, entry in SERVICES.items() for each in entry.operations]
SCALARS: dict[str, Any] = {
    "boolean": True,
    "integer": 7,
    "long": 7_000_000_000,
    "float": 0.5,
    "double": 0.25,
    "timestamp": MOMENT,
}
# Read by botocore's own handlers, not by its parsers.
SPECIAL = {"GetBucketLocation"}


def sample(shape: AnyShape, depth: int = 0) -> Any:
    """Return a value with every member of a shape."""
    match shape.type_name:
        case "structure" if shape.is_document_type:
            return {"any": ["JSON"]}
        case "structure":
            names = list(shape.members)[:1] if shape.is_tagged_union else list(shape.members)
            return {
                name: sample(shape.members[name], depth + 1)
                for name in names
                if depth < 6
                or shape.is_tagged_union
                or shape.members[name].type_name not in {"structure", "list", "map"}
            }
        case "list":
            return [sample(shape.member, depth + 1)] * (1 if depth > 2 else 2)
        case "map":
            key = shape.key.enum[0] if shape.key.enum else "a-key"
            return {key: sample(shape.value, depth + 1)}
        case "blob":
            return b"\x00\xff blob"
        case "string":
            return shape.enum[0] if shape.enum else "text ü <&> +/%"
    return SCALARS[shape.type_name]


def request_of(operation: Operation, params: dict[str, Any]) -> tuple[Head, bytes]:
    model = operation.service_model
    serializer = create_serializer(protocol_of(model.service_name), include_validation=False)
    made = serializer.serialize_to_request(params, operation)
    url = urlsplit(made["url_path"])
    query = made["query_string"]
    pairs = query if isinstance(query, dict) else dict(query)
    body = made["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    headers = {name.lower(): str(value) for name, value in made["headers"].items()}
    return (
        Head(
            made["method"],
            url.path,
            "&".join(filter(None, [url.query, urlencode(pairs, doseq=True)])),
            Headers(headers),
        ),
        body.encode() if isinstance(body, str) else body or b"",
    )


def plain(shape: AnyShape, value: Any) -> Any:
    """Return a value as handlers see it: times in epoch seconds."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            return {name: plain(shape.members[name], value[name]) for name in value}
        case "list":
            return [plain(shape.member, item) for item in value]
        case "map":
            return {key: plain(shape.value, item) for key, item in value.items()}
        case "timestamp":
            return value.timestamp()
    return value


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_what_botocore_sends_is_parsed(service: str, name: str) -> None:
    operation = service_model(service).operation_model(name)
    if operation.input_shape is None:
        params: dict[str, Any] = {}
    else:
        params = sample(operation.input_shape)
        for member, shape in operation.input_shape.members.items():
            if shape.serialization.get("location") == "uri":
                params[member] = "a name/with ü & +%"
    head, body = request_of(operation, params)
    found = route(service, head, body)
    assert found.operation.name == name
    parsed = parse(operation, protocol_of(service), head, found.labels, body)
    if name == "ImportRestApi":
        assert parsed["parameters"].pop("mode") == "import"  # which is what names the operation
    assert parsed == plain(operation.input_shape, params) if params else parsed == {}


@pytest.mark.parametrize(("service", "name"), [o for o in OPERATIONS if o[1] not in SPECIAL])
def test_what_is_sent_botocore_reads(service: str, name: str) -> None:
    operation = service_model(service).operation_model(name)
    shape = operation.output_shape
    members = sample(shape) if shape is not None else {}
    for member, inner in shape.members.items() if shape is not None else ():
        if inner.type_name == "string" and inner.serialization.get("location") == "header":
            members[member] = "latin text"
    protocol = protocol_of(service)
    answer = output(operation, protocol, {**members, "Unknown": object()}, "an-id")
    response = {"status_code": answer.status_code, "headers": answer.headers}
    # A streamed body is read by the caller, not by the parser.
    response["body"] = BytesIO(answer.body) if operation.has_streaming_output else answer.body
    parsed = create_parser(protocol).parse(response, shape)
    for member, value in parsed.items():
        if isinstance(value, BytesIO):
            parsed[member] = value.read()
    assert parsed.pop("ResponseMetadata")["RequestId"] == "an-id"
    if "StatusCode" in members:
        members["StatusCode"] = answer.status_code
    assert {name: parsed[name] for name in members} == members


ERRORS = [
    (service, shape.error_code)
    for service in SERVICES
    for shape in service_model(service).error_shapes
]


@pytest.mark.parametrize(("service", "code"), ERRORS)
def test_what_is_refused_botocore_reads(service: str, code: str) -> None:
    model = service_model(service)
    shape = model.shape_for_error_code(code)
    members = {
        name: sample(member)
        for name, member in shape.members.items()
        if name.lower() not in {"message", "code"} and "location" not in member.serialization
    }
    error = AwsError(code, "What was wrong: ü <&>", 409, **members)
    protocol = protocol_of(model.service_name)
    answer = failure(error, model, protocol, request_id="an-id")
    response = {"status_code": 409, "headers": answer.headers, "body": answer.body}
    parsed = create_parser(protocol).parse(response, None)
    assert parsed["Error"]["Code"] == code
    assert parsed["Error"]["Message"] == "What was wrong: ü <&>"
    assert parsed["ResponseMetadata"]["RequestId"] == "an-id"
    if protocol in {"json", "rest-json"}:
        modeled = create_parser(protocol).parse(response, shape)
        assert {name: modeled[name] for name in members} == members


@pytest.mark.parametrize(
    ("value", "sent"),
    [(float("nan"), "NaN"), (float("inf"), "Infinity"), (float("-inf"), "-Infinity"), (0.5, 0.5)],
)
def test_numbers_that_json_does_not_have_are_text(value: float, sent: str | float) -> None:
    shape = service_model("sagemaker").shape_for("MetricData")
    assert to_json(shape, {"MetricName": "auc", "Value": value}) == {
        "MetricName": "auc",
        "Value": sent,
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (MOMENT, 1795437015.0),
        (MOMENT.replace(tzinfo=None), 1795437015.0),
        (1795437015.1234, 1795437015.123),
        ("2026-11-23T12:30:15Z", 1795437015.0),
    ],
)
def test_handlers_may_give_times_as_they_have_them(given: Any, sent: float) -> None:
    shape = service_model("sagemaker").shape_for("Timestamp")
    assert to_json(shape, given) == sent
    read = service_model("s3").shape_for("GetObjectOutput")
    headers, _ = to_rest(read, "rest-xml", {"LastModified": given})
    assert headers["Last-Modified"] == "Mon, 23 Nov 2026 12:30:15 GMT"
    listed = service_model("s3").shape_for("ListPartsOutput")
    _, body = to_rest(listed, "rest-xml", {"Parts": [{"LastModified": given}]})
    assert b"<LastModified>2026-11-23T12:30:15." in body
