"""An image as a subject, through the command line of Docker or Podman."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boostline.conformance.errors import ConformanceError
from boostline.conformance.subject import ML, Launch, Process

ENGINES = ("docker", "podman")
STARTS = 120.0  # seconds for an engine to start a container that it was told to run
# How Podman, Docker, and Docker of old say that `cp` has found nothing, and not that it failed.
ABSENT = ("no such file or directory", "could not find the file", "no such container:path")


class Image:
    """An image; see `Subject`.

    Parameters
    ----------
    name
        The image's name, as the engine knows it.
    environment
        Variables of every start.

    Raises
    ------
    ConformanceError
        There is no engine, or none has the image.
    """

    seals = True
    mounts = True

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._name = name
        self._environment = environment
        self._engine, self.image = _find(name)

    def start(self, launch: Launch) -> _Container:
        """Run a container on the host's network; see `Subject`."""
        name = f"contract-test-{uuid.uuid4().hex}"
        words = [self._engine, "run", "--name", name, "--network", "host"]
        words += ["--volume", f"{launch.folder}:{ML}"]
        for folder in launch.read_only:
            words += ["--volume", f"{launch.folder / folder}:{ML}/{folder}:ro"]
        if launch.sealed:
            words += ["--read-only", "--tmpfs", "/tmp"]  # noqa: S108
        for key, text in {**self._environment, **launch.environment}.items():
            words += ["--env", f"{key}={text}"]
        words += ["--entrypoint", launch.entry_point[0]] if launch.entry_point else []
        words += [self._name, *launch.entry_point[1:], *launch.arguments]
        return _Container(self._engine, name, self._name, words, launch.folder)

    def shipped(self) -> list[str]:
        """Return the names below `/opt/ml` of a container that was never started.

        Raises
        ------
        ConformanceError
            The engine cannot make one, or cannot look into it.
        """
        made = _ask(self._engine, "create", self._name, "train")
        identity = made.stdout.decode().strip().splitlines()[-1:]
        if made.returncode or not identity:
            raise ConformanceError(f"{self._name}: {_said(made)}")
        copied = _ask(self._engine, "cp", f"{identity[0]}:{ML}", "-")
        _ask(self._engine, "rm", "--force", identity[0])
        if copied.returncode:
            if any(words in _said(copied).lower() for words in ABSENT):
                return []
            raise ConformanceError(f"{self._name}: {ML} cannot be looked at: {_said(copied)}")
        with tarfile.open(fileobj=io.BytesIO(copied.stdout)) as tar:
            return [name.partition("/")[2] for name in tar.getnames() if "/" in name]


class _Container:
    """A started container; see `Running`."""

    def __init__(
        self, engine: str, name: str, image: str, words: Sequence[str], folder: Path
    ) -> None:
        self._engine, self._name, self._image, self._folder = engine, name, image, folder
        self._process = Process(words, os.environ, folder.with_suffix(".log"))
        self._removed = False
        self.wait = self._process.wait
        self.output = self._process.output

    def terminate(self) -> None:
        """Send SIGTERM to the first process, once there is one; see `Running`."""
        deadline = time.monotonic() + STARTS
        while _ask(self._engine, "kill", "--signal", "TERM", self._name).returncode:
            if self.wait(0.1) is not None or time.monotonic() > deadline:
                return

    def close(self) -> None:
        """Remove the container, and make its files ours; see `Running`."""
        if self._removed:
            return
        self._removed = True
        _ask(self._engine, "rm", "--force", "--volumes", self._name)
        self._process.close()
        user = os.geteuid()
        if any(path.lstat().st_uid != user for path in self._folder.rglob("*")):
            self._take_over()

    def _take_over(self) -> None:
        """Own what root in the container wrote: it would else be root's here, and never go away."""
        # Rootless Podman maps the container's root to the user; Docker's root is the host's.
        owner = "0:0" if self._engine == "podman" else f"{os.geteuid()}:{os.getegid()}"
        mount = ["--volume", f"{self._folder}:{ML}", "--entrypoint", "chown"]
        options = ["--rm", "--network", "none", "--user", "0", *mount]
        _ask(self._engine, "run", *options, self._image, "-R", owner, ML)


def _find(name: str) -> tuple[str, dict[str, Any]]:
    """Return the engine that has an image, and the image's configuration."""
    engines = [engine for engine in ENGINES if shutil.which(engine)]
    if not engines:
        raise ConformanceError(f"{name}: neither {' nor '.join(ENGINES)} is installed")
    for engine in engines:
        done = _ask(engine, "image", "inspect", name)
        if done.returncode == 0:
            return engine, json.loads(done.stdout)[0]["Config"]
    raise ConformanceError(
        f"{name}: {', '.join(engines)}: there is no such image here, and no such command: "
        "pull or build it"
    )


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode(errors="replace").strip()


def _ask(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, capture_output=True, check=False)
