import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.programs import EXAMPLE, lay_process, read_example, run
from boostline.container.errors import ContainerError
from boostline.container.paths import Paths
from boostline.container.programs.process import read_config
from boostline.container.programs.process import run as process
from boostline.features.contract import FeatureContract
from boostline.features.errors import FeatureError
from boostline.features.table import labels, transform
from tests.container.conftest import Folders

pytestmark = pytest.mark.slow

SPLITS = ("train", "validation", "test")
TABLE = EXAMPLE / "data" / "churn.csv"
OUTPUTS = [f"{name}/{name}.parquet" for name in SPLITS] + [
    "contract/features.json",
    "contract/golden_records.json",
    "rows/rows.parquet",
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


def test_raw_rows_are_those_of_the_test_split(churn: Folders) -> None:
    contract = FeatureContract.from_json((churn.processed / "contract/features.json").read_bytes())
    rows = pl.read_parquet(churn.processed / "rows/rows.parquet")
    assert rows.columns == [*(column.name for column in contract.inputs), contract.label]
    features = transform(contract, rows).with_columns(labels(contract, rows))
    assert features.equals(pl.read_parquet(churn.processed / "test/test.parquet"))


@pytest.mark.parametrize("form", ["reversed", "two files", "parquet", "gz", "small pieces"])
def test_the_same_rows_give_the_same_bytes(
    churn: Folders, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = read_example()
    table = pl.read_csv(TABLE, infer_schema=False)
    files = [tmp_path / name for name in ("a.csv", "b.csv", "a.parquet", "a.csv.gz")]
    if form == "reversed":
        table.reverse().write_csv(files[0])
    elif form == "two files":
        table.head(3000).write_csv(files[1])
        table.tail(2000).select(sorted(table.columns)).write_csv(files[0])
    elif form == "parquet":
        pl.read_csv(TABLE).write_parquet(files[2])
    elif form == "gz":
        files[3].write_bytes(gzip.compress(TABLE.read_bytes()))
    else:
        table.write_csv(files[0], quote_style="always")
        monkeypatch.setattr("boostline.features.files.BLOCK", 20_000)
        monkeypatch.setattr("boostline.container.programs.process.BUCKET", 20_000)
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
    with pytest.raises((ContainerError, FeatureError), match=re.escape(message)):
        process(Paths(tmp_path / "job"))


def test_few_different_rows_are_the_reason_of_an_empty_split(tmp_path: Path) -> None:
    lines = [LINES[0], *["1,c1,no", "2,c2,yes", "3,c3,no"] * 50]
    advice = "150 rows, only 3 different ones: equal rows go together: .* by = an id column"
    with pytest.raises(ContainerError, match=advice):
        start_job(tmp_path, lines)
    grouped = ["g,a,c,y", *(f"one,{line}" for line in LINES[1:])]
    with pytest.raises(ContainerError, match="rows of one 'g' go together: more rows"):
        start_job(tmp_path / "by", grouped, SPLIT | {"by": "g"}, ignore=["g"])


def test_a_mistake_is_the_message_of_the_job(tmp_path: Path) -> None:
    lay_process(tmp_path / "job", [TABLE], FEATURES, SPLIT)
    done = run("process", tmp_path / "job")
    assert done.returncode == 1
    assert "not declared" in (tmp_path / "job" / "output" / "message").read_text()
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


def start_job(
    folder: Path,
    lines: Sequence[str] = LINES,
    split: dict[str, Any] = SPLIT,
    limit: int = 0,
    code: str = "",
    ignore: Sequence[str] = (),
) -> Path:
    """Run process on lines; its output folder."""
    folder.mkdir(exist_ok=True)
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    base = folder / "job"
    lay_process(base, [folder / "data.csv"], FEATURES | {"ignore": list(ignore)}, split)
    inputs = base / "processing" / "input"
    config = json.loads((inputs / "config" / "config.json").read_text())
    (inputs / "config" / "config.json").write_text(
        json.dumps(config | {"malformed": {"limit": limit}})
    )
    if code:
        (inputs / "code").mkdir()
        (inputs / "code" / "prepare.py").write_text(code)
    process(Paths(base))
    return base / "processing" / "output"


BAD = ["1,c1", "x,c1,no", "1e39,c1,yes", "1,c1,", "1,2,3,4"]


@pytest.mark.parametrize("block", [1, 16, 1 << 20])
def test_malformed_rows_are_counted_and_left_out(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = start_job(tmp_path / "clean")
    monkeypatch.setattr("boostline.features.files.BLOCK", block)
    lines = [LINES[0], *BAD[:2], *LINES[1:], *BAD[2:]]
    output = start_job(tmp_path / "bad", lines, limit=5)
    summary = json.loads((output / "summary/summary.json").read_text())
    assert summary["rows"]["total"] == 200
    assert summary["malformed"]["rows"] == 5
    assert summary["malformed"]["first"] == [
        "data.csv, line 2: 2 fields, the header has 3",
        "data.csv, line 3: column 'a' must be a number, not 'x'",
        "data.csv, line 204: column 'a' is not within the range of float32",
        "data.csv, line 205: column 'y' is no label: None",
        "data.csv, line 206: 4 fields, the header has 3",
    ]
    for name in SPLITS:
        path = f"{name}/{name}.parquet"
        assert (output / path).read_bytes() == (clean / path).read_bytes()


def test_past_the_limit_the_first_ten_lines_are_told(tmp_path: Path) -> None:
    lines = [LINES[0], *BAD * 3, *LINES[1:]]
    with pytest.raises(ContainerError, match="15 so far, 14 allowed") as caught:
        start_job(tmp_path, lines, limit=14)
    told = [int(line) for line in re.findall(r"line (\d+):", str(caught.value))]
    assert told == list(range(2, 12))


def test_groups_stay_together(tmp_path: Path) -> None:
    lines = ["g,a,c,y"] + [
        f"{'' if i > 190 else f'g{i % 40}'},{line}" for i, line in enumerate(LINES[1:])
    ]
    output = start_job(tmp_path, lines, SPLIT | {"by": "g"}, ignore=["g"])
    groups = [
        {
            f"g{int(a) % 40}"
            for a in pl.read_parquet(output / f"{name}/{name}.parquet")["a"]
            if a <= 190
        }
        for name in SPLITS
    ]
    assert sum(map(len, groups)) == 40


def test_the_newest_rows_are_the_test(tmp_path: Path) -> None:
    lines = ["t,a,c,y"] + [
        f"2026-01-01T00:{i // 60:02}:{i % 60:02},{line}" for i, line in enumerate(LINES[1:])
    ]
    output = start_job(tmp_path, lines, SPLIT | {"time": "t"}, ignore=["t"])
    ends = [pl.read_parquet(output / f"{name}/{name}.parquet")["a"] for name in SPLITS]
    assert [(part.min(), part.max()) for part in ends] == [(0, 119), (120, 159), (160, 199)]


def test_rows_without_a_time_are_malformed(tmp_path: Path) -> None:
    lines = ["t,a,c,y"] + [f"{i},{line}" for i, line in enumerate(LINES[1:])] + ["soon,1,c1,no"]
    with pytest.raises(ContainerError, match="line 202: column 't' is no point in time"):
        start_job(tmp_path, lines, SPLIT | {"time": "t"}, ignore=["t"])


@pytest.mark.parametrize("way", ["by", "time"])
def test_a_split_by_a_column_that_is_not_there(tmp_path: Path, way: str) -> None:
    with pytest.raises(FeatureError, match="no split column 'q'"):
        start_job(tmp_path, split=SPLIT | {way: "q"})


def test_the_users_code_prepares_the_table(tmp_path: Path) -> None:
    code = """
import polars as pl


def process(table, context):
    context.log(f"{context.objective}: {table.height} rows")
    return table.filter(pl.col("a").cast(pl.Int64) < 150).with_columns(c=pl.lit("one"))
"""
    output = start_job(tmp_path, code=code)
    summary = json.loads((output / "summary/summary.json").read_text())
    assert summary["rows"]["total"] == 150
    assert list(summary["statistics"]["c"]["counts"]) == ["one"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 1 / 0", "prepare.py, line 2, in process: ZeroDivisionError"),
        ("return 1", r"prepare\.py: process returned int: it must return a polars\.DataFrame"),
        ("raise KeyboardInterrupt", r"prepare\.py, line 2, in process: KeyboardInterrupt"),
        ("return table.head(0)", "no rows"),
        ("return table.drop('a')", "no column 'a'"),
    ],
)
def test_mistakes_of_the_users_code_are_told(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises((ContainerError, FeatureError), match=message):
        start_job(tmp_path, code=f"def process(table, context):\n    {body}\n")


def test_statistics_are_those_of_the_training_rows(churn: Folders) -> None:
    found = read(churn, "summary/summary.json")["statistics"]["Day Mins"]
    values = pl.read_parquet(churn.processed / "train/train.parquet")["Day Mins"]
    assert found["min"] == pytest.approx(values.min())
    assert found["max"] == pytest.approx(values.max())
    assert found["mean"] == pytest.approx(values.cast(pl.Float64).mean())
