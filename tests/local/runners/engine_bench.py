"""A container engine for tests, and an image of this host's Python: neither is fetched."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import docker
import pytest

from tests.local.services import sagemaker_bench

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
LEFT_OUT = ("test", "site-packages", "__pycache__", "idlelib", "ensurepip", "lib2to3")
REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
REPOSITORY = f"boostline-bench-{os.getpid()}"  # others on this host may test, too
PLAIN, ANY_PORT, USER, SERVER = (
    f"{REGISTRY}/{REPOSITORY}:{tag}" for tag in ("plain", "any-port", "user", "server")
)
INTERPRETER = f'ENTRYPOINT ["/usr/local/bin/{PYTHON}"]'
SERVE = f"""{sagemaker_bench.HEADER}{sagemaker_bench.SERVER}
Handler.invoke = lambda self, body: self.answer(200, (base / "model/name").read_bytes() + body)
print("arguments", *sys.argv[1:], flush=True)
run()
"""
CHANGES = {
    PLAIN: [INTERPRETER, 'CMD ["-c", "print(\'by default\')"]'],
    ANY_PORT: [
        INTERPRETER,
        "LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true",
    ],
    USER: [INTERPRETER, "USER 1234:1234"],
    SERVER: [f"ENTRYPOINT {json.dumps([f'/usr/local/bin/{PYTHON}', '-c', SERVE])}"],
}


@contextlib.contextmanager
def engine() -> Iterator[str]:
    """Run Podman's service while it is entered; yield its address, for DOCKER_HOST."""
    if shutil.which("podman") is None or sys.platform != "linux":
        missing("podman is not installed")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)  # an ordinary user is let in, too
    url = f"unix://{folder}/engine.sock"
    process = subprocess.Popen(
        ["podman", "system", "service", "--time=0", url],
        cwd=folder,  # where conmon notes that a container was out of memory
        # What Podman would pass on to containers of its own accord.
        env={**os.environ, "HTTP_PROXY": "http://127.0.0.1:9"},
    )
    try:
        await_engine(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(120)
        shutil.rmtree(folder)


def missing(what: str) -> NoReturn:
    """Leave a test out; in CI it fails."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(what)


def await_engine(url: str, process: subprocess.Popen[bytes]) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        # Its socket is there before it listens.
        while probe.connect_ex(url.removeprefix("unix://")):
            with pytest.raises(subprocess.TimeoutExpired):  # it has not ended
                process.wait(0.05)


def must_run(client: docker.APIClient, image: str) -> None:
    """Leave a test out where the engine, though it answers, cannot run a container."""
    host = client.create_host_config(network_mode="host")
    command = ["/bin/sh", "-c", ":"]
    made = client.create_container(image, entrypoint=command, host_config=host)["Id"]
    try:
        client.start(made)
        client.wait(made, timeout=60)  # one that is about to end can neither be killed nor removed
    except docker.errors.APIError as error:
        missing(f"podman cannot run a container: {error.explanation}")
    finally:
        client.remove_container(made, force=True)


@contextlib.contextmanager
def images(url: str) -> Iterator[None]:
    """Have the images of `CHANGES` while it is entered."""
    packed, client = archive(), docker.APIClient(base_url=url, version="auto")
    for name, changes in CHANGES.items():
        repository, _, tag = name.removeprefix(f"{REGISTRY}/").partition(":")
        made = json.loads(client.import_image_from_data(packed, changes=changes))["status"]
        client.tag(made, f"localhost/{repository}", tag)
    try:
        must_run(client, PLAIN.replace(REGISTRY, "localhost"))
        yield
    finally:
        for name in CHANGES:
            client.remove_image(name.replace(REGISTRY, "localhost"), force=True)
        client.close()


def archive() -> bytes:
    """Return a root file system: a shell and Python, with the libraries that they need."""
    base, buffer = Path(sys.base_prefix), io.BytesIO()
    python = (base / "bin" / PYTHON).resolve()
    programs = {path: Path(path) for path in ("/bin/sh", "/bin/chown", "/bin/sleep")}
    files = {**programs, f"/usr/local/bin/{PYTHON}": python}
    extensions = (base / "lib" / PYTHON / "lib-dynload").glob("*.so")
    listed = subprocess.run(
        ["ldd", *files.values(), *extensions], capture_output=True, text=True, check=True
    )
    files |= {name: Path(name) for name in re.findall(r"(/\S+) \(0x", listed.stdout)}
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name, path in files.items():
            packed.add(path.resolve(), name)
        packed.add(base / "lib" / PYTHON, f"/usr/local/lib/{PYTHON}", filter=_needed)
        for name, mode in {"tmp": 0o1777, "opt": 0o755, "etc": 0o755}.items():
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            packed.addfile(folder)
    return buffer.getvalue()


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = member.name.split("/")
    left_out = any(part in LEFT_OUT or part.startswith("config-") for part in parts)
    return None if left_out or member.name.endswith(".a") else member
