"""process on a large CSV against pandas and scikit-learn: ``python -m benchmarks.process``.

Both go from CSV to three splits on disk. Ours makes the feature contract as well, of a table of
``--rows`` and of a tenth of it; the other one one-hot encodes and scales a tenth, in memory. Each
runs as a command of its own, imports included; the least of two times counts: what else the machine
does only adds to it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.programs import EXAMPLE, lay_process, read_example

RESULT = Path(__file__).parent / "results" / "process.json"
SPLIT = {"train": 0.7, "validation": 0.15, "test": 0.15, "seed": 1}
CHUNK = 200_000
TARGETS = {"time a row": 1 / 5, "peak": 1 / 5, "peak, ten times the rows": 1.3}


def write_table(path: Path, rows: int) -> None:
    """Draw rows of the churn table, its decimal columns with noise: 19 columns and the label."""
    source = pl.read_csv(EXAMPLE / "data" / "churn.csv").drop("Phone")
    decimal = [column.name for column in source if column.dtype == pl.Float64]
    generator = np.random.default_rng(1)
    with path.open("wb") as file:
        for start in range(0, rows, CHUNK):
            count = min(CHUNK, rows - start)
            table = source[generator.integers(0, len(source), count)].with_columns(
                (pl.col(name) + pl.Series(generator.normal(0, 5, count))).round(2)
                for name in decimal
            )
            table.write_csv(file, include_header=start == 0)


def run_sklearn(table: Path, folder: Path) -> None:
    """Do what is usual: read, split, fit, one-hot and scale, write."""
    import pandas  # noqa: ICN001, PLC0415
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415
    from sklearn.model_selection import train_test_split  # noqa: PLC0415
    from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: PLC0415

    features = read_example().features
    rows = pandas.read_csv(table)
    label = rows.pop(features["label"])
    train, rest, _, _ = train_test_split(rows, label, train_size=0.7, random_state=1)
    validation, test = train_test_split(rest, train_size=0.5, random_state=1)
    transformer = ColumnTransformer(
        [
            ("numeric", StandardScaler(), features["numeric"]),
            ("categorical", OneHotEncoder(sparse_output=False), features["categorical"]),
        ]
    )
    np.save(folder / "train.npy", transformer.fit_transform(train).astype(np.float32))
    np.save(folder / "validation.npy", transformer.transform(validation).astype(np.float32))
    np.save(folder / "test.npy", transformer.transform(test).astype(np.float32))


def measure(arguments: list[str], **environment: str) -> dict[str, float]:
    """Run a Python command; its wall and processor time in seconds, its peak in MiB."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    if status:
        raise RuntimeError(f"{arguments} failed")
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}


def best(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    """Keep the least of each figure."""
    return {name: min(value, second[name]) for name, value in first.items()}


def run_ours(folder: Path, table: Path) -> dict[str, float]:
    """Run the program on a table."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        base = Path(name)
        features = read_example().features | {"ignore": [], "derived": {}}
        lay_process(base, [], features, SPLIT)
        os.link(table, base / "processing" / "input" / "data" / "data.csv")
        return measure(["boostline.container", "process"], SAGEMAKER_BASE_DIR=str(base))


def compare(folder: Path, rows: int) -> dict[str, Any]:
    """Measure both in turns, twice."""
    large, small = folder / "large.csv", folder / "small.csv"
    write_table(large, rows)
    write_table(small, rows // 10)
    found: dict[str, dict[str, float]] = {}
    for _ in range(2):
        other = measure(["benchmarks.process", "--sklearn", str(small), str(folder)])
        turn = {"sklearn": other, "tenth": run_ours(folder, small), "ours": run_ours(folder, large)}
        found = {name: best(turn[name], found.get(name, turn[name])) for name in turn}
    ours, other = found["ours"], found["sklearn"]
    ratios = {
        "time a row": ours["wall"] / other["wall"] / 10,
        "peak": ours["peak_mib"] / other["peak_mib"] / 10,
        "peak, ten times the rows": ours["peak_mib"] / found["tenth"]["peak_mib"],
    }
    return {"rows": rows, **found, "cpu_ratio": ours["cpu"] / other["cpu"] / 10, "ratios": ratios}


def main() -> None:
    """Measure, print a table, and keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--sklearn", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.sklearn:
        run_sklearn(*given.sklearn)
        return
    with tempfile.TemporaryDirectory(prefix="boostline-") as folder:
        found = compare(Path(folder), given.rows)
    for name, rows in (
        ("sklearn", given.rows // 10),
        ("tenth", given.rows // 10),
        ("ours", given.rows),
    ):
        run = found[name]
        seconds = f"{run['wall']:7.2f} s, {run['cpu']:7.2f} s of CPU"
        print(f"{name:<8} {rows:>10} rows: {seconds}, {run['peak_mib']:6.0f} MiB")
    for name, ratio in found["ratios"].items():
        print(f"{name}: {ratio:.3f} (target: at most {TARGETS[name]:.3g})")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
