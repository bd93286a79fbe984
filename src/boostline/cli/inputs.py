"""From a project to what its container is tested with: its jobs, run by the container itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boostline.conformance.bench import Bench
from boostline.conformance.inputs import Inputs, JobInput, Request
from boostline.conformance.jobs import Job, lay_processing, lay_training, run

if TYPE_CHECKING:
    from boostline.project.config import Config
    from boostline.project.store import Content

JSON = "application/json"


def of_project(config: Config, bench: Bench, folder: Path) -> Inputs:
    """Lay out what a project's pipeline would: process, train, and ask the model that comes of it.

    Parameters
    ----------
    bench
        Runs the two jobs.
    folder
        An empty folder for inputs and model; they are read as long as the tests run.

    Returns
    -------
    Inputs
        As far as the container came: what follows a job that failed is not there.
    """
    from boostline.contracts.archives import pack
    from boostline.pipeline import data

    contents, steps = data.contents(config), _arguments(config)
    inputs = {
        "data": contents["data"],
        "config": contents["config"],
        **({"code": contents["code-process"]} if "code-process" in contents else {}),
    }
    processing = JobInput(_write(folder / "process", inputs), steps["Process"])
    job = run(bench, lay_processing(bench, processing))
    if job.code != 0:
        return Inputs(processing=processing)
    training = JobInput(_channels(job, folder / "train", contents), steps["Train"])
    job = run(bench, lay_training(bench, training))
    if job.code != 0:
        return Inputs(training, processing)
    pack(job.folder / "model", folder / "model.tar.gz")
    record = config.sample.read_bytes() if config.sample.exists() else None
    request = Request(record, JSON) if record is not None else None
    return Inputs(training, processing, folder / "model.tar.gz", request)


def _arguments(config: Config) -> dict[str, Any]:
    """Return the arguments of the pipeline's steps; where things lie in S3 means nothing here."""
    from boostline.contracts.definition import encode
    from boostline.pipeline.definition import Place, build

    place = Place(
        role="",
        image="",
        bucket="",
        data_uri="",
        config_uri="",
        evaluation_uri="",
        champion_uri="",
        code={"process": "", "train": ""},
    )
    steps = json.loads(encode(build(config, place)))["Steps"]
    return {step["Name"]: step["Arguments"] for step in steps}


def _channels(job: Job, folder: Path, contents: Mapping[str, Mapping[str, Content]]) -> Path:
    code = {"code": contents["code-train"]} if "code-train" in contents else {}
    _write(folder, code)
    for name in ("train", "validation", "contract"):
        shutil.copytree(job.folder / "processing/output" / name, folder / name)
    return folder


def _write(folder: Path, inputs: Mapping[str, Mapping[str, Content]]) -> Path:
    folder.mkdir()
    for name, files in inputs.items():
        for file, content in files.items():
            target = folder / name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                target.write_bytes(content)
            else:
                shutil.copyfile(content, target)
    return folder
