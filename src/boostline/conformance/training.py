"""The checks of a training container."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from boostline.conformance.bench import Bench, Check, Fails, NotApplicable
from boostline.conformance.inputs import JobInput
from boostline.conformance.jobs import Job, finish, lay_training, links, must_succeed, run
from boostline.conformance.subject import Running

FAILURE = "output/failure"
CHECKPOINTS = "checkpoints"
FAILURE_LENGTH = 1_024  # characters
UNKNOWN = "contract-test-no-such-program"
COMPLETES, FAILS = "training.completes", "training.failure-exit"


def given(bench: Bench) -> JobInput:
    """Return the training job that was given."""
    if bench.inputs.training is None:
        raise NotApplicable("give --training, a folder of channels")
    return bench.inputs.training


def completed(bench: Bench) -> tuple[Job, list[str]]:
    """Train, and return the job with what it changed in its channels."""
    launch = lay_training(bench, given(bench))
    data = launch.folder / "input/data"
    before = _state(data)
    job = must_succeed(run(bench, launch))
    after = _state(data)
    return job, sorted(
        name for name in before | after if before.get(name) != after.get(name) and name != "."
    )


def failed(bench: Bench) -> Job:
    """Train on channels that hold nothing, which must fail."""
    job = run(bench, lay_training(bench, given(bench), empty=True))
    if job.code is None:
        raise Fails(f"without data, {job.ending}")
    if job.code == 0:
        raise Fails("without any data it ends with exit code 0, as if it had trained")
    return job


def stopped(bench: Bench) -> bool:
    """Train, send SIGTERM at the first sign of life, and say whether that was before the end."""
    launch = lay_training(bench, given(bench))
    running = bench.start(launch)
    in_time = _await(running, lambda: bool(running.output()), bench.limits.silence)
    if in_time:
        running.terminate()
    job = finish(running, launch.folder, bench.limits.job_stop)
    if job.code is None:
        raise Fails(f"after SIGTERM {job.ending}: SageMaker kills it then")
    return in_time


def _await(running: Running, seen: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is seen of a program, or the time is up; False if it ended."""
    deadline = time.monotonic() + seconds
    while running.wait(0.02) is None:
        if seen() or time.monotonic() > deadline:
            return True
    return False


def _completes(bench: Bench) -> None:
    bench.once(completed)


def _model(bench: Bench) -> None:
    job, _ = bench.need(completed, COMPLETES)
    if not job.written:
        raise Fails("/opt/ml/model holds no file after the training: model.tar.gz would be empty")


def _plain_files(bench: Bench) -> None:
    job, _ = bench.need(completed, COMPLETES)
    for name in ("model", "output/data"):
        if found := links(job.folder / name):
            raise Fails(f"/opt/ml/{name} holds what is neither file nor folder: {found[0]}")


def _channels(bench: Bench) -> None:
    _, changed = bench.need(completed, COMPLETES)
    if changed:
        raise Fails(f"/opt/ml/input/data was written to: {', '.join(changed[:3])}")


def _encoded(bench: Bench) -> None:
    bench.need(completed, COMPLETES)
    if not given(bench).request.get("HyperParameters"):
        raise NotApplicable("job.json has no HyperParameters")
    must_succeed(run(bench, lay_training(bench, given(bench), encoded=True)))


def _documented(bench: Bench) -> None:
    bench.need(completed, COMPLETES)
    must_succeed(run(bench, lay_training(bench, given(bench), seen=False)))


def _metrics(bench: Bench) -> None:
    job, _ = bench.need(completed, COMPLETES)
    definitions = _specification(bench).get("MetricDefinitions") or []
    if not definitions:
        raise NotApplicable("job.json has no AlgorithmSpecification.MetricDefinitions")
    for definition in definitions:
        if not re.search(definition["Regex"], job.output):
            raise Fails(f"no line of its output matches metric {definition['Name']!r}")


def _unknown_argument(bench: Bench) -> None:
    bench.need(completed, COMPLETES)
    if _specification(bench).get("ContainerEntrypoint"):
        raise NotApplicable("job.json has a ContainerEntrypoint, which no argument follows")
    launch = lay_training(bench, given(bench))
    job = run(bench, replace(launch, arguments=(UNKNOWN,)), bench.limits.start)
    if job.code in (0, None):
        raise Fails(f"with the argument {UNKNOWN!r} in place of 'train', {job.ending}")


def _failure_exit(bench: Bench) -> None:
    bench.once(failed)


