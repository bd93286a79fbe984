"""Training and processing jobs: laid out, run to their end, looked at afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boostline.conformance.bench import Bench, Fails, copy, ending
from boostline.conformance.inputs import JobInput
from boostline.conformance.subject import ML, Launch, Running

HOST, INSTANCE, GROUP = "algo-1", "ml.m5.large", "homogeneousCluster"
NAME = "contract-test"
ARN = f"arn:aws:sagemaker:us-east-1:123456789012:{{}}-job/{NAME}"
# What processingjobconfig.json shows as null where the request has nothing.
CONFIG = (
    *("ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "StoppingCondition"),
    *("AppSpecification", "Environment", "NetworkConfig", "RoleArn", "ExperimentConfig"),
)


@dataclass(frozen=True)
class Job:
    """A job that has ended, or was ended after its time.

    Attributes
    ----------
    folder
        Its `/opt/ml`.
    code
        The exit code; None if it had to be killed.
    ending
        How it ended, in words.
    output
        What it wrote to its log.
    """

    folder: Path
    code: int | None
    ending: str
    output: str

    @property
    def written(self) -> bool:
        """Whether there is a model, or anything in an output of a processing job."""
        places = (self.folder / "model", self.folder / "processing/output")
        return any(path.is_file() for place in places for path in place.rglob("*"))


def run(bench: Bench, launch: Launch, seconds: float | None = None) -> Job:
    """Run a job to its end, or for some seconds; without a number to the limit of its time."""
    limit = bench.limits.job if seconds is None else seconds
    return finish(bench.start(launch), launch.folder, limit)


def finish(running: Running, folder: Path, seconds: float) -> Job:
    """Await a job's end, or kill it."""
    code = running.wait(seconds)
    text = ending(running) if code is not None else f"it did not end within {seconds:.0f} s"
    running.close()
    return Job(folder, code, text, running.output())


def must_succeed(job: Job) -> Job:
    """Return a job that ended with 0.

    Raises
    ------
    Fails
        It did not.
    """
    if job.code != 0:
        raise Fails(job.ending)
    return job


def lay_training(
    bench: Bench, given: JobInput, *, encoded: bool = False, seen: bool = True, empty: bool = False
) -> Launch:
    """Write what a training container finds.

    Parameters
    ----------
    encoded
        Whether each hyperparameter is JSON, as the SDKs send it: `5` and `"5"` mean the same.
    seen
        Whether `resourceconfig.json` holds what was seen on SageMaker beyond the documentation.
    empty
        Whether the channels hold nothing.
    """
    ml, request = bench.folder(), given.request
    for name in ("input/config", "input/data", "model", "output/data"):
        (ml / name).mkdir(parents=True)
    texts = request.get("HyperParameters", {})
    channels = {channel["ChannelName"]: channel for channel in request.get("InputDataConfig", [])}
    _write(
        ml / "input/config",
        hyperparameters={k: json.dumps(v) for k, v in texts.items()} if encoded else texts,
        inputdataconfig={
            path.name: _channel(channels.get(path.name, {})) for path in given.channels
        },
        resourceconfig=_resources(seen=seen),
    )
    for path in given.channels:
        _data(path, ml / "input/data" / path.name, empty=empty)
    environment = {"TRAINING_JOB_NAME": NAME, "TRAINING_JOB_ARN": ARN.format("training")}
    return _launch(ml, request, "AlgorithmSpecification", ("train",), environment)


def lay_processing(bench: Bench, given: JobInput, *, empty: bool = False) -> Launch:
    """Write what a processing container finds: every input below `/opt/ml/processing`."""
    ml, request = bench.folder(), given.request
    for name in ("config", "processing", "output"):
        (ml / name).mkdir()
    known = {member: request.get(member) for member in CONFIG}
    _write(
        ml / "config",
        processingjobconfig={
            "ProcessingJobArn": ARN.format("processing"),
            "ProcessingJobName": NAME,
            **known,
        },
        resourceconfig={"current_host": HOST, "hosts": [HOST]},
    )
    inputs = {i["InputName"]: i["S3Input"] for i in request.get("ProcessingInputs") or []}
    for path in given.channels:
        place = inputs.get(path.name, {}).get("LocalPath", f"{ML}/processing/input/{path.name}")
        _data(path, ml / place.removeprefix(f"{ML}/"), empty=empty)
    for output in outputs(request):
        (ml / output).mkdir(parents=True, exist_ok=True)
    return _launch(ml, request, "AppSpecification", (), {})


def outputs(request: Mapping[str, Any]) -> list[str]:
    """Return the folders of a processing job's outputs, below `/opt/ml`."""
    config = request.get("ProcessingOutputConfig") or {}
    places = [output["S3Output"]["LocalPath"] for output in config.get("Outputs", [])]
    return [place.removeprefix(f"{ML}/") for place in places]


def links(folder: Path) -> list[str]:
    """Return what is neither file nor folder: SageMaker stores no such thing."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or _special(path))
    return [str(path.relative_to(folder)) for path in found]


def _special(path: Path) -> bool:
    return not (path.is_file() or path.is_dir())


def _launch(
    ml: Path,
    request: Mapping[str, Any],
    member: str,
    default: tuple[str, ...],
    environment: dict[str, str],
) -> Launch:
    """Start as SageMaker does: an entry point of the request takes the default argument away."""
    specification = request.get(member) or {}
    entry_point = tuple(specification.get("ContainerEntrypoint") or ())
    arguments = tuple(specification.get("ContainerArguments") or (() if entry_point else default))
    environment |= request.get("Environment") or {}
    return Launch(ml, arguments, environment, entry_point)


def _data(source: Path, target: Path, *, empty: bool) -> None:
    if empty:
        target.mkdir(parents=True)
    else:
        copy(source, target)


def _write(folder: Path, **contents: object) -> None:
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def _channel(given: Mapping[str, Any]) -> dict[str, str]:
    shown = {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    return shown | {key: given[key] for key in ("ContentType",) if key in given}


def _resources(*, seen: bool) -> dict[str, Any]:
    documented = {"current_host": HOST, "hosts": [HOST], "network_interface_name": "eth0"}
    if not seen:
        return documented
    group = {"instance_group_name": GROUP, "instance_type": INSTANCE, "hosts": [HOST]}
    return {
        **documented,
        "current_instance_type": INSTANCE,
        "current_group_name": GROUP,
        "instance_groups": [group],
    }
