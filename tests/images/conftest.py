"""The model image that `make images` made, started by docker or podman."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import boostline
from benchmarks.programs import EXAMPLE, lay_evaluate, lay_process, lay_train, read_example
from tests.container.conftest import Folders

NAME = f"boostline-model:{boostline.__version__}"


@dataclass(frozen=True)
class Image:
    """An image, and the tool that has it."""

    tool: str
    name: str = NAME

    def inspect(self, name: str = "") -> dict[str, Any]:
        """Describe it, or another image."""
        done = call(self.tool, "image", "inspect", name or self.name)
        assert done.returncode == 0, done.stderr
        described: list[dict[str, Any]] = json.loads(done.stdout)
        return described[0]

    @property
    def above_base(self) -> int:
        """How many bytes its layers add to those of the base, uncompressed."""
        described = self.inspect()
        base = described["Config"]["Labels"]["org.opencontainers.image.base.name"]
        size: int = described["Size"] - self.inspect(base)["Size"]
        return size

    def command(self, arguments: Sequence[str], *options: str) -> list[str]:
        """Return the command that runs it on the host's network."""
        return [self.tool, "run", "--rm", "--network=host", *options, self.name, *arguments]

    def run(self, arguments: Sequence[str], *options: str) -> "subprocess.CompletedProcess[str]":
        """Run it to its end, with arguments and with options of the tool's ``run``."""
        return call(*self.command(arguments, *options))


def call(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def image() -> Image:
    """The default image."""
    return find_image(NAME)


def find_image(name: str) -> Image:
    """Find an image; where it cannot be run a test is left out, and in CI it fails."""
    reason = "neither docker nor podman answers"
    for tool in ("docker", "podman"):
        if not answers(tool, "info"):
            continue
        if not answers(tool, "image", "inspect", name):
            reason = (
                f"no image {name}: run `make images`, with FLAVORS for another than the default"
            )
            continue
        tried = Image(tool, name).run([])
        if tried.returncode == 2:  # it told what programs there are
            return Image(tool, name)
        reason = f"{tool} cannot run a container: {tried.stderr.strip()}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def answers(*command: str) -> bool:
    try:
        return call(*command).returncode == 0
    except FileNotFoundError:
        return False


def mounted(base: Path, *options: str) -> tuple[str, ...]:
    """Return the options that mount a folder at /opt/ml, writable by anybody."""
    for path in [base, *base.rglob("*")]:
        path.chmod(0o777)  # the program may run as somebody else
    return (f"--volume={base}:/opt/ml", *options)


def run_line(
    image: Image, root: Path, options: Sequence[str], hyperparameters: Mapping[str, str]
) -> Folders:
    """Run the churn example through process, train and evaluate of an image."""
    folders, example = Folders(root / "process", root / "train", root / "evaluate"), read_example()
    data = [EXAMPLE / "data" / "churn.csv"]
    lay_process(folders.process, data, example.features, example.split)
    _must(image, "process", folders.process, options)
    lay_train(folders.train, folders.process, hyperparameters)
    _must(image, "train", folders.train, options)
    lay_evaluate(folders.evaluate, folders.process, folders.train)
    _must(image, "evaluate", folders.evaluate, options)
    return folders


def _must(image: Image, program: str, base: Path, options: Sequence[str]) -> None:
    done = image.run([program], *mounted(base, *options))
    assert done.returncode == 0, done.stderr
