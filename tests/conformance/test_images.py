"""The checks of an image itself, on what engines say of images, and on images without programs."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from boostline.conformance.errors import ConformanceError
from boostline.conformance.image import ENGINES, Image
from boostline.conformance.inputs import Inputs
from boostline.conformance.subject import Launch, Running
from boostline.conformance.suite import examine
from tests.conformance.small import IMAGE, failing

ENTRY_POINT, SHIPPED, ROOT = "image.entry-point", "image.nothing-shipped", "image.root"
HELD: dict[str, Any] = {"Entrypoint": ["python3", "-m", "app"], "User": "root"}
Importer = Callable[..., Image]


@dataclass(frozen=True)
class Shown:
    """Nothing but what an engine would show of an image."""

    image: Mapping[str, Any]
    brought: list[str]
    seals = mounts = False

    def shipped(self) -> list[str]:
        return self.brought

    def start(self, launch: Launch) -> Running:
        raise ConformanceError("nothing is started")


def outcomes(config: Mapping[str, Any], *brought: str) -> dict[str, str]:
    found = examine(Shown(config, list(brought)), Inputs())
    return {f.check.name: f.outcome for f in found if f.check.name in IMAGE}


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (["/usr/local/bin/boostline-container"], "holds"),
        (["/app/start.sh"], "holds"),
        (["bash", "/app/start.sh", "-c", "settings"], "holds"),
        (["python3", "-c", "import app"], "holds"),
        (["/usr/bin/env", "PORT=1", "python3", "app.py"], "holds"),
        (["sh", "-c", 'cd /app; exec python3 app.py "$@"', "sh"], "holds"),
        (["sh", "-c", 'exec python3 app.py "$@"'], "fails"),  # `train` is its $0
        (["sh", "-c", 'python3 app.py "$@"', "sh"], "fails"),  # SIGTERM is the shell's
        (["/bin/sh", "-c", "python3 app.py"], "fails"),
        (["/bin/bash", "-o", "pipefail", "-c", "python3 app.py"], "fails"),
        (["bash", "--login", "-euo", "pipefail", "-xc", "python3 app.py"], "fails"),
        (["/usr/bin/env", "sh", "-c", "python3 app.py"], "fails"),
        (["env", "-i", "PORT=1", "/bin/dash", "-c", "python3 app.py"], "fails"),
        (["dumb-init", "--", "bash", "-lc", "python3 app.py"], "fails"),
        (["/sbin/tini", "--", "python3", "app.py"], "fails"),
        (["/usr/bin/env", "tini", "python3", "app.py"], "fails"),
        (None, "not applicable"),
        ([], "not applicable"),
    ],
)
def test_how_an_entry_point_is_written(words: list[str] | None, outcome: str) -> None:
    assert outcomes({**HELD, "Entrypoint": words}) == {
        ENTRY_POINT: outcome,
        SHIPPED: "holds",
        ROOT: "holds",
    }


def test_what_an_image_brings_and_who_it_is() -> None:
    assert outcomes(HELD, "model")[SHIPPED] == "fails"
    users = {"": "holds", "0:0": "holds", "1000": "fails", "app:root": "fails"}
    assert {user: outcomes({**HELD, "User": user})[ROOT] for user in users} == users


@pytest.fixture
def importer() -> Iterator[Importer]:
    """What makes an image of a few files; none of them is a program."""
    tools = [tool for tool in ENGINES if shutil.which(tool) and ask(tool, "info").returncode == 0]
    if not tools:
        if os.environ.get("CI") == "true":
            pytest.fail("neither docker nor podman answers")
        pytest.skip("neither docker nor podman answers")
    names: list[str] = []

    def make(files: Mapping[str, bytes], *changes: str) -> Image:
        name = f"localhost/contract-test-{uuid.uuid4().hex}:1"
        options = [word for change in changes for word in ("--change", change)]
        done = ask(tools[0], "import", *options, "-", name, given=packed(files))
        assert done.returncode == 0, done.stderr
        names.append(name)
        return Image(name, {})

    yield make
    for name in names:
        ask(tools[0], "rmi", "--force", name)


def ask(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, input=given, capture_output=True, check=False)


def packed(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def test_images_as_an_engine_has_them(importer: Importer) -> None:
    held = importer({"app": b""}, 'ENTRYPOINT ["/app"]')
    assert failing(examine(held, Inputs())) == {}
    wrong = importer(
        {"app": b"", "opt/ml/model/model.txt": b"7"},
        "USER 1000",
        'ENTRYPOINT ["/usr/bin/env", "sh", "-c", "/app train"]',
    )
    found = failing(examine(wrong, Inputs()))
    assert found.keys() == IMAGE
    assert "brings /opt/ml/model" in found[SHIPPED]


@pytest.mark.parametrize(
    ("said", "absent"),
    [
        ('Error: "/opt/ml" could not be found on container 1: no such file or directory', True),
        ("Error response from daemon: Could not find the file /opt/ml in container 1", True),
        ("Error: No such container:path: 1:/opt/ml", True),
        ('Error: "/opt/ml" could not be found on container 1: operation not permitted', False),
        ("Error response from daemon: No such container: 1", False),
    ],
)
def test_what_cannot_be_looked_at_is_not_empty(
    said: str, absent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine in words alone: a real one seldom fails."""
    program = tmp_path / "docker"
    answers = f"image) echo '[{{\"Config\": {{}}}}]' ;; cp) echo '{said}' >&2; exit 1 ;; *) echo 1"
    program.write_text(f'#!/bin/sh\ncase "$1" in {answers} ;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    subject = Image("any:1", {})
    if absent:
        assert subject.shipped() == []
    else:
        with pytest.raises(ConformanceError, match=f"any:1: /opt/ml cannot be looked at: {said}"):
            subject.shipped()


def test_a_container_is_asked_to_end_once_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine in words alone: a real one starts at its own pace."""
    program, sleeping, asked = tmp_path / "docker", tmp_path / "sleeping", tmp_path / "asked"
    answers = (
        "image) echo '[{\"Config\": {}}]' ;; "
        f"run) echo $$ > {sleeping}; exec sleep 600 ;; "
        f"kill) if [ -e {asked} ]; then kill -TERM $(cat {sleeping}); else : > {asked}; exit 1; fi"
    )
    program.write_text(f'#!/bin/sh\ncase "$1" in {answers} ;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "ml").mkdir()
    running = Image("any:1", {}).start(Launch(tmp_path / "ml"))
    try:
        while not sleeping.exists() or not sleeping.read_text().strip():
            assert running.wait(0.02) is None
        running.terminate()
        assert running.wait(60) == 128 + signal.SIGTERM
    finally:
        running.close()
