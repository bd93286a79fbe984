import math
from typing import Any

import msgspec
import pytest

from boostline.features.contract import FeatureContract
from boostline.features.record import RecordError, RecordTransform

RECORD: dict[str, Any] = {"Mins": 10, "Calls": "4", "State": "OH", "Area": 415.0}


def problems(contract: FeatureContract, record: Any) -> dict[str, str]:
    with pytest.raises(RecordError) as caught:
        RecordTransform(contract).transform(record)
    return dict(caught.value.problems)


def test_a_record_becomes_a_row(contract: FeatureContract) -> None:
    assert RecordTransform(contract).transform(RECORD) == [10.0, 4.0, 1.0, 1.0, 2.5]


def test_the_order_of_keys_does_not_matter(contract: FeatureContract) -> None:
    turned = dict(reversed(RECORD.items()))
    transform = RecordTransform(contract).transform
    assert transform(turned) == transform(RECORD)


def test_ignored_columns_and_the_label_may_be_there(contract: FeatureContract) -> None:
    more = RECORD | {"Phone": object(), "Left?": "nonsense"}
    transform = RecordTransform(contract).transform
    assert transform(more) == transform(RECORD)


def test_null_is_missing(contract: FeatureContract) -> None:
    row = RecordTransform(contract).transform(dict.fromkeys(RECORD))
    assert all(math.isnan(value) for value in row)


def test_values_are_float32(contract: FeatureContract) -> None:
    row = RecordTransform(contract).transform(RECORD | {"Mins": 0.1})
    assert row[0] == 0.10000000149011612


def test_all_problems_are_told_at_once(contract: FeatureContract) -> None:
    found = problems(contract, {"Mins": "ten", "State": "TX", "Area": [], "Areas": 1, "zz": 2})
    assert found == {
        "Mins": "must be a number, not 'ten'",
        "Calls": "is required: send null if the value is missing",
        "State": "unknown category 'TX': allowed are 'KS', 'OH'",
        "Area": "must be a text or a number, not a list",
        "Areas": "is not a column of this model: did you mean 'Area'?",
        "zz": "is not a column of this model",
    }


@pytest.mark.parametrize("record", [None, 1, "text", [1, 2], []])
def test_what_is_no_object_is_a_problem(contract: FeatureContract, record: Any) -> None:
    assert "must be an object" in problems(contract, record)[""]


def test_unknown_categories_may_be_missing(contract: FeatureContract) -> None:
    lenient = msgspec.structs.replace(contract, unknown_category="missing")
    assert math.isnan(RecordTransform(lenient).transform(RECORD | {"State": "TX"})[2])


def test_few_of_many_categories_are_shown(contract: FeatureContract) -> None:
    inputs = [
        msgspec.structs.replace(column, categories=[f"c{i}" for i in range(50)])
        if column.name == "State"
        else column
        for column in contract.inputs
    ]
    wide = msgspec.structs.replace(contract, inputs=inputs)
    message = problems(wide, RECORD | {"State": "x" * 1000})["State"]
    assert "or one of 45 more" in message
    assert len(message) < 200
