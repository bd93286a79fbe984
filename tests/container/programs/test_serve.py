"""The real server in its own process, over real HTTP."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from benchmarks.programs import EXAMPLE, start
from boostline.artifact.folder import open_artifact, seal
from boostline.artifact.golden import Golden
from boostline.container.loading import LoadedModel
from boostline.container.server.app import ATTRIBUTES
from boostline.container.server.settings import MAX_BODY
from tests.container.conftest import Folders
from tests.container.jobs import lay_job, train

pytestmark = pytest.mark.slow

SAMPLE = (EXAMPLE / "sample_request.json").read_text()
Answer = tuple[int, dict[str, str], str]


Served = tuple["subprocess.Popen[str]", int]


@contextmanager
def serving(base: Path, **others: str) -> Iterator[Served]:
    with free_port() as port:
        yield from at_port(base, port, others)


@contextmanager
def free_port() -> Iterator[int]:
    """Hold a port that only who allows its address to be in use may take, as the server does."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def at_port(base: Path, port: int, others: Mapping[str, str]) -> Iterator[Served]:
    variables = {
        **others,
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "BOOSTLINE_BIND_ADDRESS": "127.0.0.1",
        "BOOSTLINE_MODEL_VERSION": "3",
    }
    process = start("serve", base, **variables)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"serving on 127.0.0.1:{port}, workers=")
        yield process, port
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(churn: Folders) -> Iterator[int]:
    with serving(churn.train) as (_, port):
        yield port


def ask(port: int, method: str, path: str, body: str | bytes = b"", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(connection):  # also where the server dies
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        got = {name.lower(): value for name, value in response.getheaders()}
        return response.status, got, response.read().decode()


def invoke(port: int, body: str | bytes, kind: str = "application/json", **headers: str) -> Answer:
    return ask(port, "POST", "/invocations", body, content_type=kind, **headers)


def test_ping_is_empty(server: int) -> None:
    status, headers, body = ask(server, "GET", "/ping")
    assert (status, headers["content-length"], body) == (200, "0", "")


def test_the_sample_is_answered_with_the_models_attributes(
    server: int, loaded: LoadedModel
) -> None:
    status, headers, body = invoke(server, SAMPLE)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["predictions"][0]["label"] == "False."
    attributes = dict(part.split("=") for part in headers[ATTRIBUTES.lower()].split(";"))
    assert attributes["features"] == loaded.artifact.contract.digest
    assert attributes["engine"] == loaded.choice.engine.name
    assert attributes["model"] == "3"


def test_refusals_carry_their_status(server: int) -> None:
    status, headers, body = invoke(server, '{"State": "OH"}')
    assert status == 400
    assert ATTRIBUTES.lower() in headers
    assert json.loads(body)["error"]["column"] == "Account Length"
    assert invoke(server, "1", "image/png")[0] == 415
    assert invoke(server, SAMPLE, accept="image/png")[0] == 406
    row = {ATTRIBUTES.replace("-", "_"): "features=0"}
    assert invoke(server, "1", "text/csv", **row)[0] == 409
    assert ask(server, "GET", "/invocations")[0] == 405
    assert ask(server, "GET", "/")[0] == 404


def test_the_routes_beside_invocations(server: int) -> None:
    status, headers, body = ask(server, "PUT", "/ping")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert json.loads(body)["error"]["code"] == "method_not_allowed"
    assert ask(server, "HEAD", "/ping")[::2] == (200, "")
    status, _, body = ask(server, "GET", "/execution-parameters")
    parameters = json.loads(body)
    assert parameters["BatchStrategy"] == "MULTI_RECORD"
    # SageMaker refuses a batch job whose requests could hold more than this at a time.
    assert 0 < parameters["MaxConcurrentTransforms"] * parameters["MaxPayloadInMB"] <= 100


def test_metrics_are_those_of_all_workers(server: int) -> None:
    def counted() -> dict[str, float]:
        lines = ask(server, "GET", "/metrics")[2].splitlines()
        return {k: float(v) for k, v in (x.rsplit(" ", 1) for x in lines if x[0] != "#")}

    before = counted()
    for _ in range(10):
        assert invoke(server, SAMPLE)[0] == 200
        assert invoke(server, "{")[0] == 400
    after = counted()
    assert after["boostline_invocations_total"] - before["boostline_invocations_total"] == 20
    errors = 'boostline_invocation_errors_total{class="4xx"}'
    assert after[errors] - before[errors] == 10


def test_a_body_beyond_the_limit(server: int) -> None:
    assert invoke(server, b"1" * (MAX_BODY + 1), "text/csv")[0] == 413


def test_a_large_body_is_scored(server: int, loaded: LoadedModel) -> None:
    line = ",".join(["1"] * len(loaded.artifact.contract.columns))
    status, _, body = invoke(server, "\n".join([line] * 5000), "text/csv", accept="text/csv")
    assert status == 200
    scores = [float(line) for line in body.splitlines()]
    # oneDAL adds the leaves of the last rows of a block in another order.
    assert scores == pytest.approx([scores[0]] * 5000, abs=1e-6)


def test_clients_at_once_get_their_own_answers(server: int, loaded: LoadedModel) -> None:
    goldens = loaded.artifact.golden.records * 10
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda g: invoke(server, json.dumps(g.record)), goldens))
    scores = [json.loads(body)["predictions"][0]["score"] for _, _, body in answers]
    assert scores == pytest.approx([golden.score for golden in goldens], abs=1e-5)


