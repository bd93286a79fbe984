"""A private `/opt/ml`: each program sees its own folder there, and the host nothing."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from pathlib import Path

from boostline.local.runners.base import ML

# Arguments: the folder, an empty folder, the number of read-only folders, these, the program.
# Where the host has no /opt/ml, a tmpfs covers /opt inside the namespace, and what else lies in
# /opt is bound into it again. A folder that cannot be mounted read-only stays as its modes say.
SCRIPT = """
folder=$1 old=$2 count=$3
shift 3
if [ ! -d /opt/ml ]; then
    mount --rbind /opt "$old" && mount -t tmpfs -o mode=755 boostline /opt || exit 125
    for path in "$old"/*; do
        name=/opt/${path##*/}
        if [ -L "$path" ]; then cp -P "$path" "$name"
        elif [ -d "$path" ]; then mkdir "$name" && mount --rbind "$path" "$name"
        elif [ -f "$path" ]; then : > "$name" && mount --bind "$path" "$name"
        fi
    done
    mkdir /opt/ml
    mount --bind "$folder" /opt/ml || exit 125
    umount -l "$old"
else
    mount --bind "$folder" /opt/ml || exit 125
fi
while [ "$count" -gt 0 ]; do
    mount --bind "/opt/ml/$1" "/opt/ml/$1" && mount -o remount,bind,ro "/opt/ml/$1"
    shift
    count=$((count - 1))
done 2> /dev/null
exec "$@"
"""


@functools.cache
def namespace() -> tuple[str, ...] | None:
    """Return what starts a program in a mount namespace of its own, or None where that fails.

    Tried once, with a real folder: as root, else as root of a user namespace.
    """
    flags = ["-m", "-Urm"] if os.geteuid() == 0 else ["-Urm"]
    ways = (("unshare", flag, "--propagation", "private") for flag in flags)
    return next((way for way in ways if _works(way)), None) if Path(ML).parent.is_dir() else None


def private(
    way: tuple[str, ...], folder: Path, scratch: Path, read_only: tuple[str, ...]
) -> list[str]:
    """Return the command line in front of a program that shall see `folder` as `/opt/ml`."""
    count = str(len(read_only))
    return [*way, "sh", "-c", SCRIPT, "sh", str(folder), str(scratch), count, *read_only]


def _works(way: tuple[str, ...]) -> bool:
    with tempfile.TemporaryDirectory() as temporary:
        folder, scratch = Path(temporary, "ml"), Path(temporary, "scratch")
        for path in (folder, scratch, folder / "seen"):
            path.mkdir()
        command = [*private(way, folder, scratch, ()), "test", "-d", f"{ML}/seen"]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == 0
