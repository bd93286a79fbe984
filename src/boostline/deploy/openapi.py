"""The REST API as OpenAPI documents: what API Gateway imports, and what a client reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from boostline.features.contract import FeatureContract
from boostline.features.schema import record_schema

KEY_SCHEME = "api_key"
LARGEST_BATCH = 1000
FUNCTION = "Function"  # its name in serving.yaml, which includes the document
VALIDATOR = "body"
JSON = "application/json"
TEXT = {"type": "string"}
EXPLAIN = {
    "name": "explain",
    "in": "query",
    "required": False,
    "description": "Explain the score by so many of the largest contributions of its columns",
}


class Route(NamedTuple):
    """A route; `request` and `answer` name schemas."""

    path: str
    method: str
    summary: str
    answer: str
    request: str | None = None


ROUTES = (
    Route("/predict", "post", "Score one raw record", "Prediction", "Record"),
    Route("/predict/batch", "post", "Score a list of raw records", "Predictions", "Records"),
    Route("/schema", "get", "The JSON schema of a raw record", "Schema"),
    Route("/health", "get", "Which feature contract the API holds", "Health"),
)
# API Gateway's own refusal says in a header where to look: that text has quotes, which nothing
# would escape in JSON.
REFUSAL = {
    "BAD_REQUEST_BODY": {
        "statusCode": 400,
        "responseParameters": {
            "gatewayresponse.header.x-validation-error": "context.error.validationErrorString"
        },
        "responseTemplates": {
            JSON: '{"error":{"code":"invalid_record","message":"the body does not fit the schema '
            "(GET /schema): the header x-validation-error says where"
            '","fields":[]},"requestId":"$context.requestId"}'
        },
    }
}
REFUSALS = {
    "400": "The body or the record is not as the schema says",
    "403": "No API key, or an unknown one",
    "429": "More requests than the key's plan allows",
    "503": "The endpoint cannot answer at the moment: Retry-After says when to come back",
}


def gateway_document(title: str, contract: FeatureContract) -> bytes:
    """Return what `serving.yaml` includes as the body of its REST API.

    All routes go to the stack's one Lambda function. API Gateway refuses what is no object, and
    unknown and missing names; what may stand in a field is the function's to judge, since a union
    of types does not survive the import of a document ("Amazon API Gateway important notes"). Of a
    batch it refuses what is no list of so many: a bad record must not spoil the others.
    """
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = {
            "summary": route.summary,
            "security": [{KEY_SCHEME: []}],
            **_body(route, TEXT),
            "responses": {"200": {"description": "OK"}},
            "x-amazon-apigateway-integration": {
                "type": "aws_proxy",
                "httpMethod": "POST",
                "uri": {"Fn::Sub": _invocations()},
                "passthroughBehavior": "when_no_match",
            },
        }
    schemas = {"Record": _shape(contract), "Records": _records({})}
    document = {
        "openapi": "3.0.1",
        "info": {"title": title, "version": contract.digest[:12]},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _key()},
        "x-amazon-apigateway-api-key-source": "HEADER",
        "x-amazon-apigateway-request-validators": {
            VALIDATOR: {"validateRequestBody": True, "validateRequestParameters": False}
        },
        "x-amazon-apigateway-request-validator": VALIDATOR,
        "x-amazon-apigateway-gateway-responses": REFUSAL,
    }
    return json.dumps(document, indent=1).encode()


def client_document(
    title: str, contract: FeatureContract, url: str, sample: Mapping[str, Any]
) -> dict[str, Any]:
    """Return OpenAPI 3.1 with examples, for tools that call the API.

    Parameters
    ----------
    title
        The API's name.
    contract
        What a raw record is.
    url
        Where the API answers.
    sample
        A raw record.
    """
    examples = {"Record": dict(sample), "Records": [dict(sample)]}
    refusals = {status: _answer(text, "Error") for status, text in REFUSALS.items()}
    paths: dict[str, Any] = {}
    for route in ROUTES:
        body = _body(route, {"type": "integer", "minimum": 1, "maximum": 100})
        if route.request is not None:
            body["requestBody"]["content"][JSON]["example"] = examples[route.request]
        paths.setdefault(route.path, {})[route.method] = {
            "summary": route.summary,
            "operationId": f"{route.method}{route.path.title().replace('/', '')}",
            **body,
            "responses": {"200": _answer("OK", route.answer), **refusals},
        }
    records = _records(_reference("Record"))
    record = {"Record": record_schema(contract), "Records": records}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": contract.digest[:12]},
        "servers": [{"url": url}],
        "security": [{KEY_SCHEME: []}],
        "paths": paths,
        "components": {"schemas": record | _answers(contract), "securitySchemes": _key()},
    }


def _answers(contract: FeatureContract) -> dict[str, Any]:
    number = {"type": "number"}
    members: dict[str, Any] = {"prediction": number, "score": number, "model": TEXT}
    if contract.objective != "regression":
        members |= {"prediction": {"enum": contract.classes}, "label": {"type": "integer"}}
    members["explanation"] = {"type": "object", "description": "If it was asked for"}
    if contract.objective == "binary":
        members["threshold"] = number
    if contract.objective == "multiclass":
        members["scores"] = {"type": "object", "additionalProperties": number}
    fields = {"type": "array", "items": _object(field=TEXT, message=TEXT)}
    error = _object(code=TEXT, message=TEXT, fields=fields)
    either = {"anyOf": [_object(**members), _object(error=error)]}
    return {
        "Prediction": _object(**members, requestId=TEXT),
        "Predictions": _object(predictions={"type": "array", "items": either}, requestId=TEXT),
        "Error": _object(error=error, requestId=TEXT),
        "Health": _object(status=TEXT, features=TEXT),
        "Schema": {"type": "object"},
    }


def _object(**members: Any) -> dict[str, Any]:
    return {"type": "object", "properties": members}


def _shape(contract: FeatureContract) -> dict[str, Any]:
    """Return the names of a record, for JSON schema draft 4."""
    whole = record_schema(contract)
    return {**whole, "properties": {name: {} for name in whole["properties"]}}


def _records(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": LARGEST_BATCH, "items": item}


def _body(route: Route, explain: Mapping[str, Any]) -> dict[str, Any]:
    if route.request is None:
        return {}
    content = {JSON: {"schema": _reference(route.request)}}
    body = {"requestBody": {"required": True, "content": content}}
    return body | (
        {"parameters": [{**EXPLAIN, "schema": explain}]} if route.path == "/predict" else {}
    )


def _answer(text: str, schema: str) -> dict[str, Any]:
    return {"description": text, "content": {JSON: {"schema": _reference(schema)}}}


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _key() -> dict[str, Any]:
    return {KEY_SCHEME: {"type": "apiKey", "name": "x-api-key", "in": "header"}}


def _invocations() -> str:
    path = f"2015-03-31/functions/${{{FUNCTION}.Arn}}/invocations"
    return f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/{path}"