def test_a_request_in_flight_is_answered_after_sigterm(churn: Folders) -> None:
    with (
        serving(churn.train, SAGEMAKER_MODEL_SERVER_WORKERS="1") as (process, port),
        socket.create_connection(("127.0.0.1", port), timeout=60) as idle,
        socket.create_connection(("127.0.0.1", port), timeout=60) as client,
    ):
        idle.sendall(b"GET /ping HTTP/1.1\r\n\r\n")
        assert b"200 OK" in idle.recv(1000)
        head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(SAMPLE)}\r\n"
        client.sendall(
            f"{head}Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert b"100 Continue" in client.recv(1000)
        process.send_signal(signal.SIGTERM)
        assert idle.recv(1000) == b""  # the worker drains
        with pytest.raises(ConnectionRefusedError):
            ask(port, "GET", "/ping")
        client.sendall(SAMPLE.encode())
        answer = b"".join(iter(lambda: client.recv(10_000), b""))  # head and body come apart
        assert b"200 OK" in answer
        assert b'"score"' in answer
        assert process.wait() == 0


def test_a_worker_that_is_killed_comes_back_and_the_others_answer(churn: Folders) -> None:
    with serving(churn.train, SAGEMAKER_MODEL_SERVER_WORKERS="2") as (process, port):
        while len(workers := children(process.pid)) < 2:
            assert ask(port, "GET", "/ping")[0] == 200
        os.kill(workers[0], signal.SIGKILL)
        while not (set(children(process.pid)) - set(workers)):
            with contextlib.suppress(ConnectionError):  # it may have been with the one that died
                assert invoke(port, SAMPLE)[0] == 200
        # The new one answers alone, once the other is gone too.
        os.kill(workers[1], signal.SIGKILL)
        while workers[1] in children(process.pid):
            continue
        for _ in range(5):
            assert invoke(port, SAMPLE)[0] == 200


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def test_the_environment_of_a_batch_job(churn: Folders) -> None:
    batch = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "1"}
    with serving(churn.train, **batch) as (process, port):
        status, _, body = invoke(port, b"1" * ((1 << 20) + 1), "text/csv")
        assert (status, json.loads(body)["error"]["code"]) == (413, "too_large")
        assert invoke(port, SAMPLE)[0] == 200
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate()
        # What was counted is told at the end, at the latest.
        (line,) = [line for line in output.splitlines() if "_aws" in line]
        assert json.loads(line)["Invocations"] == 1
        assert json.loads(line)["Model"] == "3"


def test_a_port_that_is_taken(churn: Folders) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start("serve", churn.train, SAGEMAKER_BIND_TO_PORT=str(port))
        _, errors = process.communicate()
    assert process.returncode == 1
    assert f"port {port} on 0.0.0.0 cannot be listened on" in errors


SLOW = """
def predict(model, features):
    if features[0, 0] == 77:
        with open({begun!r}, "w"), open({goes_on!r}):
            pass
    return features[:, 1]
"""


def test_the_users_code_does_not_hold_up_health_checks(tmp_path: Path) -> None:
    pipes = {name: str(tmp_path / name) for name in ("begun", "goes_on")}
    for path in pipes.values():
        os.mkfifo(path)  # it is opened when its other end is
    train(lay_job(tmp_path, "regression", {"num_round": 2}, {"serve": SLOW.format(**pipes)}))
    alone = serving(tmp_path, SAGEMAKER_MODEL_SERVER_WORKERS="1")
    with alone as (_, port), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(invoke, port, "77,0.5,0,1", "text/csv", accept="text/csv")
        with open(pipes["begun"]):
            try:
                for _ in range(5):
                    assert ask(port, "GET", "/ping")[0] == 200
                assert not answer.done()
            finally:
                open(pipes["goes_on"], "w").close()
        assert answer.result()[::2] == (200, "0.5\n")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SAGEMAKER_BIND_TO_PORT": "http"}, "SAGEMAKER_BIND_TO_PORT: 'http' is not a number"),
        ({"BOOSTLINE_MODEL_VERSION": "a;b"}, "BOOSTLINE_MODEL_VERSION"),
    ],
)
def test_a_wrong_environment(churn: Folders, variables: dict[str, str], message: str) -> None:
    process = start("serve", churn.train, **variables)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert message in errors


def test_a_corrupt_model_is_never_served(churn: Folders, tmp_path: Path) -> None:
    shutil.copytree(churn.model, tmp_path / "model")
    with (tmp_path / "model" / "model.ubj").open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(8))
    with free_port() as port:
        process = start("serve", tmp_path, SAGEMAKER_BIND_TO_PORT=str(port))
        _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith("error: model.ubj: corrupt in ")


def test_a_model_of_other_features_is_never_served(churn: Folders, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(churn.model, folder)
    old = open_artifact(folder)
    changed = msgspec.structs.replace(old.golden.records[0], features=[0.0])
    seal(folder, old.contract, old.manifest, Golden(records=[changed]))
    with free_port() as port:
        process = start("serve", tmp_path, SAGEMAKER_BIND_TO_PORT=str(port))
        _, errors = process.communicate()
    assert process.returncode == 1
    assert errors == "error: golden.json: record 1: this release transforms it to other features\n"
