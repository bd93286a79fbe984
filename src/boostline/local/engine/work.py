"""What kinds of jobs have in common, and in what they differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from boostline.contracts.archives import ArchiveError, pack
from boostline.contracts.uri import split_uri
from boostline.local.platform import Platform
from boostline.local.runners.base import ML, Call, Command, Program, Sink
from boostline.local.store.blobs import Blob
from boostline.local.store.objects import NoSuchBucket, NoSuchKey
from boostline.local.store.resources import Document

REASON_LENGTH = 1024  # characters of FailureReason
INTERNAL = "InternalServerError: see the platform's own log"
Staged: TypeAlias = tuple[str, str, Blob]  # bucket, key, content
NO_PROGRAM = -1  # a failed job's code where no program's end was the cause


class JobFailed(Exception):
    """Why a job fails: `reason` begins with `ClientError: ` or `AlgorithmError: `, as AWS's do."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason[:REASON_LENGTH]


@dataclass(frozen=True)
class Upload:
    """A folder of a job, and the S3 URI where it goes: packed as one archive, or each file."""

    path: Path
    uri: str
    packed: bool = False


def start(platform: Platform, command: Command, sink: Sink) -> Program:
    """Start a job's program, as most kinds of jobs do."""
    return platform.runner.start(command, sink)


@dataclass(frozen=True)
class Launch:
    """How a job's program starts: the call, variables of its own, folders it may only read.

    `start` starts it: what it returns ends with the job, and its exit code is the job's; see
    `NO_PROGRAM`.
    """

    call: Call
    environment: dict[str, str]
    read_only: tuple[str, ...] = ()
    start: Callable[[Platform, Command, Sink], Program] = start


class Work(Protocol):
    """A kind of job. `document` is what its Describe call answers; `ml` the program's `/opt/ml`."""

    stem: str
    """`Training` of `TrainingJobName`, `TrainingStartTime`, …; also its phase while it runs."""

    @property
    def kind(self) -> str:
        """Resource kind and part of the ARN, for example `training-job`."""
        return f"{self.stem.lower()}-job"

    @property
    def member(self) -> str:
        """What its members begin with: `TrainingJob` of `TrainingJobName`, `TrainingJobArn`."""
        return f"{self.stem}Job"

    @property
    def log_group(self) -> str:
        """The group of its logs."""
        return f"/aws/sagemaker/{self.stem}Jobs"

    def lay_out(self, platform: Platform, document: Document, ml: Path) -> None:
        """Make the folders and files that the program finds, inputs included."""

    def launch(self, document: Document) -> Launch:
        """Return how the program starts."""

    def message(self, ml: Path) -> str:
        """Return what the program left to say: its failure or its exit message, or nothing."""

    def uploads(self, document: Document, ml: Path, status: str) -> list[Upload]:
        """Return what is published when the job ends as `status`."""


def status_of(work: Work, document: Document) -> str:
    """Return a job's status."""
    return str(document[f"{work.member}Status"])


def call(image: str, given: Document, *default: str) -> Call:
    """Return how an image is called, with what a request has in place of its parts.

    `default` are the arguments that a request need not give; an entrypoint of its own drops them.
    """
    entrypoint, arguments = given.get("ContainerEntrypoint", ()), given.get("ContainerArguments")
    if arguments is None:
        arguments = () if entrypoint else default or None
    return Call(image, tuple(entrypoint), None if arguments is None else tuple(arguments))


def inside(ml: Path, local_path: str) -> Path:
    """Return where a path of the program's lies."""
    return ml / local_path.removeprefix(ML).lstrip("/")


def download(platform: Platform, uri: str, folder: Path, input_name: str) -> None:
    """Copy an input from S3 into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        platform.objects.download(uri, folder)
    except (NoSuchKey, NoSuchBucket):
        raise JobFailed(
            f"ClientError: No S3 objects found under S3 URL {uri!r} given in the input "
            f"{input_name!r}: the bucket and objects under this prefix must exist in "
            f"{platform.settings.region}"
        ) from None
    except ValueError as error:
        raise JobFailed(f"ClientError: input {input_name!r}: {error}") from None


def configure(folder: Path, **documents: Any) -> None:
    """Write documents as JSON files of a folder."""
    folder.mkdir(parents=True)
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document))


def stage(platform: Platform, upload: Upload, ml: Path) -> Iterator[Staged]:
    """Store the contents of an upload; their names are given when the job ends, all at once.

    Links and what is no file are left out.
    """
    bucket, prefix = split_uri(upload.uri)
    if upload.packed:
        archive = ml.parent / f"{upload.path.name}.tar.gz"
        try:
            pack(upload.path, archive)
        except ArchiveError as error:
            where = f"{ML}/{upload.path.relative_to(ml)}"
            raise JobFailed(f"ClientError: {where} cannot be packed: {error}") from None
        yield bucket, prefix, platform.blobs.add(archive)
        return
    for path in sorted(upload.path.rglob("*")):
        if path.is_file() and not path.is_symlink():
            below = path.relative_to(upload.path).as_posix()
            yield bucket, f"{prefix.rstrip('/')}/{below}".lstrip("/"), platform.blobs.add(path)


def head(path: Path, length: int) -> bytes:
    """Return the first bytes of a file, or none if it is not there."""
    try:
        with path.open("rb") as file:
            return file.read(length)
    except (FileNotFoundError, IsADirectoryError):
        return b""
