import json
from typing import Any

import msgspec
import polars as pl
import pytest

from boostline.features.contract import ContractError, FeatureContract, fitted
from boostline.features.spec import FeatureSpec, SpecError
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


@pytest.mark.parametrize("group", ["inputs", "derived"])
@pytest.mark.parametrize("place", [0, -1])
def test_a_column_is_there_once(contract: FeatureContract, group: str, place: int) -> None:
    document = json.loads(contract.to_json())
    document[group].append(document[group][place])
    again = document[group][place]["name"]
    document["columns"] = [one["name"] for one in (*document["inputs"], *document["derived"])]
    with pytest.raises(ContractError, match=f"{again!r} is there more than once"):
        FeatureContract.from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("category", "means"),
    [(" OH", "'OH'"), ("OH\n", "'OH'"), ("-0", "'0'"), ("415.0", "'415'")]
    + [(text, "a missing value") for text in ("", " ", "NA")],
)
def test_a_category_is_one_that_fitting_makes(
    contract: FeatureContract, category: str, means: str
) -> None:
    inputs = json.loads(contract.to_json())["inputs"]
    inputs[2]["categories"] = ["KS", category]
    with pytest.raises(ContractError) as caught:
        FeatureContract.from_json(change(contract, inputs=inputs))
    assert str(caught.value) == f"features.json: 'State': category {category!r} means {means}"


def test_what_a_stranger_sends_is_limited(contract: FeatureContract) -> None:
    many = [{"name": f"x{place}", "expression": "1"} for place in range(50_000)]
    with pytest.raises(ContractError, match=r"has 50,004 columns: at most 50,000"):
        FeatureContract.from_json(change(contract, derived=many))
    long = [{"name": f"x{place}", "expression": "1+" * 600} for place in range(500)]
    with pytest.raises(ContractError, match=r"600,000 characters of expressions: at most 500,000"):
        FeatureContract.from_json(change(contract, derived=long))


def test_what_could_not_be_read_again_is_not_fitted() -> None:
    names = [f"x{place}" for place in range(50_001)]
    spec = FeatureSpec(label="y", objective="regression", numeric=names)
    with pytest.raises(SpecError, match="50,001 columns"):
        fitted(spec, {}, None)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"version":"\xff"}'])
def test_what_is_no_contract_is_refused(text: bytes) -> None:
    with pytest.raises(ContractError, match=r"features\.json"):
        FeatureContract.from_json(text)
