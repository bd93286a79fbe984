"""The function that is written for a contract, through the transform that uses it."""

import math
import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from boostline.features.contract import FeatureContract, fitted
from boostline.features.record import RecordTransform
from boostline.features.spec import FeatureSpec
from tests.features.test_parity import quoted

HOSTILE = [
    *("x0", "x1", "x0_0", "name_x0", "convert_x0", "codes_x0", "nan", "pack", "piece", "make"),
    *("record", "values", "absent", "type", "float", "class", "def", "None", "True", "lambda"),
    *("'", '"', '"""', "'''", "\\", "\\'", "{", "}", "{0}", "}}", "#", "%s", "a\nb", "a\rb"),
    *("\x00", "\u2028", "é", ")", "):\n    raise SystemExit", "__import__('os').abort()"),
]


def read(spec: FeatureSpec, categories: dict[str, list[str]]) -> RecordTransform:
    """Make the transform of a contract that was written and read."""
    return RecordTransform(FeatureContract.from_json(fitted(spec, categories, None).to_json()))


def test_no_name_and_no_category_is_code() -> None:
    numeric = [name + end for name in HOSTILE for end in ("", "0")]
    categorical = [f"{name}." for name in HOSTILE]
    derived = {f"{name},": f"col({quoted(name)}) + 0.5" for name in numeric}
    spec = FeatureSpec(
        label="y",
        objective="regression",
        numeric=numeric[1:] + numeric[:1],  # the column x0 is not the variable x0
        categorical=categorical,
        derived=derived,
        missing=["import os", "'"],
    )
    known = [text for text in HOSTILE if text != "'"]
    transform = read(spec, dict.fromkeys(categorical, known)).transform
    numbers: dict[str, Any] = {name: float(place) for place, name in enumerate(spec.numeric)}
    codes = [place % len(known) for place in range(len(categorical))]
    texts = {name: known[code] for name, code in zip(categorical, codes, strict=True)}
    expected = [*numbers.values(), *codes, *(numbers[name] + 0.5 for name in numeric)]
    assert transform(numbers | texts) == expected
    place = len(numeric) + HOSTILE.index("record")
    assert math.isnan(transform(numbers | texts | {"record.": "'"})[place])


kinds = st.lists(st.sampled_from(["number", "category"]), min_size=1, max_size=300)


@given(kinds, st.randoms(use_true_random=False))
def test_wide_contracts_are_transformed_alike(found: list[str], random: Any) -> None:
    """However its columns are cut into pieces: each feature is as it is alone."""
    names = [f"{kind} {place}" for place, kind in enumerate(found)]
    numeric = [name for name in names if name.startswith("number")]
    categorical = [name for name in names if name not in numeric]
    sums = [random.sample(numeric, 2) for _ in found] if len(numeric) > 1 else []
    spec = FeatureSpec(
        label="y",
        objective="regression",
        numeric=numeric,
        categorical=categorical,
        derived={f"sum {place}": f'col("{a}")+col("{b}")' for place, (a, b) in enumerate(sums)},
    )
    record = {name: random.choice([1, 2.5, "3", None]) for name in numeric}
    values = {name: math.nan if cell is None else float(cell) for name, cell in record.items()}
    record |= {name: random.choice("ab") for name in categorical}
    expected = [*values.values(), *("ab".index(str(record[name])) for name in categorical)]
    expected += [values[a] + values[b] for a, b in sums]
    found_row = read(spec, {name: ["a", "b"] for name in categorical}).transform(record)
    assert str(found_row) == str([float(value) for value in expected])


def test_a_wide_contract_takes_little_memory() -> None:
    spec = FeatureSpec(
        label="y", objective="regression", numeric=[f"c{place}" for place in range(3_000)]
    )
    contract = fitted(spec, {}, None)
    tracemalloc.start()
    try:
        RecordTransform(contract)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20e6, "compiled at once, it takes 74 MB"
