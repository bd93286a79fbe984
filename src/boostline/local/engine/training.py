"""Training jobs: what the training container finds under `/opt/ml`, and what is kept of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from boostline.contracts.archives import ArchiveError, pack
from boostline.local.engine.work import (
    Document,
    JobFailed,
    Launch,
    Upload,
    download,
    head,
    make_read_only,
)
from boostline.local.platform import Platform
from boostline.local.runners.base import ML
from boostline.local.runners.images import command_line, resolve

FAILURE_LENGTH = 1024  # characters of /opt/ml/output/failure that are read


class Training:
    """Training jobs; see `Work`. Source: "How Amazon SageMaker AI runs your training image"."""

    kind = "training-job"
    member = "TrainingJob"
    stem = "Training"
    log_group = "/aws/sagemaker/TrainingJobs"

    def lay_out(self, platform: Platform, document: Document, ml: Path) -> None:
        """Write the configuration and download channels and checkpoints."""
        config = ml / "input/config"
        for folder in (config, ml / "input/data", ml / "model", ml / "output/data"):
            folder.mkdir(parents=True)
        channels = document.get("InputDataConfig", [])
        for name, content in {
            "hyperparameters": document.get("HyperParameters", {}),
            "inputdataconfig": {c["ChannelName"]: _channel(c, document) for c in channels},
            "resourceconfig": _resources(document["ResourceConfig"]),
        }.items():
            (config / f"{name}.json").write_text(json.dumps(content))
        for channel in channels:
            name = channel["ChannelName"]
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            download(platform, uri, ml / "input/data" / name, name)
        make_read_only(ml / "input/data")
        if checkpoints := document.get("CheckpointConfig"):
            folder = _inside(ml, checkpoints["LocalPath"])
            folder.mkdir(parents=True, exist_ok=True)
            if any(platform.objects.below(checkpoints["S3Uri"])):
                download(platform, checkpoints["S3Uri"], folder, "checkpoints")

    def launch(self, platform: Platform, document: Document) -> Launch:
        """Return the image's command with `train`, or what the request has in its place."""
        algorithm = document["AlgorithmSpecification"]
        argv = command_line(
            resolve(platform.settings.images, algorithm["TrainingImage"]),
            ("train",),
            algorithm.get("ContainerEntrypoint"),
            algorithm.get("ContainerArguments"),
        )
        environment = {
            "TRAINING_JOB_NAME": document["TrainingJobName"],
            "TRAINING_JOB_ARN": document["TrainingJobArn"],
            **document.get("Environment", {}),
        }
        return Launch(argv, environment, ("input/data",))

    def message(self, ml: Path) -> str:
        """Return the beginning of `/opt/ml/output/failure`."""
        text = head(ml / "output/failure", 4 * FAILURE_LENGTH).decode("utf-8", "replace")
        return text[:FAILURE_LENGTH].strip()

    def uploads(self, document: Document, ml: Path, status: str) -> list[Upload]:
        """Return model and output data of a job that completed or was stopped, and checkpoints."""
        found = []
        if checkpoints := document.get("CheckpointConfig"):
            found.append(Upload(_inside(ml, checkpoints["LocalPath"]), checkpoints["S3Uri"]))
        if status == "Failed":
            return found
        compressed = document["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP"
        model = document["ModelArtifacts"]["S3ModelArtifacts"]
        output = model.rstrip("/").rpartition("/")[0] + "/output"
        sources = [(ml / "model", model)]
        if any(path.is_file() for path in (ml / "output/data").rglob("*")):
            sources.append((ml / "output/data", f"{output}.tar.gz" if compressed else output))
        for source, uri in sources:
            path = _packed(source, ml.parent) if compressed else source
            found.append(Upload(path, uri))
        return found

    def buckets(self, document: Document) -> list[str]:
        """Return where the model goes."""
        return [document["OutputDataConfig"]["S3OutputPath"]]


def artifacts_uri(request: Document) -> str:
    """Return where a job's model goes."""
    output = request["OutputDataConfig"]
    stem = f"{output['S3OutputPath'].rstrip('/')}/{request['TrainingJobName']}/output/model"
    return f"{stem}/" if output.get("CompressionType") == "NONE" else f"{stem}.tar.gz"


def _packed(source: Path, folder: Path) -> Path:
    archive = folder / f"{source.name}.tar.gz"
    try:
        pack(source, archive)
    except ArchiveError as error:
        where = f"{ML}/{source.name if source.name == 'model' else 'output/data'}"
        raise JobFailed(f"ClientError: {where} cannot be packed: {error}") from None
    return archive


def _inside(ml: Path, local_path: str) -> Path:
    return ml / local_path.removeprefix(ML).lstrip("/")


def _channel(channel: Document, document: Document) -> dict[str, Any]:
    mode = channel.get("InputMode") or document["AlgorithmSpecification"]["TrainingInputMode"]
    source = channel["DataSource"]["S3DataSource"]
    shown = {
        "TrainingInputMode": mode,
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    if "ContentType" in channel:
        shown["ContentType"] = channel["ContentType"]
    return shown


def _resources(config: Document) -> dict[str, Any]:
    instance, host = config.get("InstanceType", ""), "algo-1"
    group = {
        "instance_group_name": "homogeneousCluster",
        "instance_type": instance,
        "hosts": [host],
    }
    return {
        "current_host": host,
        "current_instance_type": instance,
        "current_group_name": "homogeneousCluster",
        "hosts": [host],
        "instance_groups": [group],
        "network_interface_name": "lo",
    }
