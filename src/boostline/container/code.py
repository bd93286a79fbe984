"""The user's own code: one file behind small documented functions (docs/user-code.md)."""

import atexit
import functools
import importlib.metadata
import inspect
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, NoReturn

from boostline.container.errors import ContainerError
from boostline.features.contract import FeatureContract
from boostline.features.spec import Objective

SIGNATURES = {
    "process": ("table", "context"),
    "train": ("data", "hyperparameters", "context"),
    "evaluate": ("model", "table", "context"),
    "predict": ("model", "features"),
    "save": ("model", "folder"),
    "load": ("folder",),
}


@dataclass(frozen=True)
class Context:
    """What a user's function is told beside its data.

    Attributes
    ----------
    objective
        ``binary``, ``multiclass`` or ``regression``.
    contract
        The fitted feature contract: columns, categories, classes; None in ``process``, which
        comes before it.
    folder
        An existing folder for extra files; they come back with the job's output.
    """

    objective: Objective
    contract: FeatureContract | None
    folder: Path

    def log(self, line: object) -> None:
        """Write one line to the job's log."""
        print(line, flush=True)


class UserCodeError(ContainerError):
    """The user's code failed or answered what cannot be used; its traceback is in the log."""


class UserCode:
    """A user's imported file.

    Parameters
    ----------
    path
        The file; importing it runs it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._module = ModuleType(f"boostline_user_{path.stem}")
        self._module.__file__ = str(path)
        sys.modules[self._module.__name__] = self._module  # dataclasses look their module up
        self._guarded(self._execute)

    def function(self, name: str) -> Callable[..., Any]:
        """Return one of ``SIGNATURES``.

        Returns
        -------
        Callable
            The function; where it raises, a ``UserCodeError`` names the user's file and line.

        Raises
        ------
        UserCodeError
            The file does not define it, or not with its parameters.
        """
        found = self.optional(name)
        if found is None:
            signature = f"{name}({', '.join(SIGNATURES[name])})"
            raise UserCodeError(f"{self.path.name}: has no function {name}: define {signature}")
        return found

    def optional(self, name: str) -> Callable[..., Any] | None:
        """Return one of ``SIGNATURES`` as :meth:`function` does, or None where it is not there."""
        function = getattr(self._module, name, None)
        if not callable(function):
            return None
        expected = SIGNATURES[name]
        try:
            inspect.signature(function).bind(*expected)
        except TypeError as error:
            raise UserCodeError(
                f"{self.path.name}: {name}: {error}: its signature is {name}({', '.join(expected)})"
            ) from None
        return functools.partial(self._guarded, function)

    def refuse(self, function: str, message: str) -> NoReturn:
        """Refuse what a function answered.

        Raises
        ------
        UserCodeError
            Always.
        """
        raise UserCodeError(f"{self.path.name}: {function} {message}")

    def _execute(self) -> None:
        # No bytecode is written: the folder may be read-only, or sealed by its digests.
        exec(compile(self.path.read_bytes(), self.path, "exec"), self._module.__dict__)  # noqa: S102

    def _guarded(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except BaseException as error:  # a panic of Polars is no Exception; nor is SystemExit
            traceback.print_exception(type(error), error, self._own(error.__traceback__))
            raise UserCodeError(f"{self._place(error)}{type(error).__name__}: {error}") from None

    def _own(self, trace: TracebackType | None) -> TracebackType | None:
        """Leave our frames out: the traceback begins in the user's file."""
        while trace is not None and trace.tb_frame.f_code.co_filename != str(self.path):
            trace = trace.tb_next
        return trace

    def _place(self, error: BaseException) -> str:
        if isinstance(error, SyntaxError) and error.filename == str(self.path):
            return f"{self.path.name}, line {error.lineno}: "
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename == str(self.path)]
        if not own:
            return f"{self.path.name}: "
        inside = "" if own[-1].name == "<module>" else f", in {own[-1].name}"
        return f"{self.path.name}, line {own[-1].lineno}{inside}: "


def load(folder: Path, function: str) -> Callable[..., Any] | None:
    """Import the code in a folder and return one function of it.

    Parameters
    ----------
    folder
        Holds one ``.py`` file, and perhaps a ``requirements.txt``; or is not there.
    function
        One of ``SIGNATURES``.

    Returns
    -------
    Callable or None
        The function; where it raises, a ``UserCodeError`` names the user's file and line. None
        where the folder holds no code.

    Raises
    ------
    UserCodeError
        The requirements cannot be installed, the file cannot be imported, or it has no such
        function.
    """
    code = open_code(folder)
    return None if code is None else code.function(function)


@functools.cache
def open_code(folder: Path) -> UserCode | None:
    """Install the requirements of a folder of code and import its file, once.

    Raises
    ------
    UserCodeError
        As in :func:`load`.
    """
    held = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [file for file in held if file.suffix == ".py"]
    if not held:
        return None
    if len(files) != 1:
        names = ", ".join(file.name for file in held)
        raise UserCodeError(f"{folder.name}: holds {names}: the code of one step is one .py file")
    requirements = folder / "requirements.txt"
    if requirements.exists():
        _install(requirements)
    return UserCode(files[0])


def _install(requirements: Path) -> None:
    """Install what the container does not have yet into a folder of this process's own.

    The container's own libraries stay at their versions: they are loaded already.
    """
    prefix = tempfile.mkdtemp(prefix="boostline-requirements-")
    atexit.register(shutil.rmtree, prefix, ignore_errors=True)
    installed = Path(prefix) / "installed.txt"
    pins = {f"{d.name}=={d.version}" for d in importlib.metadata.distributions() if d.name}
    installed.write_text("\n".join(sorted(pins)), encoding="utf-8")
    options = ["--prefix", prefix, "--constraint", str(installed), "-r", str(requirements)]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-warn-script-location"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--retries", "1", *quiet, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        # The first error names the requirement; "Ignored the following versions" is none.
        told = [
            line.removeprefix("ERROR: ")
            for line in done.stderr.splitlines()
            if line.startswith("ERROR: ") and not line.startswith("ERROR: Ignored")
        ]
        reason = (told or done.stderr.splitlines()[-1:] or ["pip failed"])[0]
        raise UserCodeError(
            f"{requirements.name}: {reason} (the image's own libraries stay at their versions, and "
            "what it does not hold needs a network: SageMaker's network isolation forbids it)"
        )
    scheme = sysconfig.get_preferred_scheme("prefix")
    for kind in ("purelib", "platlib"):
        path = sysconfig.get_path(kind, scheme, {"base": prefix, "platbase": prefix})
        if path not in sys.path:
            sys.path.append(path)
