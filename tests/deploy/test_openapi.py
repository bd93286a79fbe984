from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from boostline.deploy.openapi import LARGEST_BATCH, ROUTES, client_document, gateway_document
from boostline.features.contract import FeatureContract

GOOD = {"day": 1, "eve": 2, "plan": "yes"}


@pytest.fixture
def gateway(contract: FeatureContract) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gateway_document("churn--prod", contract))
    return found


def validator(schemas: dict[str, Any], name: str, kind: Any) -> Any:
    schema = {**schemas[name], "components": {"schemas": schemas}}
    kind.check_schema(schema)
    return kind(schema)


def test_every_route_needs_the_key_and_goes_to_the_function(gateway: dict[str, Any]) -> None:
    for route in ROUTES:
        operation = gateway["paths"][route.path][route.method]
        assert operation["security"] == [{"api_key": []}]
        integration = operation["x-amazon-apigateway-integration"]
        assert integration["httpMethod"] == "POST"
        assert "${Function.Arn}" in integration["uri"]["Fn::Sub"]


@pytest.mark.parametrize(
    ("record", "fits"),
    [
        (GOOD, True),
        ({**GOOD, "day": None}, True),
        ({**GOOD, "plan": "what the function judges"}, True),
        ({"day": 1, "eve": 2}, False),
        ({**GOOD, "shoe": 44}, False),
        ([GOOD], False),
    ],
)
def test_the_names_of_a_record_are_checked(
    gateway: dict[str, Any], record: Any, fits: bool
) -> None:
    schemas = gateway["components"]["schemas"]
    draft4 = jsonschema.Draft4Validator
    assert validator(schemas, "Record", draft4).is_valid(record) == fits


@pytest.mark.parametrize(
    ("records", "fits"),
    [
        ([GOOD, {"shoe": 44}, 7], True),  # each is the function's to judge
        ([GOOD] * LARGEST_BATCH, True),
        ([GOOD] * (LARGEST_BATCH + 1), False),
        ([], False),
        ({"instances": [GOOD]}, False),
    ],
)
def test_a_batch_is_a_list_of_so_many(gateway: dict[str, Any], records: Any, fits: bool) -> None:
    schemas = gateway["components"]["schemas"]
    assert validator(schemas, "Records", jsonschema.Draft4Validator).is_valid(records) == fits


def test_no_schema_of_the_import_has_what_it_would_lose(gateway: dict[str, Any]) -> None:
    text = json.dumps(gateway["components"]["schemas"])
    assert not [word for word in ('"anyOf"', '"enum"', '"null"', '"pattern"') if word in text]


def test_a_client_gets_examples_that_fit(contract: FeatureContract) -> None:
    document = client_document("churn", contract, "https://example.test/prod", GOOD)
    schemas = document["components"]["schemas"]
    for name, example in (("Record", GOOD), ("Records", [GOOD])):
        kind = jsonschema.Draft202012Validator
        assert validator(schemas, name, kind).is_valid(example)
    assert document["servers"] == [{"url": "https://example.test/prod"}]
    assert not validator(schemas, "Record", jsonschema.Draft202012Validator).is_valid(
        {**GOOD, "plan": "sometimes"}
    )
    names = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert names == {"postPredict", "postPredictBatch", "getSchema", "getHealth"}
