"""The model image, as SageMaker runs it: by docker or podman, folders mounted at /opt/ml."""

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import boostline
from benchmarks.programs import read_example
from boostline.artifact.folder import Artifact, open_artifact
from boostline.contracts.ports import free_port
from tests.container.conftest import Folders
from tests.container.jobs import lay_job
from tests.images.conftest import Image, call, mounted, run_line

pytestmark = [pytest.mark.slow, pytest.mark.image]

PAUSE = 0.02  # seconds between two looks: what is awaited needs the processor itself
ROOT = Path(__file__).parents[2]
SBOM = "/usr/local/share/boostline/sbom.cdx.json"
ROOMS = ("contracts", "features", "artifact", "container")
AS_SAGEMAKER: tuple[str, ...] = ()
RESTRICTED = ("--user=1000:1000", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL")


@pytest.fixture(
    scope="module", params=[AS_SAGEMAKER, RESTRICTED], ids=["as SageMaker", "restricted"]
)
def options(request: pytest.FixtureRequest) -> tuple[str, ...]:
    chosen: tuple[str, ...] = request.param
    return chosen


@pytest.fixture(scope="module")
def line(
    image: Image, options: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Folders:
    """The churn example through process, train and evaluate of the image."""
    root = tmp_path_factory.mktemp("line")
    return run_line(image, root, options, read_example().hyperparameters)


@pytest.fixture(scope="module")
def sealed(line: Folders) -> Artifact:
    return open_artifact(line.model)


def test_the_programs_make_a_model_and_its_evaluation(line: Folders, sealed: Artifact) -> None:
    assert sealed.manifest.flavor == "xgboost"
    assert {"model.json", "features.json", "golden.json", "model.ubj"} <= {
        path.name for path in line.model.iterdir()
    }
    report = json.loads((line.evaluated / "evaluation" / "evaluation.json").read_text())
    assert report["binary_classification_metrics"]["auc"]["value"] > 0.85


@contextmanager
def serving(
    image: Image, base: Path, port: int, *options: str
) -> "Iterator[tuple[str, subprocess.Popen[str]]]":
    name = f"boostline-test-{os.getpid()}-{port}"
    variable = f"--env=SAGEMAKER_BIND_TO_PORT={port}"
    command = image.command(["serve"], *mounted(base, *options), variable, f"--name={name}")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            await_ping(process, port)
            yield name, process
        finally:
            call(image.tool, "rm", "--force", name)


def await_ping(process: "subprocess.Popen[str]", port: int) -> None:
    while process.poll() is None:
        try:
            if ask(port, "GET", "/ping")[0] == 200:
                return
        except (ConnectionError, http.client.HTTPException):
            time.sleep(PAUSE)
    assert process.stderr is not None
    pytest.fail(f"it ended before it answered: {process.stderr.read()}")


def ask(
    port: int, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_serve_answers_the_golden_scores_and_the_request_in_flight(
    image: Image, line: Folders, sealed: Artifact, options: tuple[str, ...]
) -> None:
    port, golden = free_port(), sealed.golden.records
    with serving(image, line.train, port, *options) as (name, process):
        body = json.dumps([record.record for record in golden])
        status, answer = ask(port, "POST", "/invocations", body)
        assert status == 200
        scores = [prediction["score"] for prediction in json.loads(answer)["predictions"]]
        assert scores == pytest.approx(sealed.golden.scores, abs=1e-6)

        client = socket.create_connection(("127.0.0.1", port), timeout=30)
        head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        client.sendall(
            f"{head}Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert b"100 Continue" in client.recv(1000)
        assert call(image.tool, "kill", "--signal=TERM", name).returncode == 0
        await_closed(port)
        client.sendall(body.encode())
        with client, client.makefile("rb") as reader:
            assert b"200 OK" in reader.readline()
            assert json.loads(reader.read().partition(b"\r\n\r\n")[2])["predictions"]
        assert process.wait(120) in (0, 128 + signal.SIGTERM)


def await_closed(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except (ConnectionRefusedError, ConnectionResetError):
            return
        time.sleep(PAUSE)


WAITING = """
import signal

def train(data, hyperparameters, context):
    print("training", flush=True)
    while True:
        signal.pause()
"""


def test_sigterm_ends_a_job(image: Image, tmp_path: Path) -> None:
    lay_job(tmp_path, "regression", {}, {"train": WAITING})
    name = f"boostline-test-{os.getpid()}-job"
    command = image.command(["train"], *mounted(tmp_path), f"--name={name}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "training" in iter(line.strip() for line in process.stdout)
            assert call(image.tool, "kill", "--signal=TERM", name).returncode == 0
            assert process.wait(120) == 128 + signal.SIGTERM
        finally:
            call(image.tool, "rm", "--force", name)


def test_port_8080_where_nothing_is_said(image: Image, line: Folders) -> None:
    name = f"boostline-test-{os.getpid()}-8080"
    started = call(
        image.tool, "run", "--detach", "--network=none", f"--name={name}",
        *mounted(line.train), image.name, "serve",
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    ping = (
        "import itertools, time, urllib.request as r\n"
        "for _ in itertools.count():\n"
        "  try: print(r.urlopen('http://127.0.0.1:8080/ping').status); break\n"
        "  except OSError: time.sleep(0.02)"
    )
    try:
        assert call(image.tool, "exec", name, "python", "-c", ping).stdout == "200\n"
    finally:
        call(image.tool, "rm", "--force", name)


@pytest.mark.parametrize("arguments", [[], ["fly"], ["train", "now"]])
def test_an_unknown_program(image: Image, arguments: list[str]) -> None:
    done = image.run(arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: boostline-container {")


def test_a_mistake_is_told_without_a_traceback(image: Image) -> None:
    done = image.run(["train"], *RESTRICTED)  # nor can the reason be kept: there is no /opt/ml
    assert done.returncode == 1
    assert "hyperparameters.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_it_declares(image: Image) -> None:
    config = image.inspect()["Config"]
    assert config["Entrypoint"] == ["boostline-container"]  # exec form: no shell takes SIGTERM
    assert config.get("User", "") == ""
    assert not config.get("Volumes")
    labels = config["Labels"]
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    assert labels["org.opencontainers.image.version"] == boostline.__version__
    assert labels["org.opencontainers.image.revision"] not in ("", "unknown")
    assert labels["boostline.sbom"] == SBOM


def test_sagemaker_takes_its_manifest(image: Image) -> None:
    described = image.inspect()
    kind = described.get("ManifestType") or described.get("Descriptor", {}).get("mediaType")
    assert kind in (None, "application/vnd.docker.distribution.manifest.v2+json")


def test_size_above_the_base(image: Image) -> None:
    assert image.above_base <= 800_000_000


def shell(image: Image, script: str) -> str:
    done = image.run(["-c", script], "--entrypoint=sh")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_compiler_and_nothing_in_opt_ml(image: Image) -> None:
    found = shell(
        image,
        "ls -d /opt/ml/* /root/.cache/pip /tools /source 2>/dev/null;"
        "for name in gcc cc c++ clang as ld make cmake cargo; do command -v $name; done; true",
    )
    assert found == ""


def test_the_bill_of_materials_lists_what_is_installed(image: Image) -> None:
    bill = shell(image, f"cat {SBOM}")
    listed = json.loads(bill)
    assert listed["bomFormat"] == "CycloneDX"
    installed = shell(image, "pip list --format=json --disable-pip-version-check")
    assert {(part["name"], part["version"]) for part in listed["components"]} == {
        (part["name"], part["version"]) for part in json.loads(installed)
    }
    beside = ROOT / "build" / f"boostline-model-{boostline.__version__}.cdx.json"
    assert beside.read_text() == bill


def test_files_are_what_their_packages_list(image: Image) -> None:
    script = (
        "import base64, csv, glob, hashlib, os\n"
        "for record in glob.glob('/usr/local/lib/python3.*/site-packages/*.dist-info/RECORD'):\n"
        "  for name, digest, _ in csv.reader(open(record)):\n"
        "    path = os.path.normpath(os.path.join(record, '../..', name))\n"
        "    if digest and not path.endswith('bin/boostline'):\n"
        "      found = hashlib.sha256(open(path, 'rb').read()).digest()\n"
        "      text = base64.urlsafe_b64encode(found).decode().rstrip('=')\n"
        "      if digest != 'sha256=' + text: print(path)"
    )
    done = image.run(["-c", script], "--entrypoint=python")
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_modules_are_compiled(image: Image) -> None:
    script = (
        "import os, sys\n"
        "import boostline.container.main, daal4py, httptools, polars, uvloop, xgboost\n"
        "for module in list(sys.modules.values()):\n"
        "  spec = getattr(module, '__spec__', None)\n"
        "  if spec and spec.cached and spec.has_location and not os.path.exists(spec.cached):\n"
        "    print(spec.name)"
    )
    done = image.run(["-c", script], "--entrypoint=python")
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def test_it_holds_this_code(image: Image) -> None:
    """An image of other code tests nothing: run `make images`."""
    package = Path(boostline.__file__).parent
    files = [
        package / "__init__.py",
        *(p for room in ROOMS for p in (package / room).rglob("*.py")),
    ]
    here = {
        path.relative_to(package.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    script = (
        "cd /usr/local/lib/python3.*/site-packages && find boostline -name '*.py' | xargs sha256sum"
    )
    lines = [line.split() for line in shell(image, script).splitlines()]
    assert {name: digest for digest, name in lines} == here, "run `make images`"
