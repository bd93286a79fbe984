"""Good and bad requests of all kinds at the real server for minutes: ``make soak``.

64 connections send them in random order. Every good answer must hold XGBoost's own scores, every
bad request must be refused with its status, none may be a 5xx, and the workers' memory must not
grow once each has seen everything. Bodies are up to as large as they may be, and larger.
"""

import argparse
import asyncio
import io
import itertools
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import xgboost

from benchmarks.load import CONNECTIONS, family, memory_mib
from benchmarks.servers import running
from benchmarks.serving import train
from boostline.artifact.folder import Artifact, open_artifact
from boostline.container.server.settings import MAX_BODY

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
PARQUET = "application/vnd.apache.parquet"
EXPLAIN = "X-Amzn-SageMaker-Custom-Attributes: explain=3"
TOLERANCE = 2e-6
LARGE = 0.002  # the share of requests with the largest bodies
PART = 50_000  # bytes of a body that comes in parts
GROWTH_MIB = 8.0  # of a worker; an allocator's own steps are smaller
WORKERS = 2


class Case(NamedTuple):
    """A request, the status that it must have, and the scores."""

    name: str
    body: bytes
    kind: str
    status: int = 200
    accept: str = JSON
    scores: Sequence[float] = ()
    method: str = "POST"
    path: str = "/invocations"
    header: str = "X-None: 0"
    chunked: bool = False


class Wrong(Exception):
    """An answer that is not as it must be."""


def good_cases(artifact: Artifact) -> Iterator[Case]:
    """Make requests of all kinds and sizes from the golden records."""
    golden = artifact.golden.records
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(artifact.folder / "model.ubj")
    matrix = np.array(artifact.golden.rows, dtype=np.float32)
    expected = booster.inplace_predict(matrix).tolist()
    names = ",".join(f'"{name}"' for name in artifact.contract.columns)
    fields = [",".join("" if v is None else repr(v) for v in one.features) for one in golden]
    for start, count in itertools.product(range(len(golden)), (1, 2, 17, 500, 5_000)):
        places = [(start + step) % len(golden) for step in range(count)]
        scores = [expected[place] for place in places]
        records = [golden[place].record for place in places]
        lines = "\n".join(fields[place] for place in places)
        if count == 5_000 and start % 7:
            continue
        for accept in (JSON, CSV, LINES):
            yield Case("csv", lines.encode(), CSV, accept=accept, scores=scores)
        yield Case("csv, header", f"{names}\r\n{lines}\r\n".encode(), CSV, scores=scores)
        yield Case("list", json.dumps(records).encode(), JSON, accept=CSV, scores=scores)
        yield Case("instances", json.dumps({"instances": records}).encode(), JSON, scores=scores)
        text = "\n".join(map(json.dumps, records))
        yield Case("lines", text.encode(), LINES, accept=LINES, scores=scores)
        buffer = io.BytesIO()
        pl.DataFrame(records, infer_schema_length=None).write_parquet(buffer)
        yield Case("parquet", buffer.getvalue(), PARQUET, scores=scores)
        yield Case("record", json.dumps(records[0]).encode(), JSON, scores=scores[:1])
        yield Case("chunked", lines.encode(), CSV, scores=scores, chunked=True)
        if count <= 17:
            yield Case("explained", text.encode(), LINES, scores=scores, header=EXPLAIN)


def large_cases(artifact: Artifact, good: Sequence[Case]) -> list[Case]:
    """Make requests that are as large as they may be, and larger."""
    one = max((case for case in good if case.name == "csv"), key=lambda case: len(case.body))
    times = MAX_BODY // (len(one.body) + 1)
    body, scores = b"\n".join([one.body] * times), list(one.scores) * times
    explained = f"\n{json.dumps(artifact.golden.records[0].record)}".encode() * 1_001
    return [
        Case("large", body, CSV, accept=CSV, scores=scores),
        Case("large, chunked", body, CSV, accept=CSV, scores=scores, chunked=True),
        Case("too large", b"1" * (MAX_BODY + 1), CSV, 413),
        Case("too large, chunked", b"1" * (MAX_BODY + 1), CSV, 413, chunked=True),
        Case("too many explained", explained[1:], LINES, 413, header=EXPLAIN),
    ]


def bad_cases(artifact: Artifact) -> list[Case]:
    """Make requests that must be refused."""
    record = json.dumps(artifact.golden.records[0].record).encode()
    width = len(artifact.contract.columns)
    row = b",".join([b"1"] * width)
    return [
        Case("empty", b"", JSON, 400),
        Case("broken JSON", record[:-3], JSON, 400),
        Case("deep JSON", b"[" * 60_000, JSON, 400),
        Case("not a record", b"17", JSON, 400),
        Case("missing columns", b"{}", JSON, 400),
        Case("broken lines", record + b"\n{", LINES, 400),
        Case("too narrow", row[2:], CSV, 400),
        Case("text in a number", b"x" + row[1:], CSV, 400),
        Case("infinite", b"1e400" + row[1:], CSV, 400),
        Case("one wrong row of many", b"\n".join([row] * 3_000 + [row[2:]]), CSV, 400),
        Case("not text", b"\xff\xfe" * 50, CSV, 400),
        Case("no Parquet", record * 10, PARQUET, 400),
        Case("unknown type", record, "image/png", 415),
        Case("compressed", record, JSON, 415, header="Content-Encoding: gzip"),
        Case("nothing acceptable", record, JSON, 406, accept="image/png"),
        Case(
            "other features",
            row,
            CSV,
            409,
            header="X-Amzn-SageMaker-Custom-Attributes: features=0",
        ),
        Case("unknown path", record, JSON, 404, path="/"),
        Case("wrong method", record, JSON, 405, method="PUT"),
        Case("a header too large", record, JSON, 431, header="X: " + "x" * 70_000),
    ]


