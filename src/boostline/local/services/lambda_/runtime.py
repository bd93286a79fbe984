"""What a function finds when it starts: what AWS's Python runtime provides, and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from boostline.local.environment import scrubbed
from boostline.local.folders import whole
from boostline.local.platform import Platform

NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
PROVIDED = ("awslambdaric", "boto3")

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RESERVED = frozenset(
    """
    _HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_REGION AWS_EXECUTION_ENV
    AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_VERSION
    AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME
    AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
    AWS_LAMBDA_RUNTIME_API LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Launch:
    """How the workers of one state of a function start."""

    platform: Platform
    configuration: dict[str, Any]
    code: Path

    @property
    def name(self) -> str:
        """The function's name."""
        return str(self.configuration["FunctionName"])

    @property
    def group(self) -> str:
        """The log group."""
        return str(self.configuration["LoggingConfig"]["LogGroup"])

    def scratch(self) -> Path:
        """Return a new folder for a worker's temporary files."""
        parent = self.platform.folder / "functions" / "scratch"
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=parent))

    def command(self) -> list[str]:
        """Return the command line: the interpreter without site-packages, running awslambdaric."""
        handler = self.configuration["Handler"]
        return [*_dies_with_us(), sys.executable, "-S", "-s", "-m", "awslambdaric", handler]

    def environment(self, api: str, stream: str, scratch: Path) -> dict[str, str]:
        """Return a worker's environment, by its Runtime API's address, log stream and folder."""
        variables = dict(self.configuration.get("Environment", {}).get("Variables", {}))
        provided = provided_packages(self.platform.folder / "runtime")
        path = [str(self.code), variables.pop("PYTHONPATH", ""), str(provided)]
        fixed = {
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "AWS_ENDPOINT_URL": self.platform.endpoint,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{NAME}",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.configuration["MemorySize"]),
            "AWS_LAMBDA_FUNCTION_VERSION": self.configuration["Version"],
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": self.group,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_LAMBDA_RUNTIME_API": api,
            "LAMBDA_RUNTIME_DIR": str(provided),
            "LAMBDA_TASK_ROOT": str(self.code),
            "_HANDLER": self.configuration["Handler"],
        }
        return scrubbed(self.platform, scratch, {"TZ": ":UTC"} | variables | fixed)


def provided_packages(parent: Path) -> Path:
    """Return a folder that holds links to what AWS's runtime provides, made if absent.

    That is awslambdaric, boto3 and all that they need, as they are installed here: nothing else of
    this environment can be imported from it.
    """
    links = _links()
    digest = hashlib.sha256(repr(links).encode()).hexdigest()[:16]

    def fill(folder: Path) -> None:
        for name, target in links.items():
            (folder / name).symlink_to(target)

    return whole(parent / f"{NAME}-{digest}", fill)


@cache
def _links() -> dict[str, str]:
    """Return the top-level names of the provided distributions, and where they are."""
    found: dict[str, Distribution] = {}
    for name in PROVIDED:
        _with_requirements(name, found)
    tops = {file.parts[0]: each for each in found.values() for file in each.files or ()}
    return {
        top: str(Path(str(tops[top].locate_file(top))).resolve())
        for top in sorted(tops.keys() - {"..", "__pycache__"})
    }


def _with_requirements(requirement: str, found: dict[str, Distribution]) -> None:
    name = re.split(r"[^\w.-]", requirement)[0].lower()
    if name in found or "extra ==" in requirement:
        return
    with suppress(PackageNotFoundError):  # its marker leaves it out here
        found[name] = distribution(name)
        for each in found[name].requires or ():
            _with_requirements(each, found)


@cache
def _dies_with_us() -> tuple[str, ...]:
    """Return what makes Linux end a worker with the platform, however the platform ends.

    Elsewhere a worker ends when it next asks its Runtime API, which is gone.
    """
    found = shutil.which("setpriv") if sys.platform == "linux" else None
    return (found, "--pdeathsig", "KILL") if found else ()
