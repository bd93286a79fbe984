from typing import Any

import jsonschema
import msgspec
import pytest

from boostline.features.contract import FeatureContract
from boostline.features.record import RecordError, RecordTransform
from boostline.features.schema import record_schema

RECORD: dict[str, Any] = {"Mins": 10, "Calls": "4", "State": "OH", "Area": "415"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Phone": "1"},
        {"Left?": "yes"},
        {"Mins": None, "State": None},
        {"Mins": "NA"},
        {"Mins": " 1.5 "},
        {"Mins": "x"},
        {"Mins": True},
        {"State": "TX"},
        {"Area": 415},
        {"Area": 7},
        {"Area": "007"},
        {"State": "NA"},
        {"State": ""},
        {"New": 1},
    ],
)
def test_the_schema_agrees_with_the_transform(
    contract: FeatureContract, changes: dict[str, Any]
) -> None:
    record = RECORD | changes
    validator = jsonschema.Draft202012Validator(record_schema(contract))
    try:
        RecordTransform(contract).transform(record)
        accepted = True
    except RecordError:
        accepted = False
    assert validator.is_valid(record) is accepted


def test_a_key_is_required(contract: FeatureContract) -> None:
    validator = jsonschema.Draft202012Validator(record_schema(contract))
    assert not validator.is_valid({name: RECORD[name] for name in list(RECORD)[1:]})


def test_any_category_where_unknown_ones_are_missing(contract: FeatureContract) -> None:
    lenient = msgspec.structs.replace(contract, unknown_category="missing")
    jsonschema.Draft202012Validator(record_schema(lenient)).validate(RECORD | {"State": "TX"})
