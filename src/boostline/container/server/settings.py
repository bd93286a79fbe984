"""What the environment tells a server."""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from boostline.container.errors import ContainerError

MAX_BODY = 25 << 20  # what InvokeEndpoint passes on at most
UNBOUNDED_BODY = 1 << 30  # where a batch job sets no bound
_CGROUPS, _MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes
    ----------
    host, port
        Where to listen.
    workers
        How many processes score.
    limit
        The largest body of a request, in bytes.
    version
        The model's version in the registry; may be empty.
    """

    host: str
    port: int
    workers: int
    limit: int
    version: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Take them from the environment.

        Parameters
        ----------
        environment
            ``SAGEMAKER_BIND_TO_PORT``, ``SAGEMAKER_BATCH`` and ``SAGEMAKER_MAX_PAYLOAD_IN_MB`` are
            SageMaker's; ``SAGEMAKER_MODEL_SERVER_WORKERS`` is the name of AWS's serving toolkits.

        Returns
        -------
        Settings
            With a worker for each usable CPU, if nothing else is said.

        Raises
        ------
        ContainerError
            A value cannot be used; its name is in the text.
        """
        workers = _number(environment, "SAGEMAKER_MODEL_SERVER_WORKERS", 0, 1024)
        return cls(
            host=environment.get("BOOSTLINE_BIND_ADDRESS") or "0.0.0.0",  # noqa: S104
            port=_number(environment, "SAGEMAKER_BIND_TO_PORT", 8080, 65_535) or 8080,
            workers=workers or usable_cpus(),
            limit=_limit(environment),
            version=_version(environment),
        )


def usable_cpus() -> int:
    """Count the CPUs that this process may keep busy: its affinity, within its cgroups' quota.

    Sources: cgroups(7); "CPU Interface Files" in the kernel's cgroup-v2 document.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    found = len(affinity(0)) if affinity else os.cpu_count() or 1
    shares = [found, *_quotas(_MEMBERSHIP, _CGROUPS)]
    return max(1, math.ceil(min(shares)))


def _quotas(membership: Path, root: Path) -> Iterator[float]:
    """Yield how many CPUs each cgroup that this process is in may use, where it says so."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for folder in _folders(root / controllers, path):
            quota = _quota(folder)
            if quota is not None:
                yield quota


def _folders(root: Path, path: str) -> Iterator[Path]:
    # In a container the path may be the host's; its own group is then at the root.
    folder = root / path.strip("/")
    yield from (folder, *(parent for parent in folder.parents if parent.is_relative_to(root)))


def _quota(folder: Path) -> float | None:
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):  # version 2, version 1
        try:
            text = " ".join((folder / name).read_text(encoding="ascii") for name in names)
            quota, period = text.split()
            if float(quota) > 0:
                return float(quota) / float(period)
        except (OSError, ValueError):  # another version, or "max"
            continue
    return None


def _limit(environment: Mapping[str, str]) -> int:
    if environment.get("SAGEMAKER_BATCH", "").lower() != "true":
        return MAX_BODY
    name = "SAGEMAKER_MAX_PAYLOAD_IN_MB"
    if not environment.get(name):
        return MAX_BODY
    return (_number(environment, name, 0, 1024) << 20) or UNBOUNDED_BODY


def _number(environment: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdecimal()) or int(text) > largest:
        raise ContainerError(f"{name}: {text!r} is not a number from 0 to {largest}")
    return int(text)


def _version(environment: Mapping[str, str]) -> str:
    version = environment.get("BOOSTLINE_MODEL_VERSION", "")
    if len(version) > 256 or not all(" " < char < "\x7f" and char != ";" for char in version):
        raise ContainerError(f"BOOSTLINE_MODEL_VERSION: {version!r} is not short plain text")
    return version
