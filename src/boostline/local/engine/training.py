"""Training jobs: what the training container finds under `/opt/ml`, and what is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boostline.local.engine.work import (
    Launch,
    Upload,
    Work,
    call,
    configure,
    download,
    head,
    inside,
)
from boostline.local.platform import Platform
from boostline.local.store.resources import Document

FAILURE_LENGTH = 1024  # characters of /opt/ml/output/failure that are read
HOST, GROUP = "algo-1", "homogeneousCluster"


class Training(Work):
    """Training jobs; see `Work`. Source: "How Amazon SageMaker AI runs your training image"."""

    stem = "Training"

    def lay_out(self, platform: Platform, document: Document, ml: Path) -> None:
        """Write the configuration and download channels and checkpoints."""
        channels = document.get("InputDataConfig", [])
        configure(
            ml / "input/config",
            hyperparameters=document.get("HyperParameters", {}),
            inputdataconfig={c["ChannelName"]: _channel(c, document) for c in channels},
            resourceconfig=_resources(document["ResourceConfig"].get("InstanceType", "")),
        )
        for name in ("input/data", "model", "output/data"):
            (ml / name).mkdir(parents=True)
        for channel in channels:
            name = channel["ChannelName"]
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            download(platform, uri, ml / "input/data" / name, name)
        for path in sorted((ml / "input/data").rglob("*"), reverse=True):
            path.chmod(0o555 if path.is_dir() else 0o444)
        if checkpoints := document.get("CheckpointConfig"):
            folder = inside(ml, checkpoints["LocalPath"])
            folder.mkdir(parents=True, exist_ok=True)
            if any(platform.objects.below(checkpoints["S3Uri"])):
                download(platform, checkpoints["S3Uri"], folder, "checkpoints")

    def launch(self, document: Document) -> Launch:
        """Return the image's command with `train`, or what the request has in its place."""
        algorithm = document["AlgorithmSpecification"]
        environment = {
            "TRAINING_JOB_NAME": document["TrainingJobName"],
            "TRAINING_JOB_ARN": document["TrainingJobArn"],
            **document.get("Environment", {}),
        }
        called = call(algorithm["TrainingImage"], algorithm, "train")
        return Launch(called, environment, ("input/data",))

    def message(self, ml: Path) -> str:
        """Return the beginning of `/opt/ml/output/failure`."""
        text = head(ml / "output/failure", 4 * FAILURE_LENGTH).decode("utf-8", "replace")
        return text[:FAILURE_LENGTH].strip()

    def uploads(self, document: Document, ml: Path, status: str) -> list[Upload]:
        """Return model and output data of a job that completed or was stopped, and checkpoints."""
        found = []
        if checkpoints := document.get("CheckpointConfig"):
            found.append(Upload(inside(ml, checkpoints["LocalPath"]), checkpoints["S3Uri"]))
        if status == "Failed":
            return found
        model = document["ModelArtifacts"]["S3ModelArtifacts"]
        found.append(Upload(ml / "model", model, packed=True))
        if any(path.is_file() for path in (ml / "output/data").rglob("*")):
            uri = f"{model.removesuffix('model.tar.gz')}output.tar.gz"
            found.append(Upload(ml / "output/data", uri, packed=True))
        return found


def artifacts_uri(request: Document) -> str:
    """Return where a job's model goes."""
    folder = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    return f"{folder}/{request['TrainingJobName']}/output/model.tar.gz"


def _channel(channel: Document, document: Document) -> dict[str, Any]:
    mode = channel.get("InputMode") or document["AlgorithmSpecification"]["TrainingInputMode"]
    source = channel["DataSource"]["S3DataSource"]
    shown = {
        "TrainingInputMode": mode,
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return shown | {key: channel[key] for key in ("ContentType",) if key in channel}


def _resources(instance: str) -> dict[str, Any]:
    group = {"instance_group_name": GROUP, "instance_type": instance, "hosts": [HOST]}
    return {
        "current_host": HOST,
        "current_instance_type": instance,
        "current_group_name": GROUP,
        "hosts": [HOST],
        "instance_groups": [group],
        "network_interface_name": "lo",
    }
