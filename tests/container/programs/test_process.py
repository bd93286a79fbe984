import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.programs import EXAMPLE, lay_process, read_example, run
from boostline.container.paths import Paths
from boostline.container.programs.process import read_config
from boostline.container.programs.process import run as process
from boostline.features.contract import FeatureContract
from tests.container.conftest import Folders

SPLITS = ("train", "validation", "test")
TABLE = EXAMPLE / "data" / "churn.csv"
OUTPUTS = [f"{name}/{name}.parquet" for name in SPLITS] + [
    "contract/features.json",
    "contract/golden_records.json",
    "summary/summary.json",
]


def outputs(base: Path) -> list[bytes]:
    return [(base / "processing" / "output" / name).read_bytes() for name in OUTPUTS]


def read(folders: Folders, name: str) -> Any:
    return json.loads((folders.processed / name).read_text())


def test_splits_hold_float32_features_in_order(churn: Folders) -> None:
    contract = FeatureContract.from_json((churn.processed / "contract/features.json").read_bytes())
    assert contract.digest == read(churn, "summary/summary.json")["features"]
    for name in SPLITS:
        table = pl.read_parquet(churn.processed / name / f"{name}.parquet")
        assert table.columns == [*contract.columns, "Churn?"]
        assert set(table.dtypes) == {pl.Float32}


def test_the_summary_counts(churn: Folders) -> None:
    summary = read(churn, "summary/summary.json")
    assert summary["rows"]["total"] == 5000 == sum(summary["rows"][name] for name in SPLITS)
    classes = summary["classes"]
    assert sum(classes[name]["True."] for name in SPLITS) == 707
    assert summary["statistics"]["Day Mins"]["missing"] == 0
    assert sum(summary["statistics"]["State"]["counts"].values()) == summary["rows"]["train"]


def test_golden_records_are_raw_inputs(churn: Folders) -> None:
    records = read(churn, "contract/golden_records.json")
    assert len(records) == 20
    sample = json.loads((EXAMPLE / "sample_request.json").read_text())
    assert {frozenset(record) for record in records} == {frozenset(sample) - {"Phone"}}


@pytest.mark.parametrize("form", ["reversed", "two files", "parquet"])
def test_the_same_rows_give_the_same_bytes(churn: Folders, tmp_path: Path, form: str) -> None:
    example = read_example()
    table = pl.read_csv(TABLE, infer_schema=False)
    files = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "a.parquet"]
    if form == "reversed":
        table.reverse().write_csv(files[0])
    elif form == "two files":
        table.head(3000).write_csv(files[1])
        table.tail(2000).select(sorted(table.columns)).write_csv(files[0])
    else:
        pl.read_csv(TABLE).write_parquet(files[2])
    base = tmp_path / "job"
    lay_process(base, [path for path in files if path.exists()], example.features, example.split)
    process(Paths(base))
    assert outputs(base) == outputs(churn.process)


def test_a_grown_table_keeps_the_split_of_its_rows(churn: Folders, tmp_path: Path) -> None:
    example = read_example()
    part = tmp_path / "part.csv"
    pl.read_csv(TABLE, infer_schema=False).head(2500).write_csv(part)
    lay_process(tmp_path / "job", [part], example.features, example.split)
    process(Paths(tmp_path / "job"))
    for name in SPLITS:
        path = Path("processing", "output", name, f"{name}.parquet")
        rows = [
            set(pl.read_parquet(base / path).drop("State").fill_nan(-1).rows())
            for base in (tmp_path / "job", churn.process)
        ]
        assert rows[0] <= rows[1]


SPLIT = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 1}
LINES = ["a,c,y"] + [f"{i},c{i % 3},{'no' if i % 4 else 'yes'}" for i in range(200)]
FEATURES: dict[str, Any] = {"label": "y", "numeric": ["a"], "categorical": ["c"]}


@pytest.mark.parametrize(
    ("lines", "features", "message"),
    [
        ([*LINES, "1,2"], FEATURES, r"data.csv, line 202: 2 fields, the header has 3"),
        (
            [*LINES, "x,c1,no"],
            FEATURES,
            r"data.csv, line 202: column 'a' must be a number, not 'x'",
        ),
        (LINES, FEATURES | {"numeric": ["a", "b"]}, "the table has no column 'b'"),
        (LINES, FEATURES | {"categorical": []}, "columns that are not declared: 'c'"),
        (LINES, FEATURES | {"label": "z", "ignore": ["y"]}, "no label column 'z'"),
        (LINES, FEATURES | {"derived": {"d": "1 +"}}, "features.derived.d"),
        (LINES, FEATURES | {"objective": "ranking"}, "config.json: Invalid enum value"),
        ([*LINES, "1,c1,maybe"], FEATURES | {"classes": ["no", "yes"]}, "'maybe'"),
        (LINES[:2], FEATURES, "split has no rows (train 0.6, validation 0.2, test 0.2)"),
        (
            [*(line.replace("yes", "no") for line in LINES), "1,c1,yes"],
            FEATURES | {"classes": ["no", "yes"]},
            "has no row in the",
        ),
    ],
)
def test_mistakes_are_told(
    tmp_path: Path, lines: list[str], features: dict[str, Any], message: str
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("\n".join(lines) + "\n")
    lay_process(tmp_path / "job", [data], features, SPLIT)
    done = run("process", tmp_path / "job")
    assert done.returncode == 1
    assert message in (tmp_path / "job" / "output" / "message").read_text()
    assert "Traceback" not in done.stderr


def test_a_category_of_validation_only_is_missing(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("\n".join([*LINES, *(f"{i}.5,rare{i},no" for i in range(40))]) + "\n")
    lay_process(tmp_path / "job", [data], FEATURES, SPLIT)
    process(Paths(tmp_path / "job"))
    output = tmp_path / "job" / "processing" / "output"
    validation = pl.read_parquet(output / "validation" / "validation.parquet")
    assert validation["c"].is_nan().sum() > 0
    golden = json.loads((output / "contract" / "golden_records.json").read_text())
    assert len(golden) == 20


def test_another_version_of_the_configuration_is_refused() -> None:
    config = {"version": 2, "features": FEATURES, "split": SPLIT}
    with pytest.raises(Exception, match="version 2 is not known"):
        read_config(json.dumps(config).encode())
