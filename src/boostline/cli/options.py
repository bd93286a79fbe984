"""Options that many commands share, and what they open."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from boostline.project.config import Config
    from boostline.project.target import Target


class TargetName(StrEnum):
    """What a command acts on."""

    LOCAL = "local"
    AWS = "aws"


Project = Annotated[
    Path, typer.Option("--project", "-p", help="The project's folder, or its boostline.toml.")
]
On = Annotated[
    TargetName,
    typer.Option(
        "--target",
        envvar="BOOSTLINE_TARGET",
        help="The local platform, or the project's [aws] account and region.",
    ),
]
Dir = Annotated[
    Path | None,
    typer.Option(
        "--dir", help="The local platform's folder. [default: $BOOSTLINE_DIR, ~/.boostline]"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a script.")]
HERE = Path()


def open_project(project: Path) -> Config:
    """Read the project file."""
    from boostline.project import file

    return file.read(project)


def open_target(on: TargetName, folder: Path | None, config: Config | None) -> Target:
    """Return what the command acts on; only a project can say which AWS account that is."""
    from boostline.contracts import address
    from boostline.project import target

    if on is TargetName.AWS:
        if config is None:
            raise target.TargetError("--target aws needs a project: its [aws] names the account")
        return target.aws(config)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # what it says of retries, modes and profiles is meant for AWS
    return target.local(folder or address.default_folder())


def open_both(project: Path, on: TargetName, folder: Path | None) -> tuple[Config, Target]:
    """Return the project and what the command acts on."""
    config = open_project(project)
    return config, open_target(on, folder, config)


def print_json(value: Any) -> None:
    """Print a value for a script; times in ISO 8601."""
    typer.echo(json.dumps(value, indent=1, default=lambda found: found.isoformat()))
