import json
from typing import Any

import msgspec
import polars as pl
import pytest

from boostline.features.contract import ContractError, FeatureContract
from boostline.features.spec import FeatureSpec
from tests.features.conftest import fit_table


def test_it_is_read_as_it_was_written(contract: FeatureContract) -> None:
    again = FeatureContract.from_json(contract.to_json())
    assert again == contract
    assert again.to_json() == contract.to_json()
    assert again.digest == contract.digest


def test_the_specification_comes_back(contract: FeatureContract, spec: FeatureSpec) -> None:
    assert contract.spec() == spec


def test_other_rows_of_the_same_categories_keep_the_digest(
    contract: FeatureContract, spec: FeatureSpec, table: pl.DataFrame
) -> None:
    assert fit_table(spec, table.reverse()).digest == contract.digest


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"ignored": []}, True),
        ({"label": "Gone?"}, True),
        ({"missing": ["NA"]}, True),
        ({"missing": ["?"]}, False),
        ({"unknown_category": "missing"}, False),
        ({"derived": [], "columns": []}, False),
        ({"inputs": []}, False),
    ],
)
def test_the_digest_covers_what_changes_the_transform(
    contract: FeatureContract, changes: dict[str, Any], same: bool
) -> None:
    other = msgspec.structs.replace(contract, **changes)
    assert (other.digest == contract.digest) is same


def change(contract: FeatureContract, **changes: Any) -> bytes:
    return json.dumps(json.loads(contract.to_json()) | changes).encode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "version 2 is not known"),
        ({"columns": ["Mins"]}, "in order"),
        ({"extra": 1}, "unknown field"),
        ({"classes": None}, "classes are missing"),
        ({"inputs": [{"name": "a", "kind": "text"}]}, "kind"),
        ({"derived": [{"name": "x", "expression": "1 +"}]}, "features.derived.x"),
    ],
)
def test_inconsistent_files_are_refused(
    contract: FeatureContract, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        FeatureContract.from_json(change(contract, **changes))


@pytest.mark.parametrize("column", [0, 2])
def test_wrong_categories_are_refused(contract: FeatureContract, column: int) -> None:
    inputs = json.loads(contract.to_json())["inputs"]
    inputs[column]["categories"] = ["a", "a"]
    with pytest.raises(ContractError, match=inputs[column]["name"]):
        FeatureContract.from_json(change(contract, inputs=inputs))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"version":"\xff"}'])
def test_what_is_no_contract_is_refused(text: bytes) -> None:
    with pytest.raises(ContractError, match=r"features\.json"):
        FeatureContract.from_json(text)
