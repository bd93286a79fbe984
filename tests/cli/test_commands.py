"""Commands where nothing runs: each says what is wrong in one sentence, with its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from boostline.contracts.address import Address
from boostline.local.platform import Platform, Settings
from tests.conftest import RunningPlatform

BIN = Path(sys.executable).parent
EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"


def boostline(
    *arguments: str | Path, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    places = {"BOOSTLINE_DIR": str(folder / "platform"), "DOCKER_HOST": "unix:///no/such"}
    return subprocess.run(
        [BIN / "boostline", *arguments],
        cwd=folder,
        env={**os.environ, **places, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run"], 2, "boostline.toml: is not there"),
        (["run", "--project", str(EXAMPLE)], 3, "start one with `boostline up`"),
        (["models", "list", "-p", str(EXAMPLE)], 3, "start one with `boostline up`"),
        (["status", "-p", str(EXAMPLE), "--target", "aws"], 3, "[aws] account and region"),
        (["up", "--memory", "4g"], 2, "give --runner container"),
        (["up", "--on-event", "*:codepipeline:*"], 2, "is not GLOB=COMMAND"),
        (["up", "--on-event", "*='"], 2, "No closing quotation"),
        (["up", "--runner", "container"], 1, "no container engine answers; tried unix:///no/such"),
        (["up", "--runner", "container", "--memory", "x"], 1, "memory 'x': give a number"),
        (["gc"], 3, "no local platform has run in"),
        (["env"], 3, "start one with `boostline up`"),
        (["new", "x", "--data", "none.csv", "--label", "y"], 2, "none.csv"),
        (["run", "--target", "moon"], 2, "moon"),
        (["nothing"], 2, "nothing"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = boostline(*arguments, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["env"], ["gc"], ["up"], ["status", "-p", str(EXAMPLE)]])
def test_what_the_machine_refuses_is_one_sentence(tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    done = boostline(*arguments, "--dir", file, folder=tmp_path)
    assert done.returncode != 0
    assert done.stderr.startswith("boostline: ")
    assert str(file) in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [BIN / "boostline", "doctor"],
            env={**os.environ, "BOOSTLINE_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == "boostline: the output: No space left on device\n"
    assert done.returncode == 1


def test_what_a_terminal_cannot_show_ends_no_command() -> None:
    code = (
        "from boostline.cli import main; from rich.console import Console; "
        "main.app = lambda: Console().print('✓ Train'); main.main()"
    )
    variables = {**os.environ, "PYTHONIOENCODING": "ascii"}
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, env=variables, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"? Train\n")


def test_a_platform_that_was_killed_is_said_to_be_gone(tmp_path: Path) -> None:
    folder = tmp_path / "platform"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    Address(
        endpoint="http://127.0.0.1:9",
        account="0" * 12,
        region="us-east-1",
        access_key="A",
        secret_key="B",
        pid=ended.pid,
    ).write(folder)
    done = boostline("run", "--project", EXAMPLE, folder=tmp_path)
    assert done.returncode == 3
    assert "no local platform runs in" in done.stderr


def test_env_prints_exports_that_a_shell_takes(tmp_path: Path) -> None:
    folder = tmp_path / "a place"
    folder.mkdir()
    address = Address(
        endpoint="http://127.0.0.1:4599",
        account="0" * 12,
        region="us-east-1",
        access_key="A'B",
        secret_key="C D",
        pid=1,
    )
    address.write(folder)
    done = boostline("env", "--dir", folder, "--port", "4600", folder=tmp_path)
    script = f"{done.stdout}\nenv"
    shell = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": os.environ["PATH"], "AWS_PROFILE": "p"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "AWS_ACCESS_KEY_ID=A'B\n" in shell.stdout
    assert "AWS_SECRET_ACCESS_KEY=C D\n" in shell.stdout
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:4600\n" in shell.stdout
    assert "AWS_PROFILE" not in shell.stdout
    assert (folder / "platform.json").stat().st_mode & 0o777 == 0o600


def test_two_platforms_share_neither_folder_nor_port(platform: RunningPlatform) -> None:
    folder = platform.settings.folder
    port = platform.endpoint.rpartition(":")[2]
    here = folder.parent
    same_folder = boostline("up", "--dir", folder, "--port", "0", folder=here)
    assert same_folder.returncode == 1
    assert "runs a platform in this folder" in same_folder.stderr
    same_port = boostline("up", "--dir", here / "other", "--port", port, folder=here)
    assert same_port.returncode == 1
    assert "give another with --port, 0 for any" in same_port.stderr
    assert "stop it" in boostline("gc", "--dir", folder, folder=here).stderr


def test_gc_and_doctor_look_after_contents(tmp_path: Path) -> None:
    folder = tmp_path / "platform"
    platform = Platform(Settings(folder))
    platform.objects.create_bucket("b")
    platform.objects.write("s3://b/k", b"kept")
    stray, kept = platform.blobs.write(b"named by nobody"), platform.blobs.write(b"kept")
    path = platform.blobs.path(kept.digest)
    platform.stop()
    found = json.loads(boostline("gc", "--json", folder=tmp_path).stdout)
    assert found == {"kept": 1, "removed": 1, "freed": stray.size}
    assert boostline("doctor", folder=tmp_path).returncode == 0
    path.chmod(0o644)
    path.write_bytes(b"harm")
    damaged = boostline("doctor", folder=tmp_path)
    assert damaged.returncode == 1
    assert f"{kept.digest[:16]} is damaged: s3://b/k" in damaged.stdout


def test_doctor_says_what_is_here(tmp_path: Path) -> None:
    done = boostline("doctor", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    for word in ("python", "engine", "isolation", "disk", "platform"):
        assert f"ok  {word}" in done.stdout


def test_doctor_says_where_no_platform_can_be(tmp_path: Path) -> None:
    assert boostline("doctor", "--dir", tmp_path / "a/b/c", folder=tmp_path).returncode == 0
    file = tmp_path / "file"
    file.touch()
    done = boostline("doctor", "--dir", file, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert f"NO  platform           {file} is not a folder that you may write in" in done.stdout


def test_new_makes_a_project(tmp_path: Path) -> None:
    table = EXAMPLE / "data/churn.csv"
    done = boostline("new", "mine", "--data", table, "--label", "Churn?", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "boostline run --project mine" in done.stdout
    again = boostline("new", "mine", "--data", table, "--label", "Churn?", folder=tmp_path)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)


def test_a_version_that_others_registered_is_shown_as_far_as_it_goes(
    platform: RunningPlatform,
) -> None:
    sagemaker = platform.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="customer-churn")
    sagemaker.create_model_package(ModelPackageGroupName="customer-churn")
    folder = platform.settings.folder
    show = ("models", "show", "--project", EXAMPLE, "--dir", folder)
    done = boostline(*show, folder=folder.parent)
    assert done.returncode == 0, done.stderr
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert told["version"] == "customer-churn/1"
    assert {told[name] for name in ("artifact", "image", "evaluation")} == {"none"}
    said = json.loads(boostline(*show, "--json", folder=folder.parent).stdout)
    assert (said["ModelPackageVersion"], said["metrics"]) == (1, {})
