"""`boostline up`, `boostline gc` and `boostline env`."""

from __future__ import annotations

import os
import shlex
import sqlite3
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from boostline.cli import options
from boostline.cli.options import AsJson, Dir

if TYPE_CHECKING:
    from boostline.local.platform import Platform

PORT = 4599
# As botocore writes the service ids of what the platform has.
SERVICE_VARIABLES = (
    *("S3", "STS", "IAM", "LAMBDA", "SAGEMAKER", "SAGEMAKER_RUNTIME"),
    *("API_GATEWAY", "CLOUDWATCH_LOGS", "CLOUDFORMATION", "CLOUDWATCH", "EVENTBRIDGE"),
    "APPLICATION_AUTO_SCALING",
)
# The image of the project's own programs stands for the programs that are installed here.
IMAGES = {"*/boostline-model:*": (sys.executable, "-m", "boostline.container")}
Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="The port on loopback; 0: any.")
]


class Starter(StrEnum):
    """How the programs of images are started."""

    PROCESS = "process"
    CONTAINER = "container"


Runner = Annotated[
    Starter, typer.Option(help="What runs: local programs for images, or the images themselves.")
]
Memory = Annotated[
    str, typer.Option(help="The most that a container may have, as in 4g. [default: no limit]")
]

OnEvent = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB=COMMAND",
        help="The command that stands for a target of events, by its ARN; it reads the event.",
    ),
]


def up(
    port: Port = PORT,
    runner: Runner = Starter.PROCESS,
    memory: Memory = "",
    on_event: OnEvent = None,
    folder: Dir = None,
) -> None:
    """Run the local platform until it is interrupted."""
    from boostline.contracts.address import default_folder
    from boostline.contracts.errors import BoostlineError
    from boostline.local.runners.base import RunnerError
    from boostline.local.wire import server

    place = (folder or default_folder()).expanduser().resolve()
    _forget_credentials()
    os.umask(0o077)  # what is made here is its owner's alone, wherever the folder is
    if memory and runner is Starter.PROCESS:
        said = "it limits containers: give --runner container"
        raise typer.BadParameter(said, param_hint="--memory")
    targets = dict(map(_target, on_event or []))
    container = runner is Starter.CONTAINER
    platform = _open(place, port, containers=container, memory=memory, targets=targets)

    def ready(port: int) -> None:
        where = f" --dir {shlex.quote(str(folder))}" if folder else ""
        typer.echo(
            f"the local platform answers at http://127.0.0.1:{port}, its state is in {place}"
        )
        typer.echo(f'for the AWS CLI and SDKs: eval "$(boostline env{where})"    to end it: Ctrl-C')

    try:
        platform.runner  # noqa: B018 - it is made here, before anything starts
        server.serve(platform, ready)
    except (RunnerError, server.PortInUse) as error:
        raise BoostlineError(str(error)) from None


def _target(declared: str) -> tuple[str, tuple[str, ...]]:
    glob, _, command = declared.partition("=")
    try:
        line = tuple(shlex.split(command))
    except ValueError as error:
        raise typer.BadParameter(f"{command}: {error}", param_hint="--on-event") from None
    if not (glob and line):
        said = (
            f"{declared!r} is not GLOB=COMMAND, as in '*:codepipeline:*=boostline deploy staging'"
        )
        raise typer.BadParameter(said, param_hint="--on-event")
    return glob, line


def _forget_credentials() -> None:
    """Start anew without the caller's AWS variables: jobs can read what a parent began with."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    if len(kept) < len(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept)  # noqa: S606


def gc(folder: Dir = None, as_json: AsJson = False) -> None:
    """Remove stored contents that nothing names any more; a running platform does so by itself."""
    from boostline.contracts.address import default_folder
    from boostline.local.store.gc import collect
    from boostline.project.target import TargetError

    place = (folder or default_folder()).expanduser().resolve()
    if not (place / "platform.sqlite").exists():
        raise TargetError(f"no local platform has run in {place}")
    platform = _open(place, 0)
    try:
        found = collect(platform.database.path, platform.blobs, grace=0)
    finally:
        platform.stop()
    if as_json:
        options.print_json(found._asdict())
    else:
        typer.echo(f"{found.removed} contents removed, {found.freed} bytes; {found.kept} kept")


def _open(folder: Path, port: int, **settings: Any) -> Platform:
    from boostline.contracts.errors import BoostlineError
    from boostline.local.platform import Platform, PlatformInUse, Settings
    from boostline.local.store.database import OtherFormat

    try:
        return Platform(Settings(folder, port, images=IMAGES, **settings))
    except (PlatformInUse, OtherFormat) as error:
        raise BoostlineError(str(error)) from None
    except OSError as error:
        raise BoostlineError(f"{folder}: {error.strerror}") from None
    except sqlite3.DatabaseError as error:
        raise BoostlineError(f"{folder / 'platform.sqlite'}: {error}") from None


def env(
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="The port, if the platform is not running."),
    ] = None,
    folder: Dir = None,
) -> None:
    """Print the exports that lead the AWS CLI and SDKs to the local platform."""
    import msgspec

    from boostline.contracts import address
    from boostline.project.target import TargetError

    place = (folder or address.default_folder()).expanduser()
    found = address.read(place)
    if found is None:
        raise TargetError(f"no local platform has run in {place}: start one with `boostline up`")
    if port is not None:
        found = msgspec.structs.replace(found, endpoint=f"http://127.0.0.1:{port}")
    for name, value in found.exports().items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    for name in ("NO_PROXY", "no_proxy"):
        typer.echo(f'export {name}="127.0.0.1${{{name}:+,${name}}}"')
    # What would be preferred to the above, by some tools without a word.
    names = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"]
    names += [f"AWS_ENDPOINT_URL_{service}" for service in SERVICE_VARIABLES]
    typer.echo(f"unset AWS_IGNORE_CONFIGURED_ENDPOINT_URLS {' '.join(names)}")
    if folder is not None:
        typer.echo(f"export {address.VARIABLE}={shlex.quote(os.path.abspath(place))}")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(env)
    app.command()(gc)
