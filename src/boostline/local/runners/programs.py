"""Which local program stands for an image: its code, and the libraries that it finds."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from importlib.machinery import PathFinder
from pathlib import Path

from boostline.local.runners.base import UnknownImage

CODE, LIBRARY = "program code", "library"
SETTLED = 2_000_000_000  # ns: file systems do not tell two changes apart that follow closely


def resolve(images: Mapping[str, tuple[str, ...]], uri: str) -> tuple[str, ...]:
    """Return the command line that stands for an image URI: the first glob that matches counts.

    Raises `UnknownImage` if none does.
    """
    for pattern, command in images.items():
        if fnmatchcase(uri, pattern):
            return command
    known = ", ".join(repr(pattern) for pattern in images) or "none"
    raise UnknownImage(
        f"no local program stands for the image {uri!r}; the patterns known here: {known}. "
        "Add one to the platform's table of images."
    )


def identity(command: Sequence[str]) -> dict[str, str]:
    """Return what distinguishes a program: the digest of its code, and its libraries' versions.

    Code is every file that a word of the command line names — of a script also the Python files
    beside it — and, for `python -m package`, every file of the top-level package. Libraries are
    the distributions installed for the command's interpreter.
    """
    digest = hashlib.sha256("\0".join(command).encode())
    for path in _files(command):
        digest.update(f"{path}\0{_digest(path)}\0".encode())
    found = {CODE: digest.hexdigest()}
    for folder in _search_path(command[0]):
        for info in Path(folder).glob("*.dist-info"):
            name, _, version = info.stem.rpartition("-")
            found.setdefault(f"{LIBRARY} {name}", version)
    return found


def _files(command: Sequence[str]) -> Iterator[Path]:
    for before, word in zip(("", *command), command, strict=False):
        path = Path(shutil.which(word) or word if not before else word)
        if before == "-m":
            yield from _package(word.partition(".")[0], _search_path(command[0]))
        elif path.is_absolute() and path.is_file():
            yield path
            if path.suffix == ".py":
                yield from sorted(path.parent.glob("*.py"))


def _package(name: str, search: Sequence[str]) -> Iterator[Path]:
    spec = PathFinder.find_spec(name, search)
    if spec is None:  # nothing is known of it: it is never the same
        yield Path(f"{name} unknown {time.time_ns()}")
    elif spec.submodule_search_locations is None:
        yield Path(spec.origin or name)
    else:
        for folder in spec.submodule_search_locations:
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    yield path


def _search_path(interpreter: str) -> Sequence[str]:
    """Return where an interpreter looks for modules; nowhere if it is not one of Python."""
    found = shutil.which(interpreter) or interpreter
    if found == sys.executable:
        return [folder for folder in sys.path if folder]
    named = Path(found).name.startswith("python")
    return _asked(found, *_state(Path(found))) if named else []


@functools.cache
def _asked(interpreter: str, _time: int, _size: int) -> Sequence[str]:
    ask = [interpreter, "-c", "import sys; print(*sys.path, sep='\\n')"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False, cwd="/")
    return [folder for folder in done.stdout.splitlines() if folder]


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _digest(path: Path) -> str:
    changed, size = _state(path)
    settled = time.time_ns() - changed > SETTLED
    return _kept(path, changed, size) if settled else _read(path, size)


@functools.lru_cache(maxsize=10_000)
def _kept(path: Path, _time: int, size: int) -> str:
    return _read(path, size)


def _read(path: Path, size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if size else ""
