"""Pipelines of small programs: data, a model as long as its hyperparameters say, its length."""

from __future__ import annotations

import json
from typing import Any

from boostline.contracts.pipeline import get, join, json_get
from tests.local.services.sagemaker_bench import ROLE, Bench, image

CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}


def prepare(bench: Bench) -> Bench:
    """Write the programs and the data."""
    bench.program(
        "process",
        """
        data = (base / "processing/input/data/data.csv").read_text()
        (base / "processing/output/train/train.csv").write_text(data.upper())
        """,
    )
    bench.program(
        "train",
        """
        text = (base / "input/data/train/train.csv").read_text()
        rounds = json.loads((base / "input/config/hyperparameters.json").read_text())["rounds"]
        (base / "model/model.txt").write_text(text * int(rounds))
        """,
    )
    bench.program(
        "evaluate",
        """
        import tarfile
        with tarfile.open(base / "processing/input/model/model.tar.gz") as archive:
            model = archive.extractfile("model.txt").read().decode()
        metrics = {"metrics": {"length": {"value": len(model)}, "nan": float("nan"), "text": "1"}}
        (base / "processing/output/evaluation/evaluation.json").write_text(json.dumps(metrics))
        """,
    )
    bench.put("data.csv", b"abc")
    return bench


def processing(
    name: str, program: str, inputs: dict[str, Any], outputs: dict[str, str], **members: Any
) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": image(program)},
            "RoleArn": ROLE,
            "ProcessingResources": {"ClusterConfig": CLUSTER},
            "ProcessingInputs": [
                {
                    "InputName": key,
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": f"/opt/ml/processing/input/{key}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for key, uri in inputs.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": key,
                        "S3Output": {
                            "S3Uri": join(
                                "/", f"s3://bench/{uri}", get("Execution.PipelineExecutionId")
                            ),
                            "LocalPath": f"/opt/ml/processing/output/{key}",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                    for key, uri in outputs.items()
                ]
            },
        },
        **members,
    }


def training(**members: Any) -> dict[str, Any]:
    output = "Steps.Process.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"
    return {
        "Name": "Train",
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {
                "TrainingImage": image("train"),
                "TrainingInputMode": "File",
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": "s3://bench/models"},
            "ResourceConfig": CLUSTER,
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "HyperParameters": {"rounds": join("", get("Parameters.Rounds"))},
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "S3DataSource": {"S3Uri": get(output), "S3DataType": "S3Prefix"}
                    },
                }
            ],
        },
        **members,
    }


def gate(name: str, path: str, bound: Any, then: list[Any], otherwise: list[Any]) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                {
                    "Type": "GreaterThanOrEqualTo",
                    "LeftValue": json_get("Evaluate", "Report", path),
                    "RightValue": bound,
                }
            ],
            "IfSteps": then,
            "ElseSteps": otherwise,
        },
    }


REGISTER = {
    "Name": "Register",
    "Type": "RegisterModel",
    "Arguments": {
        "ModelPackageGroupName": "churn",
        "ModelApprovalStatus": get("Parameters.Approval"),
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": image("serve"),
                    "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts"),
                }
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    },
}
TOO_SHORT = {
    "Name": "TooShort",
    "Type": "Fail",
    "Arguments": {
        "ErrorMessage": join(
            " ",
            "length",
            json_get("Evaluate", "Report", "metrics.length.value"),
            "is below",
            get("Parameters.Bound"),
        )
    },
}


def definition(path: str = "metrics.length.value", **changes: Any) -> str:
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Metadata": {},
            "Parameters": [
                {"Name": "Rounds", "Type": "Integer", "DefaultValue": 3},
                {"Name": "Bound", "Type": "Float", "DefaultValue": 5.0},
                {
                    "Name": "Approval",
                    "Type": "String",
                    "DefaultValue": "PendingManualApproval",
                    "EnumValues": ["PendingManualApproval", "Approved"],
                },
            ],
            "PipelineExperimentConfig": {"ExperimentName": get("Execution.PipelineName")},
            "Steps": [
                # Against the order in which they can run.
                gate("Gate", path, get("Parameters.Bound"), [REGISTER], [TOO_SHORT]),
                processing(
                    "Evaluate",
                    "evaluate",
                    {"model": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")},
                    {"evaluation": "evaluation"},
                    PropertyFiles=[
                        {
                            "PropertyFileName": "Report",
                            "OutputName": "evaluation",
                            "FilePath": "evaluation.json",
                        }
                    ],
                ),
                training(),
                processing(
                    "Process", "process", {"data": "s3://bench/data.csv"}, {"train": "train"}
                ),
            ],
        }
        | changes
    )


def create(bench: Bench, text: str, name: str = "pipe") -> str:
    answer = bench.sagemaker.create_pipeline(
        PipelineName=name,
        PipelineDefinition=text,
        RoleArn=ROLE,
        Tags=[{"Key": "team", "Value": "churn"}],
    )
    return str(answer["PipelineArn"])


def run(bench: Bench, **parameters: str) -> dict[str, Any]:
    arn = bench.sagemaker.start_pipeline_execution(
        PipelineName="pipe",
        PipelineParameters=[{"Name": n, "Value": v} for n, v in parameters.items()],
    )["PipelineExecutionArn"]
    return bench.settled(
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        "PipelineExecutionStatus",
    )


def steps(bench: Bench, execution: dict[str, Any]) -> dict[str, Any]:
    pages = bench.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution["PipelineExecutionArn"]
    )
    return {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}