def found_scores(body: bytes, kind: str) -> list[float]:
    """Read the scores of an answer."""
    if kind == CSV:
        return [float(line) for line in body.splitlines()]
    if kind == LINES:
        return [json.loads(line)["score"] for line in body.splitlines()]
    return [one["score"] for one in json.loads(body)["predictions"]]


def check(case: Case, status: int, body: bytes) -> None:
    """Compare an answer with what it must be.

    Raises
    ------
    Wrong
        It differs.
    """
    if status != case.status:
        raise Wrong(f"{case.name}: {status}, not {case.status}: {body[:300]!r}")
    if status != 200:
        if not json.loads(body)["error"]["code"]:
            raise Wrong(f"{case.name}: no code: {body[:300]!r}")
        return
    found, expected = np.array(found_scores(body, case.accept)), np.array(case.scores)
    if found.shape != expected.shape or np.abs(found - expected).max() > TOLERANCE:
        raise Wrong(f"{case.name}: other scores than the native engine's: {body[:300]!r}")


def in_parts(body: bytes) -> Iterator[bytes]:
    """Write a body in parts of unknown number."""
    for start in range(0, len(body), PART):
        part = body[start : start + PART]
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


class Client:
    """One connection at a time, opened again where the server closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, case: Case) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        length = f"Content-Length: {len(case.body)}"
        head = (
            f"{case.method} {case.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {case.kind}\r\n"
            f"Accept: {case.accept}\r\n{case.header}\r\n"
            f"{'Transfer-Encoding: chunked' if case.chunked else length}\r\n\r\n"
        )
        writer.write(head.encode())
        writer.writelines(in_parts(case.body) if case.chunked else [case.body])
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = dict(line.lower().split(": ", 1) for line in lines[1:-1])
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            await self.close()
        return int(lines[0].split()[1]), body

    async def close(self) -> None:
        """Close, if it is open."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def leave(self) -> None:
        """Go away in the midst of a request."""
        await self.close()
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"POST /invocations HTTP/1.1\r\nContent-Length: 1000\r\n\r\n1,2")
        await writer.drain()
        writer.close()


async def send_all(port: int, choose: Callable[[], Case], until: float) -> Counter[str]:
    """Send requests from all connections until a time; count them by name."""
    counts: Counter[str] = Counter()

    async def one() -> None:
        client = Client(port)
        while time.monotonic() < until:
            case = choose()
            check(case, *await client.send(case))
            counts[case.name] += 1
            if case.name == "empty":
                await client.leave()
        await client.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(one())
    return counts


async def watch(workers: Sequence[int], until: float) -> list[float]:
    """Note each second what the largest worker has in memory, in MiB."""
    found = []
    while time.monotonic() < until:
        found.append(max(memory_mib(worker) for worker in workers))
        await asyncio.sleep(1)
    return found


async def soak(port: int, workers: Sequence[int], artifact: Artifact, seconds: int) -> float:
    """Send for so many seconds; return by how many MiB a worker grew after its warm-up."""
    generator = random.Random(0)
    good, bad = list(good_cases(artifact)), bad_cases(artifact)
    large = large_cases(artifact, good)

    def choose() -> Case:
        if generator.random() < LARGE:
            return generator.choice(large)
        return generator.choice(bad if generator.random() < 0.3 else good)

    until = time.monotonic() + seconds
    counts, memory = await asyncio.gather(send_all(port, choose, until), watch(workers, until))
    for name, count in sorted(counts.items()):
        print(f"{name:24} {count:>8}")
    # Large bodies come and go: what stays is what there is when there are none.
    fifth = max(1, len(memory) // 5)
    growth = min(memory[-fifth:]) - min(memory[fifth : 2 * fifth])
    print(f"{counts.total()} requests; memory of a worker {max(memory):.0f} MiB, {growth:+.1f} MiB")
    return growth


def run(base: Path, seconds: int) -> str:
    """Soak the server of a model; return what was wrong, or nothing."""
    artifact = open_artifact(base / "model")
    with running("ours", base, SAGEMAKER_MODEL_SERVER_WORKERS=str(WORKERS)) as server:
        while len(workers := family(server.pid)[1:]) < WORKERS:
            continue  # the others start when the first is ready
        try:
            growth = asyncio.run(soak(server.port, workers, artifact, seconds))
        except ExceptionGroup as group:
            return str(group.exceptions[0])
        if not set(workers) <= set(family(server.pid)):  # they have children of their own
            return f"a worker died: {(base / 'ours.log').read_text(encoding='utf-8')}"
    return f"a worker grew by {growth:.1f} MiB" if growth > GROWTH_MIB else ""


def main() -> int:
    """Return 0 if all was well."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="boostline-") as folder:
        wrong = run(train(Path(folder)), given.seconds)
    if wrong:
        print(f"wrong: {wrong}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
