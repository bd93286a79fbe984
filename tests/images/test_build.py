"""`images/build`, where it has to refuse."""

import os
import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "images" / "build"


def build(**environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [SCRIPT], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_an_unknown_flavor_is_refused_with_what_is_known() -> None:
    done = build(FLAVORS="xgboost fly")
    assert done.returncode == 2
    assert done.stderr == (
        "images: FLAVORS: unknown flavor 'fly': known are catboost lightgbm scikit-learn xgboost\n"
    )


def test_without_docker_and_podman_it_says_what_to_do(tmp_path: Path) -> None:
    for name in ("bash", "dirname", "env", "git", "sed"):
        program = shutil.which(name)
        assert program is not None
        (tmp_path / name).symlink_to(program)
    done = build(PATH=str(tmp_path), IMAGE_BUILDER="")
    assert done.returncode == 1
    assert done.stderr == (
        "images: neither docker nor podman answers: start one, or name what builds in "
        "IMAGE_BUILDER\n"
    )


def test_the_builder_gets_tag_file_context_and_options(tmp_path: Path) -> None:
    builder = tmp_path / "builder"
    builder.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >&2\nexit 7\n')
    builder.chmod(0o755)
    done = build(IMAGE_BUILDER=str(builder), FLAVORS="lightgbm catboost")
    given = done.stderr.splitlines()
    assert done.returncode == 7
    assert given[0].startswith("boostline-model:")
    assert given[0].endswith("-lightgbm-catboost")
    assert given[1:3] == ["images/model/Dockerfile", "."]
    assert "FLAVORS=lightgbm catboost" in given
