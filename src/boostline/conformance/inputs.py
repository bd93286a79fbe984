"""What a container is tested with: its user knows what fits it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boostline.conformance.errors import ConformanceError

JOB = "job.json"


@dataclass(frozen=True)
class JobInput:
    """The data of a job, and its request.

    Parameters
    ----------
    folder
        One folder for each channel or input, named as it is.
    request
        Members of CreateTrainingJob or CreateProcessingJob: those that say how the container is
        started and what it is told. S3 URIs mean nothing here.
    """

    folder: Path
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    def channels(self) -> list[Path]:
        """The folders of data."""
        return sorted(path for path in self.folder.iterdir() if path.is_dir())


@dataclass(frozen=True)
class Request:
    """A request that the model answers with 200."""

    body: bytes
    content_type: str
    accept: str = ""


@dataclass(frozen=True)
class Inputs:
    """All that was given; what is missing leaves its checks out.

    Parameters
    ----------
    training, processing
        A job that succeeds, and fails when its data are taken away.
    model
        A `model.tar.gz`; without one the image is asked for a model of its own.
    request
        A request to that model.
    many
        Whether the container is to be tested as one of many models, whatever its labels say.
    """

    training: JobInput | None = None
    processing: JobInput | None = None
    model: Path | None = None
    request: Request | None = None
    many: bool = False


def read_job(folder: Path) -> JobInput:
    """Open a folder of channels or inputs, with its `job.json` if there is one.

    Raises
    ------
    ConformanceError
        The folder is not there, holds no folder of data, or its `job.json` is no JSON object.
    """
    if not folder.is_dir():
        raise ConformanceError(f"{folder}: is no folder: give one with a folder for each channel")
    path = folder / JOB
    try:
        request = json.loads(path.read_bytes()) if path.exists() else {}
    except ValueError as error:
        raise ConformanceError(f"{path}: is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise ConformanceError(f"{path}: is not a JSON object: write members of the job's request")
    found = JobInput(folder, request)
    if not found.channels:
        raise ConformanceError(f"{folder}: holds no folder: each channel or input is one")
    return found
