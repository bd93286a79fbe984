"""One raw record over the REST API: what it costs against its parts, and during a deployment.

``python -m benchmarks.api`` starts a platform, trains the churn example, serves it, and puts the
function and a REST API before it. In turns it measures, at one connection each, the whole way and
its parts: the gateway's own code, the way through API and Lambda to a function that does nothing,
and the endpoint. Then it deploys another version while 200 requests a second arrive.
"""

import argparse
import http.client
import io
import json
import os
import statistics
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
import pandas  # noqa: ICN001
from botocore.config import Config
from botocore.hooks import HierarchicalEmitter

from benchmarks.features import fit_sklearn, microseconds
from benchmarks.platform import platform
from benchmarks.programs import EXAMPLE
from benchmarks.stage import NAME, Stage, train
from boostline.artifact.folder import Artifact
from boostline.contracts import address
from boostline.features.record import RecordTransform
from boostline.gateway import request
from boostline.gateway.app import Gateway
from boostline.gateway.endpoint import Endpoint, csv_line
from boostline.gateway.telemetry import Telemetry

RESULT = Path(__file__).parent / "results" / "api.json"
SAMPLE = (EXAMPLE / "sample_request.json").read_bytes()
RATE, SENDERS, SETTLE = 200, 20, 2.0
NOTHING = 'def handler(event, context):\n    return {"statusCode": 200, "body": "{}"}\n'
ROUNDS = 5
ANSWER = b'{"predictions":[{"score":0.93,"label":"True."}]}'


class Silent(Telemetry):
    """Says nothing: what logs and metrics take is measured apart."""

    def __init__(self) -> None:
        """Need nothing."""

    def answered(self, *_: object) -> None:
        """Say nothing."""

    def traced(self, *_: object) -> Any:
        """Trace nothing."""
        return nullcontext()


class Runtime:
    """A client whose endpoint answers at once."""

    def __init__(self) -> None:
        """Have a client's events, and never one that happens."""
        self.meta = SimpleNamespace(events=HierarchicalEmitter())

    def invoke_endpoint(self, **_: Any) -> dict[str, Any]:
        """Answer."""
        attributes = "model=churn/1;threshold=0.41"
        return {"Body": io.BytesIO(ANSWER), "CustomAttributes": attributes}


class Context(NamedTuple):
    """An invocation."""

    aws_request_id: str = "invocation"


class Connection:
    """A connection to a REST API that is kept."""

    def __init__(self, url: str) -> None:
        found = urlsplit(url)
        self._path = found.path
        self._http = http.client.HTTPConnection(found.hostname or "", found.port, timeout=30)

    def post(self) -> int:
        """Send the sample; return the status."""
        headers = {"content-type": "application/json"}
        self._http.request("POST", f"{self._path}/predict", SAMPLE, headers)
        answer = self._http.getresponse()
        answer.read()
        return answer.status

    def close(self) -> None:
        """Hang up."""
        self._http.close()


def clients(folder: Path) -> tuple[Callable[[str], Any], str]:
    """Return what makes clients of the platform in a folder, and where it answers."""
    found = address.read(folder)
    assert found is not None
    session = boto3.Session(found.access_key, found.secret_key, region_name=found.region)

    def client(service: str) -> Any:
        settings = Config(retries={"total_max_attempts": 1})
        return session.client(service, endpoint_url=found.endpoint, config=settings)

    return client, found.endpoint


def own_code(artifact: Artifact) -> dict[str, float]:
    """Measure the gateway's own code: from the body to the row that is sent, and all of it.

    Both rows are made of the body's text; the other one has no derived columns, and nothing in it
    is checked.
    """
    event = {
        "httpMethod": "POST",
        "resource": "/predict",
        "body": SAMPLE.decode(),
        "requestContext": {"requestId": "request"},
    }
    transform, other = RecordTransform(artifact.contract).transform, fit_sklearn()
    silent, telling = (
        Gateway(artifact.contract, Endpoint(NAME, Runtime()), telemetry)
        for telemetry in (Silent(), Telemetry("bench", "bench"))
    )

    def theirs() -> str:
        frame = pandas.DataFrame([json.loads(SAMPLE)])
        return ",".join(map(str, other.transform(frame)[0].tolist()))

    ways: dict[str, tuple[Callable[[], object], int]] = {
        "row_us": (lambda: csv_line(transform(request.checked(request.read(event)))), 2_000),
        "sklearn_us": (theirs, 20),
        "gateway_us": (lambda: silent.handle(event, Context()), 1_000),
        "with_logs_us": (lambda: telling.handle(event, Context()), 200),
    }
    with _no_output():
        turns = [{name: microseconds(*way) for name, way in ways.items()} for _ in range(ROUNDS)]
    least = {name: min(turn[name] for turn in turns) for name in ways}
    return {**least, "against_sklearn": least["sklearn_us"] / least["row_us"]}


