"""A model's container: what it is told, what it finds, how it is started."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from boostline.contracts.archives import ArchiveError, unpack
from boostline.local.environment import scrubbed
from boostline.local.platform import Platform
from boostline.local.runners.base import Command, Program, Runner, Sink
from boostline.local.runners.images import resolve
from boostline.local.store.objects import NoSuchBucket, NoSuchKey, split_uri

LOOPBACK = "127.0.0.1"


class ServerFailed(Exception):
    """Why a container cannot serve."""


@dataclass(frozen=True)
class Container:
    """A model's container.

    Parameters
    ----------
    image
        Image URI.
    data
        S3 URI of a `model.tar.gz`, or, if not `packed`, of a prefix; empty if it has no data.
    timeout
        Seconds from the start to the first good `/ping`.
    """

    image: str
    data: str = ""
    packed: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 480.0


def lay_out(platform: Platform, container: Container, ml: Path) -> None:
    """Unpack the model into `/opt/ml/model`.

    Raises
    ------
    ServerFailed
        If it is not there, or cannot be unpacked.
    """
    model = ml / "model"
    model.mkdir(parents=True, exist_ok=True)
    if not container.data:
        return
    try:
        if container.packed:
            found = platform.objects.get(*split_uri(container.data))
            unpack(platform.blobs.path(found.digest), model)
        else:
            platform.objects.download(container.data, model)
    except (NoSuchKey, NoSuchBucket):
        raise ServerFailed(f"there is no model data at {container.data}") from None
    except (ArchiveError, ValueError) as error:
        raise ServerFailed(f"{container.data}: {error}") from None


def launch(
    platform: Platform, runner: Runner, container: Container, folder: Path, sink: Sink
) -> tuple[Program, int]:
    """Start a container's program with `serve`; return it, and the port that it is told.

    `SAGEMAKER_BIND_TO_PORT` is AWS's own name (there only set where containers share a host).

    Raises
    ------
    RunnerError, UnknownImage
        If it cannot be started.
    """
    port, home = _free_port(), folder / "home"
    environment = {
        **container.environment,
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "BOOSTLINE_BIND_ADDRESS": LOOPBACK,
    }
    argv = (*resolve(platform.settings.images, container.image), "serve")
    owner = f"endpoint/{folder.name}"
    command = Command(
        owner, argv, scrubbed(platform, home, environment), folder / "ml", home, ("model",)
    )
    return runner.start(command, sink), port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