def _failure_reason(bench: Bench) -> None:
    path = bench.need(failed, FAILS).folder / FAILURE
    if not path.is_file() or not path.read_bytes().strip():
        raise Fails(f"it failed without a word in /opt/ml/{FAILURE}")


def _failure_length(bench: Bench) -> None:
    path = bench.need(failed, FAILS).folder / FAILURE
    if not path.is_file():
        raise NotApplicable(f"it wrote no /opt/ml/{FAILURE}")
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise Fails(f"/opt/ml/{FAILURE} is not UTF-8 at byte {error.start}") from None
    if len(text) > FAILURE_LENGTH:
        raise Fails(f"/opt/ml/{FAILURE} has {len(text)} characters: the end of it is lost")


def _stop(bench: Bench) -> None:
    bench.need(completed, COMPLETES)
    if not bench.once(stopped):
        raise NotApplicable("the training was over before SIGTERM: give a longer one")


def _checkpoints(bench: Bench) -> None:
    bench.need(_model, "training.model")
    bench.need(stopped, "training.stop")
    launch = lay_training(bench, given(bench))
    kept = launch.folder / CHECKPOINTS
    kept.mkdir()
    running = bench.start(launch)
    if _await(running, lambda: any(kept.iterdir()), bench.limits.job):
        running.terminate()
    finish(running, launch.folder, bench.limits.job_stop)
    if not any(kept.iterdir()):
        raise NotApplicable(f"it writes nothing to /opt/ml/{CHECKPOINTS}")
    again = lay_training(bench, given(bench))
    kept.rename(again.folder / CHECKPOINTS)
    job = must_succeed(run(bench, again))
    if not job.written:
        raise Fails("started again with its checkpoints, it ended with 0 but left no model")


def _sealed(bench: Bench) -> None:
    bench.need(completed, COMPLETES)
    if not bench.subject.seals:
        raise NotApplicable("only an image's root can be made read-only")
    must_succeed(run(bench, replace(lay_training(bench, given(bench)), sealed=True)))


def _specification(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = given(bench).request.get("AlgorithmSpecification") or {}
    return found


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Note sizes and times of change; a folder's time changes with the names in it."""
    paths = [folder, *folder.rglob("*")]
    found = {str(path.relative_to(folder)): path.lstat() for path in paths}
    return {name: (status.st_size, status.st_mtime_ns) for name, status in found.items()}


CHECKS = (
    Check(
        COMPLETES,
        "must",
        "`train` is the argument (ContainerEntrypoint and ContainerArguments replace it); "
        "hyperparameters are strings; exit code 0 is Completed.",
        _completes,
    ),
    Check("training.model", "must", "The model is written to /opt/ml/model.", _model),
    Check(
        "training.plain-files",
        "must",
        "/opt/ml/model and /opt/ml/output/data hold files and folders, no links.",
        _plain_files,
    ),
    Check(
        "training.channels",
        "must",
        "Channels, the folders in /opt/ml/input/data, are for reading only.",
        _channels,
    ),
    Check(
        "training.encoded-hyperparameters",
        "should",
        'A hyperparameter may be JSON, as the SDKs write it: "5" for 5.',
        _encoded,
    ),
    Check(
        "training.documented-configuration",
        "must",
        "resourceconfig.json: current_host, hosts and network_interface_name are all that is "
        "promised; a host's name may not resolve yet.",
        _documented,
    ),
    Check(
        "training.metrics",
        "must",
        "Standard output and error hold lines that MetricDefinitions match.",
        _metrics,
    ),
    Check(
        "training.unknown-argument",
        "should",
        "An argument other than `train` trains nothing and ends with another code than 0.",
        _unknown_argument,
    ),
    Check(FAILS, "must", "A training that failed does not end with 0.", _failure_exit),
    Check(
        "training.failure-reason",
        "should",
        "A training that failed leaves the reason in /opt/ml/output/failure.",
        _failure_reason,
    ),
    Check(
        "training.failure-length",
        "should",
        "The reason is text of at most 1,024 characters: more is not read.",
        _failure_length,
    ),
    Check(
        "training.stop",
        "must",
        "SIGTERM ends the training within 120 s; SIGKILL follows.",
        _stop,
    ),
    Check(
        "training.checkpoints",
        "must",
        "Checkpoints, /opt/ml/checkpoints, are there again when an interrupted training is "
        "started again, and it goes on to its end.",
        _checkpoints,
    ),
    Check(
        "training.sealed",
        "should",
        "Nothing is written but in /opt/ml and /tmp.",
        _sealed,
    ),
)
