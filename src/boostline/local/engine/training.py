"""Training jobs: what the training container finds under `/opt/ml`, and what is kept of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from boostline.contracts.archives import ArchiveError, pack
from boostline.local.engine.work import (
    JobFailed,
    Launch,
    Upload,
    call,
    download,
    head,
    inside,
)
from boostline.local.platform import Platform
from boostline.local.runners.base import ML
from boostline.local.store.resources import Document

FAILURE_LENGTH = 1024  # characters of /opt/ml/output/failure that are read
HOST, GROUP = "algo-1", "homogeneousCluster"


class Training:
    """Training jobs; see `Work`. Source: "How Amazon SageMaker AI runs your training image"."""

    kind = "training-job"
    member = "TrainingJob"
    stem = "Training"
    log_group = "/aws/sagemaker/TrainingJobs"

    def lay_out(self, platform: Platform, document: Document, ml: Path) -> None:
        """Write the configuration and download channels and checkpoints."""
        for name in ("input/config", "input/data", "model", "output/data"):
            (ml / name).mkdir(parents=True)
        channels = document.get("InputDataConfig", [])
        for name, content in {
            "hyperparameters": document.get("HyperParameters", {}),
            "inputdataconfig": {c["ChannelName"]: _channel(c, document) for c in channels},
            "resourceconfig": _resources(document["ResourceConfig"].get("InstanceType", "")),
        }.items():
            (ml / f"input/config/{name}.json").write_text(json.dumps(content))
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

    def launch(self, platform: Platform, document: Document) -> Launch:  # noqa: ARG002
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
        compressed = document["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP"
        model = document["ModelArtifacts"]["S3ModelArtifacts"]
        output = model.rstrip("/").rpartition("/")[0] + "/output"
        sources = {"model": model}
        if any(path.is_file() for path in (ml / "output/data").rglob("*")):
            sources["output/data"] = f"{output}.tar.gz" if compressed else output
        for name, uri in sources.items():
            found.append(Upload(_packed(ml, name) if compressed else ml / name, uri))
        return found

    def buckets(self, document: Document) -> list[str]:
        """Return where the model goes."""
        return [document["OutputDataConfig"]["S3OutputPath"]]


def artifacts_uri(request: Document) -> str:
    """Return where a job's model goes."""
    output = request["OutputDataConfig"]
    stem = f"{output['S3OutputPath'].rstrip('/')}/{request['TrainingJobName']}/output/model"
    return f"{stem}/" if output.get("CompressionType") == "NONE" else f"{stem}.tar.gz"


def _packed(ml: Path, name: str) -> Path:
    archive = ml.parent / f"{Path(name).name}.tar.gz"
    try:
        pack(ml / name, archive)
    except ArchiveError as error:
        raise JobFailed(f"ClientError: {ML}/{name} cannot be packed: {error}") from None
    return archive


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