@contextmanager
def _no_output() -> Iterator[None]:
    """Let everything that is printed go nowhere, as a file that costs nothing to read."""
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def round_trips(whole: str, nothing: str, runtime: Any, row: bytes, calls: int) -> dict[str, float]:
    """Measure the whole and its parts by turns, call for call; return medians in milliseconds."""

    def invoke() -> None:
        runtime.invoke_endpoint(
            EndpointName=NAME, ContentType="text/csv", Accept="application/json", Body=row
        )["Body"].read()

    api, hop = Connection(whole), Connection(nothing)
    ways = {"api_ms": api.post, "hop_ms": hop.post, "endpoint_ms": invoke}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(calls):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - began) * 1000)
    assert api.post() == hop.post() == 200
    api.close()
    hop.close()
    return {name: statistics.median(found) for name, found in times.items()}


def deployment(stage: Stage, url: str, artifact: Artifact) -> dict[str, float]:
    """Update endpoint and function while requests arrive at a rate; count what is not answered."""
    statuses, done, began = Counter[int](), threading.Event(), time.monotonic()

    def send(place: int) -> None:
        connection, number = Connection(url), 0
        while not done.wait(max(0.0, began + (place + number * SENDERS) / RATE - time.monotonic())):
            number += 1
            try:
                statuses[connection.post()] += 1
            except (OSError, http.client.HTTPException):
                statuses[0] += 1
                connection.close()
        connection.close()

    threads = [threading.Thread(target=send, args=(place,)) for place in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(SETTLE)
        stage.serve("v2", artifact)
        stage.function(artifact.contract)
        time.sleep(SETTLE)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    seconds = time.monotonic() - began
    total = sum(statuses.values())
    return {
        "requests": total,
        "rate": total / seconds,
        "lost": total - statuses[200],
        "answered": statuses[200] / total,
    }


def cold_starts(client: Any, times: int) -> Sequence[float]:
    """Return the milliseconds of first answers; the first of all, with a cold disk, is left out."""
    event = json.dumps({"httpMethod": "GET", "resource": "/health"}).encode()
    found = []
    for number in range(times + 1):
        variables = {"ENDPOINT_NAME": NAME, "START": str(number)}
        client.update_function_configuration(
            FunctionName=NAME, Environment={"Variables": variables}
        )
        began = time.perf_counter()
        client.invoke(FunctionName=NAME, Payload=event)["Payload"].read()
        found.append((time.perf_counter() - began) * 1000)
    return found[1:]


def measure(folder: Path, calls: int) -> dict[str, float]:
    """Measure everything in a new folder."""
    artifact = train(folder / "model", {})
    result = own_code(artifact)
    with platform(folder / "platform"):
        client, endpoint = clients(folder / "platform")
        stage = Stage(client, endpoint)
        stage.serve("v1", artifact)
        stage.function(artifact.contract)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("nothing.py", NOTHING)
        stage.code("nothing", packed.getvalue(), "nothing.handler")
        whole, nothing = stage.route(), stage.route("nothing")
        features = RecordTransform(artifact.contract).transform(json.loads(SAMPLE))
        row, runtime = csv_line(features), client("sagemaker-runtime")
        result |= round_trips(whole, nothing, runtime, row, calls)
        parts = result["gateway_us"] / 1000 + result["hop_ms"] + result["endpoint_ms"]
        result |= {"parts_ms": parts, "ratio": result["api_ms"] / parts}
        result["cold_start_ms"] = statistics.median(cold_starts(client("lambda"), 5))
        result |= deployment(stage, whole, artifact)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000, help="calls of each way")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options.calls)
    for name, value in result.items():
        print(f"{name:18} {value:10.3f}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
