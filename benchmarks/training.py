"""Training from Parquet against bare XGBoost on ready matrices: ``python -m benchmarks.training``.

Both train the same rounds with the same evaluations, in turns and in processes of their own. Ours
is the whole program after its imports: reading Parquet, checks, threshold, metrics, sealing. The
least of several times counts: what else the machine does only adds to it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from boostline.features.contract import fitted
from boostline.features.spec import FeatureSpec

RESULT = Path(__file__).parent / "results" / "training.json"
COLUMNS = [f"c{place}" for place in range(19)]
VALUES: dict[str, float] = {
    "num_round": 200,
    "early_stopping_rounds": 0,
    "max_depth": 6,
    "eta": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
}


def clocks() -> tuple[float, float]:
    """Read wall and CPU seconds."""
    return time.perf_counter(), time.process_time()


def write_job(base: Path, rows: int) -> None:
    """Lay out a training job of so many training rows, and a fifth of them to validate."""
    contract = fitted(FeatureSpec(label="y", numeric=COLUMNS), {}, ["0", "1"])
    generator = np.random.default_rng(0)
    data = base / "input" / "data"
    for name, count in (("train", rows), ("validation", rows // 5)):
        numbers = generator.normal(size=(count, len(COLUMNS))).astype(np.float32)
        noise = generator.normal(size=count)
        label = numbers[:, 0] * numbers[:, 1] + numbers[:, 2] + noise > 0
        table = pl.DataFrame(numbers, schema=COLUMNS).with_columns(y=label.astype(np.float32))
        (data / name).mkdir(parents=True)
        table.write_parquet(data / name / f"{name}.parquet")
    (data / "contract").mkdir()
    (data / "contract" / "features.json").write_bytes(contract.to_json())
    records = [dict.fromkeys(COLUMNS, 0.5)]
    (data / "contract" / "golden_records.json").write_text(json.dumps(records))
    (base / "input" / "config").mkdir()


def train_bare(base: Path, threads: int) -> dict[str, float]:
    """Load both splits, make the matrices, and train with XGBoost alone."""
    import xgboost  # noqa: PLC0415  (what is timed here is not imported in the other process)

    begun = np.array(clocks())
    tables = [pl.read_parquet(base / "input" / "data" / name) for name in ("train", "validation")]
    parts = [(table.drop("y").to_numpy(), table["y"].to_numpy()) for table in tables]
    first = xgboost.QuantileDMatrix(*parts[0], nthread=threads)
    second = xgboost.QuantileDMatrix(*parts[1], ref=first, nthread=threads)
    loaded = np.array(clocks())
    values = {name: value for name, value in VALUES.items() if "round" not in name}
    xgboost.train(
        values | {"objective": "binary:logistic", "tree_method": "hist", "nthread": threads},
        first,
        int(VALUES["num_round"]),
        evals=[(first, "train"), (second, "validation")],
        verbose_eval=False,
    )
    return _seconds("load", loaded - begun) | _seconds("train", np.array(clocks()) - loaded)


def train_ours(base: Path, threads: int) -> dict[str, float]:
    """Run the program."""
    from boostline.container.paths import Paths  # noqa: PLC0415
    from boostline.container.programs.train import run  # noqa: PLC0415

    text = json.dumps({name: str(value) for name, value in VALUES.items()} | {"nthread": threads})
    (base / "input" / "config" / "hyperparameters.json").write_text(text)
    begun = np.array(clocks())
    run(Paths(base))
    return _seconds("whole", np.array(clocks()) - begun)


def _seconds(name: str, clocks: Any) -> dict[str, float]:
    return {f"{name}_wall": float(clocks[0]), f"{name}_cpu": float(clocks[1])}


WAYS: dict[str, Callable[[Path, int], dict[str, float]]] = {"bare": train_bare, "ours": train_ours}


def main() -> None:
    """Compare, print and keep the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="1: CPU time says most")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "FOLDER"))
    given = parser.parse_args()
    if given.one:
        found = WAYS[given.one[0]](Path(given.one[1]), given.threads)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found | {"peak_mib": peak}))
        return
    with tempfile.TemporaryDirectory(prefix="boostline-") as folder:
        write_job(Path(folder), given.rows)
        runs = [
            {way: _measure(way, folder, given.threads) for way in WAYS}
            for _ in range(given.repeats)
        ]
    report(given.rows, runs)


def report(rows: int, runs: list[dict[str, dict[str, float]]]) -> None:
    """Print the least of each time, and write them."""
    bare, ours = (
        {name: min(run[way][name] for run in runs) for name in runs[0][way]}
        for way in ("bare", "ours")
    )
    result = {
        "rows": rows,
        "columns": len(COLUMNS),
        "rounds": VALUES["num_round"],
        "bare": bare,
        "ours": ours,
        # 1.1 times the training, and the time to load, is the target.
        **{
            f"ratio_{clock}": (ours[f"whole_{clock}"] - bare[f"load_{clock}"])
            / bare[f"train_{clock}"]
            for clock in ("wall", "cpu")
        },
        "peak_ratio": ours["peak_mib"] / bare["peak_mib"],
    }
    for name, value in result.items():
        print(f"{name:20} {value}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _measure(way: str, folder: str, threads: int) -> dict[str, float]:
    options = ["--one", way, folder, "--threads", str(threads)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", *options],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
