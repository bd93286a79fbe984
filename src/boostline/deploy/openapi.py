"""The OpenAPI document of a project's REST API, with API Gateway's extensions."""

from __future__ import annotations

from typing import Any

from boostline.features.contract import FeatureContract
from boostline.features.schema import record_schema

KEY_SCHEME = "api_key"
ROUTES = {
    ("/predict", "post"): ("Score one raw record", True),
    ("/schema", "get"): ("The JSON schema of a raw record", True),
    ("/health", "get"): ("Which feature contract the API holds", True),
}
_EXPLAIN = {
    "name": "explain",
    "in": "query",
    "required": False,
    "schema": {"type": "integer", "minimum": 1, "maximum": 100},
    "description": "Explain the score by so many of the largest contributions of its columns",
}


def document(title: str, contract: FeatureContract, region: str, function: str) -> dict[str, Any]:
    """Return the document whose routes all go to one Lambda function.

    Parameters
    ----------
    title
        The API's name.
    contract
        What a raw record is.
    region, function
        The function's region and ARN.
    """
    paths: dict[str, Any] = {}
    for (path, method), (summary, keyed) in ROUTES.items():
        paths.setdefault(path, {})[method] = {
            "summary": summary,
            **({"security": [{KEY_SCHEME: []}]} if keyed else {}),
            **({"parameters": [_EXPLAIN], "requestBody": _body()} if method == "post" else {}),
            "responses": {"200": {"description": "OK"}, "400": {"description": "Bad request"}},
            "x-amazon-apigateway-integration": _integration(region, function),
        }
    return {
        "openapi": "3.0.1",
        "info": {"title": title, "version": contract.digest[:12]},
        "paths": paths,
        "components": {
            "schemas": {"Record": record_schema(contract)},
            "securitySchemes": {
                KEY_SCHEME: {"type": "apiKey", "name": "x-api-key", "in": "header"}
            },
        },
        "x-amazon-apigateway-api-key-source": "HEADER",
    }


def _body() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Record"}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _integration(region: str, function: str) -> dict[str, Any]:
    invocations = f"2015-03-31/functions/{function}/invocations"
    return {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": f"arn:aws:apigateway:{region}:lambda:path/{invocations}",
        "passthroughBehavior": "when_no_match",
    }
