from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from boostline.local.runners.base import UnknownImage
from boostline.local.runners.programs import CODE, identity, resolve

IMAGES = {"*/churn:*": ("churn", "--local"), "*": ("any",)}


def changed(command: tuple[str, ...], path: Path, text: str) -> bool:
    before = identity(command)[CODE]
    path.write_text(text)
    return identity(command)[CODE] != before


def test_package_is_all_of_its_files_whenever_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "things/inner"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    command = (sys.executable, "-m", "things.inner")
    assert not changed(command, inner / "__init__.pyc", "compiled")
    assert changed(command, inner.parent / "other.py", "1")
    assert changed(command, inner / "words.json", "{}")
    before = identity(command)
    os.utime(inner / "words.json", (1, 1))
    assert identity(command) == before
    assert "things" not in sys.modules
    missing = (sys.executable, "-m", "no_such_things")
    assert identity(missing) != identity(missing)


def test_libraries_are_those_of_the_interpreter(tmp_path: Path) -> None:
    assert "library msgspec" in identity((sys.executable, "-m", "boostline.container"))
    own = tmp_path / "bin/python3"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True)
    found = identity((str(own), "-c", "pass"))
    assert set(found) == {CODE}
    (site,) = tmp_path.glob("lib/python*/site-packages")
    (site / "boosters-1.0.dist-info").mkdir()
    assert identity((str(own), "-c", "pass"))["library boosters"] == "1.0"


def test_program_of_any_kind_is_its_files_and_words(tmp_path: Path) -> None:
    program = tmp_path / "program.sh"
    program.write_text("echo 1")
    assert changed(("sh", str(program)), program, "echo 2")
    assert identity(("sh", str(program))) != identity(("sh", str(program), "more"))
    assert set(identity(("sh", str(program)))) == {CODE}


def test_a_change_that_leaves_size_and_time_is_seen(tmp_path: Path) -> None:
    program, soon = tmp_path / "program.sh", time.time() + 3_600
    found = []
    for text in ("echo 1", "echo 2"):
        program.write_text(text)
        os.utime(program, (soon, soon))
        found.append(identity(("sh", str(program))))
    assert found[0] != found[1]


def test_first_pattern_that_matches_counts() -> None:
    assert resolve(IMAGES, "000000000000.dkr.ecr.us-east-1.amazonaws.com/churn:1") == (
        "churn",
        "--local",
    )
    assert resolve(IMAGES, "other") == ("any",)


def test_unknown_image_is_named_with_what_is_known() -> None:
    with pytest.raises(UnknownImage, match=r"'other'.*'\*/churn:\*'"):
        resolve({"*/churn:*": ("churn",)}, "other")
