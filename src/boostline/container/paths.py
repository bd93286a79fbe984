"""Where SageMaker puts a job's files, below one base directory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from boostline.container.errors import ContainerError

BASE_VARIABLE = "SAGEMAKER_BASE_DIR"  # the name that SageMaker's own toolkits give it


@dataclass(frozen=True)
class Paths:
    """The folders of the container contract."""

    base: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Paths":
        """Take the base from the environment; ``/opt/ml`` where it says nothing."""
        return cls(Path(environment.get(BASE_VARIABLE) or "/opt/ml"))

    @property
    def model(self) -> Path:
        """What becomes ``model.tar.gz``, and where serving finds it unpacked."""
        return self.base / "model"

    @property
    def output(self) -> Path:
        """Where the reason of a failure goes."""
        return self.base / "output"

    @property
    def extra(self) -> Path:
        """What becomes ``output.tar.gz`` of a training job, beside its model."""
        return self.output / "data"

    @property
    def checkpoints(self) -> Path:
        """What SageMaker keeps of a training that is interrupted, if it was asked to."""
        return self.base / "checkpoints"

    @property
    def hyperparameters(self) -> Path:
        """The training job's hyperparameters."""
        return self.base / "input" / "config" / "hyperparameters.json"

    def channel(self, name: str) -> Path:
        """Locate an input channel of a training job."""
        return self.base / "input" / "data" / name

    def processing_input(self, name: str) -> Path:
        """Locate an input of a processing job."""
        return self.base / "processing" / "input" / name

    def processing_output(self, name: str) -> Path:
        """Locate, and make where it is missing, an output of a processing job."""
        folder = self.base / "processing" / "output" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def data_files(folder: Path) -> list[Path]:
    """List the files of a channel or input, below it at any depth, in the order of their names.

    Raises
    ------
    ContainerError
        There are none.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    visible = [path for path in files if not path.name.startswith((".", "_"))]
    if not visible:
        raise ContainerError(f"input {folder.name!r}: no files: check the job's S3 URIs")
    return visible


def read_bytes(path: Path) -> bytes:
    """Read one expected file.

    Raises
    ------
    ContainerError
        It is not there.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise ContainerError(f"{shown(path)}: {reason}: check the job's inputs") from None


def shown(path: Path) -> str:
    """Name a file in a message: its input and itself, since the folders are only this job's."""
    return f"{path.parent.name}/{path.name}"
