"""Trainings that are killed in the middle: the model is that of an uninterrupted one."""

import mmap
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.programs import run, start
from boostline.container.checkpoints import EXIT_CODE, Checkpoints, Interrupted, State
from boostline.container.paths import Paths
from tests.container.jobs import lay_hyperparameters, lay_job

# Sampling and early stopping: both have a state of their own.
SAMPLED: Mapping[str, object] = {
    "num_round": 400,
    "eta": 0.02,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "early_stopping_rounds": 20,
    "checkpoint_rounds": 10,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nobody disturbed, without a folder for checkpoints."""
    base = tmp_path_factory.mktemp("whole")
    lay_job(base, "binary", SAMPLED, rows=12_000)
    assert run("train", base).returncode == 0
    return base


def lay_again(whole: Path, base: Path) -> Paths:
    shutil.copytree(whole / "input", base / "input")
    (base / "checkpoints").mkdir()
    return Paths(base)


def read_until(process: "subprocess.Popen[str]", start_of_line: bytes) -> None:
    """Read to the end of a line, and no byte more: what is not read holds the process up."""
    assert process.stdout is not None
    with open(process.stdout.fileno(), "rb", buffering=0, closefd=False) as unbuffered:
        if not any(line.startswith(start_of_line) for line in unbuffered):
            raise AssertionError(process.communicate()[1])


def assert_same(whole: Path, base: Path) -> None:
    for path in (whole / "model").iterdir():
        assert (base / "model" / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_training_is_resumed_to_the_same_bytes(
    whole: Path, tmp_path: Path, number: signal.Signals
) -> None:
    paths = lay_again(whole, tmp_path)
    # Twice, in the middle of a block. However late the signal is: a page holds some 75 lines, and
    # with the next one the training waits.
    for at in (23, 157):
        process = start("train", tmp_path, mmap.PAGESIZE)
        read_until(process, b"[%d]" % at)
        process.send_signal(number)
        _, errors = process.communicate()
        assert process.returncode == (EXIT_CODE if number == signal.SIGTERM else -number)
        assert not paths.model.exists()
        assert not (paths.output / "failure").exists()
        if number == signal.SIGTERM:
            assert re.match(r"SIGTERM: stopped after round \d+0,", errors)
    done = run("train", tmp_path)
    assert done.returncode == 0
    assert "resumed after round " in done.stdout
    assert "[0]" not in done.stdout
    assert_same(whole, tmp_path)


@pytest.mark.slow
def test_a_finished_training_that_is_started_again_ends_the_same(
    whole: Path, tmp_path: Path
) -> None:
    paths = lay_again(whole, tmp_path)
    assert run("train", tmp_path).returncode == 0
    shutil.rmtree(paths.model)
    done = run("train", tmp_path)
    assert "resumed" in done.stdout
    assert_same(whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["hyperparameter", "data", "damage"])
def test_a_checkpoint_of_another_training_is_not_resumed(
    whole: Path, tmp_path: Path, change: str
) -> None:
    paths = lay_again(whole, tmp_path)
    lay_hyperparameters(paths, {**SAMPLED, "num_round": 15})
    assert run("train", tmp_path).returncode == 0
    file = next(paths.checkpoints.iterdir())
    if change == "hyperparameter":
        lay_hyperparameters(paths, {**SAMPLED, "num_round": 16})
    elif change == "data":
        golden = paths.channel("contract") / "golden_records.json"
        golden.write_text(golden.read_text() + "\n")
    else:
        file.write_bytes(file.read_bytes()[:-1])
    done = run("train", tmp_path)
    assert "the checkpoint is of another training: starting anew" in done.stdout
    assert "[0]" in done.stdout


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = State(7, 5, 0.25)
    Checkpoints(tmp_path, "key").save(state, b"model\nbytes")
    assert Checkpoints(tmp_path, "key").load() == (state, b"model\nbytes")
    assert Checkpoints(tmp_path, "other").load() == (State(), b"")
    assert [path.name for path in tmp_path.iterdir()] == ["training.checkpoint"]


def test_without_the_folder_nothing_is_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "none", "key")
    checkpoints.save(State(7, 5, 0.25), b"model")
    assert checkpoints.load() == (State(), b"")
    before = signal.getsignal(signal.SIGTERM)
    with checkpoints.watched():
        assert signal.getsignal(signal.SIGTERM) == before


def test_sigterm_waits_for_the_next_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path, "key")
    before = signal.getsignal(signal.SIGTERM)
    with checkpoints.watched():
        checkpoints.check(1, saved=True)
        signal.raise_signal(signal.SIGTERM)
        checkpoints.check(2, saved=False)
        with pytest.raises(Interrupted, match="after round 3"):
            checkpoints.check(3, saved=True)
        monkeypatch.setattr("boostline.container.checkpoints._GRACE_SECONDS", -1.0)
        with pytest.raises(Interrupted):
            checkpoints.check(2, saved=False)
    assert signal.getsignal(signal.SIGTERM) == before
