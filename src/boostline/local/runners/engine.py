"""The container engine: Docker, or Podman's service, which speaks the same API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from docker import APIClient
from docker.errors import DockerException
from docker.utils import kwargs_from_env

from boostline.local.runners.base import RunnerError

FAILED = (DockerException, OSError)  # `requests` raises OSErrors
TIMEOUT = 60  # seconds for an answer; what waits for a container's end has no limit
HOW = (
    "start Docker, or `podman system service --time=0`, or say by DOCKER_HOST where one listens "
    "(unix:///run/podman/podman.sock)"
)


def connect() -> APIClient:
    """Return a client of the engine that DOCKER_HOST names, or of the first that answers.

    Raises
    ------
    RunnerError
        If none answers; the message names all that were tried.
    """
    tried = []
    for url in [os.environ["DOCKER_HOST"]] if os.environ.get("DOCKER_HOST") else _well_known():
        try:
            return APIClient(**{**kwargs_from_env(), "base_url": url}, timeout=TIMEOUT)
        except FAILED as error:
            tried.append(f"{url} ({error})")
    where = "; ".join(tried or _well_known(there=False))
    raise RunnerError(f"no container engine answers; tried {where}: {HOW}")


def reason(error: Exception) -> str:
    """Return why the engine refused, without its URLs."""
    return str(getattr(error, "explanation", None) or error)


def _well_known(*, there: bool = True) -> Iterator[str]:
    own = os.environ.get("XDG_RUNTIME_DIR")
    folders = ["/var/run/docker.sock", *([f"{own}/docker.sock"] if own else [])]
    folders += [*([f"{own}/podman/podman.sock"] if own else []), "/run/podman/podman.sock"]
    return (f"unix://{path}" for path in folders if not there or Path(path).exists())
