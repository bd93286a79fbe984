"""The zip that Lambda gets: the gateway, found by its imports, and its dependencies."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from boostline.contracts.archives import pack_zip
from boostline.contracts.errors import BoostlineError

INSTALLED, LOCKED = "installed", "locked"
ENTRY = "boostline.gateway.handler"
CONTRACT = "contract.json"
PACKAGE = Path(__file__).parents[1]
REQUIREMENTS = PACKAGE / "gateway/requirements.txt"
PLATFORM = "manylinux2014_x86_64"  # Lambda's, for Python up to the versions it now offers
# What an installer writes for itself, which differs from one environment to the next.
_NOT_CODE = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


class BundleError(BoostlineError):
    """A zip that cannot be built; the message says what to do."""


def build(
    contract: bytes,
    archive: Path,
    source: str,
    python: str,
    requirements: Path = REQUIREMENTS,
) -> str:
    """Write the function's zip: equal inputs give equal bytes.

    It holds the contract, those modules of this package that the handler imports, and its
    dependencies.

    Parameters
    ----------
    contract
        The content of `features.json`.
    archive
        The file to write.
    source
        `INSTALLED` takes the dependencies from this environment, for a function that runs here;
        `LOCKED` takes the locked wheels of Lambda's platform from the package index.
    python
        The function's Python, for example `3.12`.
    requirements
        The hash-locked dependencies.

    Returns
    -------
    str
        SHA-256 of the zip (hex).

    Raises
    ------
    BundleError
        If a dependency is not to be had.
    """
    members: dict[str, bytes | Path] = {CONTRACT: contract}
    members |= {_place(path): path for path in _modules(ENTRY)}
    with tempfile.TemporaryDirectory() as folder:
        if source == LOCKED:
            _install(requirements, python, Path(folder))
            members |= _tree(Path(folder))
        else:
            members |= _installed(requirements, python)
        pack_zip(members, archive)
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def _modules(name: str) -> set[Path]:
    """Return the files of a module of ours, of its packages, and of all that they import."""
    paths: set[Path] = set()
    waiting, seen = [name], set()
    while waiting:
        name = waiting.pop()
        spec = find_spec(name) if name not in seen else None
        seen.add(name)
        if spec is None or spec.origin is None:
            continue
        paths.add(Path(spec.origin))
        waiting += _imports(Path(spec.origin))
        if "." in name:
            waiting.append(name.rpartition(".")[0])
    return paths


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("boostline"):
            yield str(node.module)
            # What is imported from a package may be a module of it.
            package = find_spec(str(node.module))
            if package is not None and package.submodule_search_locations:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _place(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).as_posix()


def _installed(requirements: Path, python: str) -> dict[str, bytes | Path]:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    if python != own:
        raise BundleError(
            f"this environment has Python {own}, the function wants {python}: "
            f"choose Python {own}, or locked dependencies"
        )
    members: dict[str, bytes | Path] = {}
    for name in re.findall(r"^([\w.-]+)==", requirements.read_text(), re.MULTILINE):
        try:
            files = distribution(name).files or ()
        except PackageNotFoundError:
            raise BundleError(
                f"{name} is not installed: install Boostline with its 'gateway' extra"
            ) from None
        for file in files:
            if _is_code(file.parts):
                members[file.as_posix()] = Path(str(file.locate()))
    return members


def _install(requirements: Path, python: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-compile", "--require-hashes", "--only-binary=:all:"]
    command += ["--platform", PLATFORM, "--implementation", "cp", "--python-version", python]
    command += ["--target", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BundleError(
            f"pip could not fetch the wheels of {requirements.name} for Python {python} on "
            f"{PLATFORM}:\n{done.stderr.strip()}"
        )


def _tree(folder: Path) -> dict[str, bytes | Path]:
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {name.as_posix(): path for name, path in found.items() if _is_code(name.parts)}


def _is_code(parts: tuple[str, ...]) -> bool:
    return (
        parts[0] not in {"..", "bin"}
        and "__pycache__" not in parts
        and not parts[-1].endswith((".pyi", ".pyc"))
        and parts[-1] not in _NOT_CODE
    )
