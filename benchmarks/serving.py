"""The model server against what one writes first: ``make bench-serving``.

All servers have the churn example's features and an equal model of 100 trees of depth 5. They run
side by side and are put under load in turns, from 64 connections that stay open: what the machine
does meanwhile meets all alike, and the ratios are those of one round. CPU time a request is the
steadier figure.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.load import Load, memory_mib, put_load
from benchmarks.programs import read_example, run_example
from benchmarks.servers import Running, running
from boostline.artifact.folder import Artifact, open_artifact
from boostline.container.loading import LoadedModel, load_model

RESULT = Path(__file__).parent / "results" / "serving.json"
MODEL = {"num_round": "100", "max_depth": "5", "early_stopping_rounds": "0"}
NODES = 3_000  # at least
CSV, JSON = "text/csv", "application/json"
LOADS = {"ours": CSV, "each": CSV, "once": CSV, "constant": CSV, "record": JSON}
ROWS, MOST_BYTES = 100_000, 12_000_000


class Row(NamedTuple):
    """A line of the table: what must be reached, at least or at most."""

    what: str
    required: float
    least: bool
    unit: str = "times"


TABLE = {
    "each": Row("one CSV row, against Flask converting on each request", 150, least=True),
    "once": Row("… against the same Flask converting once", 4, least=True),
    "constant": Row("… against the same server answering a constant", 0.6, least=True),
    "record": Row("one raw JSON record, against one CSV row", 0.8, least=True),
    "tail": Row("p99 at half the saturating load, against p50", 5, least=False),
    "batch": Row("100,000 CSV rows, against inplace_predict on a matrix", 1.5, least=False),
    "scoring": Row("scoring one row alone, against inplace_predict", 8, least=True),
    "start": Row("start to first 200, against the bare imports", 1.5, least=False),
    "memory": Row("memory of a worker after the one-row load", 250, least=False, unit="MiB"),
}


def train(root: Path) -> Path:
    """Train the model; return the base folder of its artifact."""
    example = read_example()
    run_example(root, example.split, {**example.hyperparameters, **MODEL})
    return root / "train"


def count_nodes(loaded: LoadedModel) -> int:
    """Count the nodes of the trees."""
    trees: list[str] = loaded.model.native.get_dump()
    found = sum(len(tree.splitlines()) for tree in trees)
    assert found >= NODES, f"the model has {found} nodes"
    return found


def write_bodies(artifact: Artifact, folder: Path) -> dict[str, Path]:
    """Write one golden record as a CSV row of features and as it is."""
    golden = artifact.golden.records[0]
    row = ",".join("" if value is None else f"{value:.7g}" for value in golden.features)
    bodies = {CSV: row, JSON: json.dumps(golden.record)}
    paths = {kind: folder / kind.replace("/", "-") for kind in bodies}
    for kind, path in paths.items():
        path.write_text(bodies[kind], encoding="ascii")
    return paths


def load_round(
    servers: dict[str, Running], bodies: dict[str, Path], seconds: int
) -> dict[str, Load]:
    """Put each load once, each after a second that does not count."""
    found = {}
    for name, kind in LOADS.items():
        server = servers.get(name, servers["ours"])
        for time_ in (1, seconds):
            found[name] = put_load(server.pid, server.port, bodies[kind], kind, time_)
            server.settle()
    return found


def in_turns(times: int, first: Callable[[], float], second: Callable[[], float]) -> list[float]:
    """Return the ratios of what two functions measure."""
    return [first() / second() for _ in range(times)]


def batch_ratios(server: Running, loaded: LoadedModel, times: int) -> list[float]:
    """Send 100,000 rows as CSV in one request, and score them from a ready matrix."""
    table = np.array(loaded.artifact.golden.rows, dtype=np.float32)
    rows = np.resize(table, (ROWS, table.shape[1]))
    line = [",".join("" if np.isnan(v) else f"{v:.6g}" for v in row) for row in table.tolist()]
    body = "\n".join(line[number % len(line)] for number in range(ROWS)).encode()
    assert len(body) <= MOST_BYTES, f"the body has {len(body)} bytes"
    booster = loaded.model.native

    def ours() -> float:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        began = time.perf_counter()
        connection.request("POST", "/invocations", body, {"Content-Type": CSV, "Accept": CSV})
        answer = connection.getresponse()
        text = answer.read()
        took = time.perf_counter() - began
        assert (answer.status, text.count(b"\n")) == (200, ROWS), text[:300]
        connection.close()
        return took

    def bare() -> float:
        began = time.perf_counter()
        booster.inplace_predict(rows)
        return time.perf_counter() - began

    in_turns(2, ours, bare)
    return in_turns(times, ours, bare)


def scoring_ratios(loaded: LoadedModel, times: int) -> list[float]:
    """Score one row with XGBoost and with the engine that serves."""
    row = np.array(loaded.artifact.golden.rows[:1], dtype=np.float32)
    booster, score = loaded.model.native, loaded.choice.engine.score

    def bare() -> float:
        return timeit.timeit(lambda: booster.inplace_predict(row), number=2_000)

    def ours() -> float:
        return timeit.timeit(lambda: score(row), number=2_000)

    in_turns(1, bare, ours)
    return in_turns(times, bare, ours)


def start_ratios(base: Path, times: int) -> list[float]:
    """Start our server until it answers, and an interpreter that imports two libraries."""

    def ours() -> float:
        with running("ours", base) as server:
            return server.started

    def bare() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import xgboost, daal4py"], check=True)
        return time.perf_counter() - began

    in_turns(1, ours, bare)
    return in_turns(times, ours, bare)


def measure(root: Path, rounds: int, seconds: int) -> dict[str, Any]:
    """Measure everything."""
    base = train(root)
    loaded = load_model(open_artifact(base / "model"))
    bodies = write_bodies(loaded.artifact, root)
    with ExitStack() as stack:
        names = ("ours", "each", "once", "constant")
        servers = {name: stack.enter_context(running(name, base)) for name in names}
        ours = servers["ours"]
        loads = [load_round(servers, bodies, seconds) for _ in range(rounds)]
        half = statistics.median(load["ours"].rate for load in loads) / 2
        # The constant's tail is what the machine and the load generator do to anybody's.
        halves, bare = (
            [put_load(one.pid, one.port, bodies[CSV], CSV, seconds, half) for _ in range(rounds)]
            for one in (ours, servers["constant"])
        )
        memory = memory_mib(ours.worker)
        batch = batch_ratios(ours, loaded, 2 * rounds)
        peak = memory_mib(ours.worker, "VmHWM")
    ratios = {name: [load["ours"].rate / load[name].rate for load in loads] for name in names[1:]}
    ratios |= {
        "record": [load["record"].rate / load["ours"].rate for load in loads],
        "tail": [load.p99 / load.p50 for load in halves],
        "batch": batch,
        "scoring": scoring_ratios(loaded, rounds),
        "start": start_ratios(base, rounds),
        "memory": [memory],
    }
    return {
        "nodes": count_nodes(loaded),
        "engine": loaded.choice.engine.name,
        "figures": {name: _spread(values) for name, values in ratios.items()},
        "requests_per_second": _of_loads(loads, "rate"),
        "cpu_us_per_request": _of_loads(loads, "cpu"),
        "half_load_p99_us": _spread([load.p99 for load in halves]),
        "half_load_p99_us_of_the_constant": _spread([load.p99 for load in bare]),
        "peak_mib_in_the_large_request": peak,
    }


def _of_loads(loads: Sequence[dict[str, Load]], member: str) -> dict[str, dict[str, float]]:
    return {name: _spread([getattr(load[name], member) for load in loads]) for name in LOADS}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def report(result: dict[str, Any]) -> None:
    """Print what was required and measured, and keep it."""
    print(f"{'':56} {'required':>11} {'measured':>10}  least to most")
    for name, row in TABLE.items():
        found = result["figures"][name]
        met = found["median"] >= row.required if row.least else found["median"] <= row.required
        required = f"{'≥' if row.least else '≤'} {row.required:g} {row.unit}"
        spread = f"{found['min']:.3g} to {found['max']:.3g}"
        print(
            f"{row.what:56} {required:>11} {found['median']:>10.3g}  {spread}"
            f"{'' if met else '  MISSED'}"
        )
    print(f"\n{'':10} {'requests/s':>12} {'CPU µs a request':>18}")
    for name in LOADS:
        rate, cpu = (
            result[member][name]["median"]
            for member in ("requests_per_second", "cpu_us_per_request")
        )
        print(f"{name:10} {rate:>12,.0f} {cpu:>18.1f}")
    p99s = [result[f"half_load_p99_us{of}"]["median"] for of in ("", "_of_the_constant")]
    print(f"p99 at half the load: {p99s[0]:,.0f} µs, of the constant {p99s[1]:,.0f} µs")
    peak = result["peak_mib_in_the_large_request"]
    print(f"the worker's peak in the large request: {peak:.0f} MiB")
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Compare, print and keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each load")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="boostline-") as folder:
        report(measure(Path(folder), given.rounds, given.seconds))


if __name__ == "__main__":
    main()
