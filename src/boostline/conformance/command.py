"""A command as a subject: its program runs as a process of this host."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from boostline.conformance.errors import ConformanceError
from boostline.conformance.subject import ML, Launch, Process

# Arguments: the folder, an empty folder, the number of read-only folders, these, the program.
# Where the host has no /opt/ml, a layer over /opt has one, that nobody else sees.
SCRIPT = """
folder=$1 layer=$2 count=$3
shift 3
if [ ! -d /opt/ml ]; then
    mount -t tmpfs none "$layer" && mkdir "$layer/upper" "$layer/work" || exit 125
    mount -t overlay -o "lowerdir=/opt,upperdir=$layer/upper,workdir=$layer/work" none /opt
    mkdir /opt/ml || exit 125
fi
mount --bind "$folder" /opt/ml || exit 125
while [ "$count" -gt 0 ]; do
    mount --bind "/opt/ml/$1" "/opt/ml/$1" || exit 125
    mount -o remount,bind,ro "/opt/ml/$1" || exit 125
    shift
    count=$((count - 1))
done
exec "$@"
"""
BASE = "SAGEMAKER_BASE_DIR"  # AWS's toolkits call so where `/opt/ml` is, if it is elsewhere
SCRUBBED = ("AWS_", "SAGEMAKER_", "SM_", "TRAINING_JOB_")


class Command:
    """A command; see `Subject`.

    Parameters
    ----------
    words
        What stands for the image's entry point.
    environment
        Variables of every start; of this process's own, all but those that are of AWS.
    """

    image = None
    seals = False

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._words = tuple(words)
        kept = {key: text for key, text in os.environ.items() if not key.startswith(SCRUBBED)}
        self._environment = {**kept, **environment}

    @property
    def mounts(self) -> bool:
        """Whether this host gives a program a private `/opt/ml`."""
        return _way() is not None

    def start(self, launch: Launch) -> Process:
        """Start the command; see `Subject`."""
        environment = {**self._environment, **launch.environment}
        words = (*(launch.entry_point or self._words), *launch.arguments)
        way = _way()
        if way is None:
            environment[BASE] = str(launch.folder)
        else:
            words = (*_private(way, launch.folder, launch.read_only), *words)
        try:
            return Process(words, environment, launch.folder.with_suffix(".log"))
        except OSError as error:
            raise ConformanceError(f"{words[0]}: {error.strerror}: is it installed?") from None

    def shipped(self) -> list[str]:
        """Return nothing: a command brings no files along."""
        return []


def _private(way: Sequence[str], folder: Path, read_only: Sequence[str]) -> tuple[str, ...]:
    layer = folder.with_suffix(".layer")
    layer.mkdir(exist_ok=True)
    counted = (str(len(read_only)), *read_only)
    return (*way, "sh", "-c", SCRIPT, "sh", str(folder), str(layer), *counted)


@functools.cache
def _way() -> tuple[str, ...] | None:
    """Return what gives a program mounts of its own, tried with a real one; or None."""
    flags = ["-m", "-Urm"] if os.geteuid() == 0 else ["-Urm"]
    ways = [("unshare", flag, "--propagation", "private") for flag in flags]
    return next((way for way in ways if _works(way)), None)


def _works(way: Sequence[str]) -> bool:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "ml")
        (folder / "seen").mkdir(parents=True)
        line = [*_private(way, folder, ("seen",)), "test", "-d", f"{ML}/seen"]
        try:
            done = subprocess.run(line, capture_output=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == 0
