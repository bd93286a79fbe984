"""`boostline doctor`."""

from __future__ import annotations

import os
import platform as machine
import shutil
from collections.abc import Callable, Iterator
from importlib import metadata, util
from typing import NamedTuple

import typer

from boostline.cli import options
from boostline.cli.options import AsJson, Dir
from boostline.contracts.address import VARIABLE


class Finding(NamedTuple):
    """One thing looked at: whether it is as it should be, and what to do if not."""

    what: str
    fine: bool
    text: str


def doctor(folder: Dir = None, as_json: AsJson = False) -> None:
    """Look at what Boostline needs here, and say what is missing. Ends with 1 if something is."""
    findings = [finding for check in CHECKS for finding in check(folder)]
    if as_json:
        options.print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{'ok ' if finding.fine else 'NO '} {finding.what:<18} {finding.text}")
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)


def _python(_: Dir) -> Iterator[Finding]:
    yield Finding("python", True, f"{machine.python_version()} on {machine.platform()}")


def _libraries(_: Dir) -> Iterator[Finding]:
    needed = {
        "container": ("xgboost", "polars", "sklearn", "starlette", "uvicorn"),
        "local": ("awslambdaric", "starlette", "uvicorn"),
    }
    for extra, modules in needed.items():
        missing = [name for name in modules if util.find_spec(name) is None]
        advice = f"missing {', '.join(missing)}: pip install 'boostline[{extra}]'"
        yield Finding(f"extra {extra}", not missing, advice if missing else "installed")


def _engine(_: Dir) -> Iterator[Finding]:
    if util.find_spec("daal4py"):
        version = metadata.version("scikit-learn-intelex")
        yield Finding("engine", True, f"onedal (scikit-learn-intelex {version}), checked at load")
    else:
        reason = f"no oneDAL for {machine.system()} {machine.machine()}"
        yield Finding("engine", True, f"native: {reason}; answers are the same, slower")


def _isolation(_: Dir) -> Iterator[Finding]:
    from boostline.local.runners.namespace import namespace

    way = namespace()
    text = (
        f"a private /opt/ml for each program ({' '.join(way)})"
        if way
        else "no mount namespaces: programs find their folder by SAGEMAKER_BASE_DIR"
    )
    yield Finding("isolation", True, text)


def _platform(folder: Dir) -> Iterator[Finding]:
    from boostline.contracts import address
    from boostline.project import target

    place = (folder or address.default_folder()).expanduser()
    there = next(each for each in (place, *place.absolute().parents) if os.path.exists(each))
    free = shutil.disk_usage(there).free
    yield Finding("disk", free > 1 << 30, f"{free / (1 << 30):.0f} GiB free at {place}")
    if not (os.path.isdir(there) and os.access(there, os.R_OK | os.W_OK | os.X_OK)):
        reason = f"{there} is not a folder that you may write in"
        yield Finding("platform", False, f"{reason}: give another with --dir or ${VARIABLE}")
        return
    try:
        found = target.local(place)
    except target.TargetError as error:
        yield Finding("platform", True, f"not running ({error})")
        return
    account = found.client("sts").get_caller_identity()["Account"]
    yield Finding("platform", True, f"answers at {found.endpoint} as account {account}")


def _contents(folder: Dir) -> Iterator[Finding]:
    from boostline.contracts import address
    from boostline.local.store.gc import verify

    place = (folder or address.default_folder()).expanduser()
    if not os.path.exists(place / "platform.sqlite"):  # False too where one may not look
        return
    problems = verify(place)
    for problem in problems:
        names = ", ".join(problem.names) or "nothing that is named"
        yield Finding("contents", False, f"{problem.digest[:16]} is {problem.reason}: {names}")
    if not problems:
        yield Finding("contents", True, f"all in {place} are as they were stored")


CHECKS: tuple[Callable[[Dir], Iterator[Finding]], ...] = (
    _python,
    _libraries,
    _engine,
    _isolation,
    _platform,
    _contents,
)


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
