"""The checks of an image itself: nothing is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from boostline.conformance.bench import Bench, Check, Fails, NotApplicable
from boostline.conformance.subject import ML

# Of words with a NUL after each: a shell's options up to -c, also behind `env` or the like.
SHELL_FORM = re.compile(
    r"(?:^|[\0/])(?:ba|da|a|k|z)?sh\0"
    r"(?:[-+][a-z]*[oO]\0[^\0]+\0|[-+][^\0]*\0)*?"  # -o has a value
    r"-[a-z]*c\0"
)
# Of what follows -c: a text that becomes the program, with the words that are behind its own name.
PASSED_ON = re.compile(r"[^\0]*\bexec\b[^\0]*\$\{?[@*][^\0]*\0[^\0]+\0")
INIT = frozenset({"tini", "tini-static"})
ROOT = ("", "root", "0")


def _image(bench: Bench) -> Mapping[str, Any]:
    if bench.subject.image is None:
        raise NotApplicable("a command has no image")
    return bench.subject.image


def _entry_point(bench: Bench) -> None:
    words = _image(bench).get("Entrypoint")
    if not words:
        # AWS's own examples do so; a container of jobs alone may have CMD instead.
        raise NotApplicable(
            "there is no ENTRYPOINT: `train` and `serve` are started as programs on the PATH"
        )
    line = "".join(f"{word}\0" for word in words)
    form = SHELL_FORM.search(line)
    if form and not PASSED_ON.match(line, form.end()):
        raise Fails("ENTRYPOINT is in shell form: `train` and SIGTERM do not reach the program")
    if INIT & {PurePosixPath(word).name for word in words}:
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
