"""Folders that appear whole, and that go whatever was done to them."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path


def whole(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Return a folder that is there with all that `fill` puts into it, or not at all."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            fill(part)
            part.rename(folder)
        except OSError:
            if not folder.exists():  # no other thread was quicker
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def remove(folder: Path) -> None:
    """Remove a folder, whatever a program did to the modes in it."""
    for parent, folders, _ in os.walk(folder):
        for name in (*folders, "."):
            path = Path(parent, name)
            if not path.is_symlink() and not path.stat().st_mode & stat.S_IWUSR:
                path.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
