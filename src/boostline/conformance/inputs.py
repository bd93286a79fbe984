"""What a container is tested with: its user knows what fits it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from boostline.conformance.errors import ConformanceError

JOB = "job.json"


class _Place(msgspec.Struct, frozen=True):
    LocalPath: str


class _Output(msgspec.Struct, frozen=True):
    S3Output: _Place


class _Outputs(msgspec.Struct, frozen=True):
    Outputs: list[_Output] = []


class _Input(msgspec.Struct, frozen=True):
    InputName: str
    S3Input: _Place


class _Channel(msgspec.Struct, frozen=True):
    ChannelName: str
    ContentType: str = ""


class _Metric(msgspec.Struct, frozen=True):
    Name: str
    Regex: str


class _Specification(msgspec.Struct, frozen=True):
    ContainerEntrypoint: list[str] = []
    ContainerArguments: list[str] = []
    MetricDefinitions: list[_Metric] = []


class _Request(msgspec.Struct, frozen=True):
    """The members of both requests that are read here, as AWS names them."""

    AlgorithmSpecification: _Specification = _Specification()
    AppSpecification: _Specification = _Specification()
    Environment: dict[str, str] = {}
    HyperParameters: dict[str, str] = {}
    InputDataConfig: list[_Channel] = []
    ProcessingInputs: list[_Input] = []
    ProcessingOutputConfig: _Outputs = _Outputs()


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
        The folder is not there or holds no folder of data, or its `job.json` is no such request.
    """
    if not folder.is_dir():
        raise ConformanceError(f"{folder}: is no folder: give one with a folder for each channel")
    path = folder / JOB
    found = JobInput(folder, _read_request(path) if path.exists() else {})
    if not found.channels:
        raise ConformanceError(f"{folder}: holds no folder: each channel or input is one")
    return found


def _read_request(path: Path) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(path.read_bytes())
        checked = msgspec.convert(plain, _Request)
        for metric in checked.AlgorithmSpecification.MetricDefinitions:
            re.compile(metric.Regex)
    except ValueError as error:  # msgspec's are, and json's
        raise ConformanceError(f"{path}: {error}") from None
    except re.error as error:
        raise ConformanceError(f"{path}: MetricDefinitions: Regex: {error}") from None
    return plain
