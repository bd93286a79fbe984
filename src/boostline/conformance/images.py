"""The checks of an image itself: nothing is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from boostline.conformance.bench import Bench, Check, Fails, NotApplicable
from boostline.conformance.subject import ML

SHELLS = ("sh", "bash", "ash", "dash")
ROOT = ("", "root", "0")


def _image(bench: Bench) -> Mapping[str, Any]:
    if bench.subject.image is None:
        raise NotApplicable("a command has no image")
    return bench.subject.image


def _entry_point(bench: Bench) -> None:
    words = _image(bench).get("Entrypoint") or [""]
    program = PurePosixPath(words[0]).name
    if program in SHELLS and words[1:2] == ["-c"]:
        raise Fails("ENTRYPOINT is in shell form: `train` and SIGTERM do not reach the program")
    if program == "tini":
        raise Fails("ENTRYPOINT is tini, which takes `train` and `serve` for its own")


def _nothing_shipped(bench: Bench) -> None:
    _image(bench)
    if found := bench.subject.shipped():
        raise Fails(f"the image brings {ML}/{found[0]}, which is hidden on SageMaker")


def _root(bench: Bench) -> None:
    user = _image(bench).get("User") or ""
    if user.partition(":")[0] not in ROOT:
        raise Fails(f"USER is {user}: it may not be allowed to read or write {ML}")


CHECKS = (
    Check(
        "image.entry-point",
        "must",
        "ENTRYPOINT is in exec form, and not tini.",
        _entry_point,
    ),
    Check("image.nothing-shipped", "must", "Nothing is shipped in /opt/ml.", _nothing_shipped),
    Check("image.root", "must", "It runs as root.", _root),
)
