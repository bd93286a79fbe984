"""The container engine: Docker, or Podman's service, which speaks the same API."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import DockerException
from docker.utils import kwargs_from_env

from boostline.local.runners.base import RunnerError

FAILED = (DockerException, OSError)  # `requests` raises OSErrors
TIMEOUT = 60  # seconds for an answer; what waits for a container's end has no limit
HOW = (
    "start Docker, or `podman system service --time=0`, or say by DOCKER_HOST where one listens "
    "(unix:///run/podman/podman.sock)"
)


def connect() -> DockerClient:
    """Return a client of the engine that DOCKER_HOST names, or of the first that answers.

    Raises
    ------
    RunnerError
        If none answers; the message names all that were tried.
    """
    tried = []
    for url in [os.environ["DOCKER_HOST"]] if os.environ.get("DOCKER_HOST") else _well_known():
        if url.startswith("unix://") and not Path(url.removeprefix("unix://")).exists():
            tried.append(f"{url} (not there)")
            continue
        try:
            return DockerClient(**{**kwargs_from_env(), "base_url": url}, timeout=TIMEOUT)
        except FAILED as error:
            tried.append(f"{url} ({error})")
    raise RunnerError(f"no container engine answers; tried {'; '.join(tried)}: {HOW}")


def reason(error: Exception) -> str:
    """Return why the engine refused, without its URLs."""
    return str(getattr(error, "explanation", None) or error)


@contextlib.contextmanager
def refused(what: str) -> Iterator[None]:
    """Raise a `RunnerError` where the engine fails."""
    try:
        yield
    except FAILED as error:
        raise RunnerError(f"{what}: {reason(error)}") from None


def rootless(info: Mapping[str, Any]) -> bool:
    """Return whether an engine runs as an ordinary user: Podman says it its way, Docker its own."""
    options = info.get("SecurityOptions") or []
    return bool(info.get("Rootless")) or any("rootless" in option for option in options)


def _well_known() -> list[str]:
    own = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    docker = ("/var/run/docker.sock", f"{own}/docker.sock")
    podman = (f"{own}/podman/podman.sock", "/run/podman/podman.sock")
    return [f"unix://{path}" for path in (*docker, *podman)]
