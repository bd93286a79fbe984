"""The model image that `make images` made, started by docker or podman."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

import boostline

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
    """The image; where it cannot be run a test is left out, and in CI it fails."""
    reason = "neither docker nor podman answers"
    for tool in ("docker", "podman"):
        if not answers(tool, "info"):
            continue
        if not answers(tool, "image", "inspect", NAME):
            reason = f"no image {NAME}: run `make images`"
            continue
        tried = Image(tool).run([])
        if tried.returncode == 2:  # it told what programs there are
            return Image(tool)
        reason = f"{tool} cannot run a container: {tried.stderr.strip()}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def answers(*command: str) -> bool:
    try:
        return call(*command).returncode == 0
    except FileNotFoundError:
        return False
