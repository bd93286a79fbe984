"""From a project to its pipeline definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boostline.contracts.pipeline import (
    CacheConfig,
    Condition,
    ConditionArguments,
    Fail,
    FailArguments,
    GreaterThanOrEqualTo,
    Json,
    LessThanOrEqualTo,
    Parameter,
    PipelineDefinition,
    Processing,
    PropertyFile,
    RegisterModel,
    RetryPolicy,
    Training,
    Value,
    get,
    join,
    json_get,
)
from boostline.project.config import Config, Gate, Job

PROCESSING = "/opt/ml/processing"
EVALUATION = "evaluation.json"
REPORT = "report.html"
CHAMPION = "ChampionModelUri"
SPLITS = ("train", "validation", "test")
MEDIA_TYPES = ["text/csv", "application/json", "application/jsonlines"]
CACHE = CacheConfig(enabled=True, expire_after="P30D")
RETRIES = [
    RetryPolicy(
        exception_type=["Step.SERVICE_FAULT", "Step.THROTTLING"],
        interval_seconds=5,
        max_attempts=3,
    ),
    RetryPolicy(
        exception_type=["SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"],
        interval_seconds=60,
        max_attempts=3,
    ),
]


@dataclass(frozen=True)
class Place:
    """Where a pipeline runs and keeps its things: S3 URIs carry the digest of what they name.

    `config_uri` is the processing job's configuration, `evaluation_uri` that of the evaluation,
    `champion_uri` says that there is no champion, and `code` has the user's own files, by the
    program that reads them. Without a `key` SageMaker takes one that no other account can use,
    whatever the bucket has.
    """

    role: str
    image: str
    bucket: str
    data_uri: str
    config_uri: str
    evaluation_uri: str
    champion_uri: str
    code: Mapping[str, str]
    key: str | None = None


def build(config: Config, place: Place) -> PipelineDefinition:
    """Return the definition: process, train, evaluate, a check for each gate, and registration.

    Nothing registers in any order of execution, since RegisterModel stands in the branch of a
    Condition that lists every gate; the gates' own Conditions say which one failed.
    """
    return PipelineDefinition(
        parameters=_parameters(config, place),
        steps=[
            _process(config, place),
            _train(config, place),
            _evaluate(config, place),
            *(_gate(config, gate) for gate in config.gate),
            _register(config, place),
        ],
    )


def _parameters(config: Config, place: Place) -> list[Parameter]:
    jobs = {"Processing": config.process, "Training": config.train, "Evaluation": config.evaluate}
    found = [
        Parameter(name="InputDataUri", type="String", default_value=place.data_uri),
        Parameter(
            name="ModelApprovalStatus",
            type="String",
            default_value="PendingManualApproval",
            enum_values=["PendingManualApproval", "Approved"],
        ),
    ]
    if config.compares:
        found.append(Parameter(name=CHAMPION, type="String", default_value=place.champion_uri))
    for name, job in jobs.items():
        found += [
            Parameter(name=f"{name}InstanceType", type="String", default_value=job.instance_type),
            Parameter(
                name=f"{name}InstanceCount", type="Integer", default_value=job.instance_count
            ),
        ]
    return found


def _process(config: Config, place: Place) -> Processing:
    outputs = (*SPLITS, "rows", "contract", "summary")
    return Processing(
        name="Process",
        arguments=_processing_arguments(
            config,
            place,
            program="process",
            job=config.process,
            instances="Processing",
            inputs={
                "data": get("Parameters.InputDataUri"),
                "config": place.config_uri,
                **_code(place, "process"),
            },
            outputs=outputs,
        ),
        cache_config=CACHE,
        retry_policies=RETRIES,
    )


def _train(config: Config, place: Place) -> Training:
    channels: dict[str, Value] = {
        **{name: output("Process", name) for name in ("train", "validation", "contract")},
        **_code(place, "train"),
    }
    hyperparameters = {"flavor": config.train.flavor, **config.train.hyperparameters}
    return Training(
        name="Train",
        arguments={
            "AlgorithmSpecification": {
                "TrainingImage": place.image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [
                    {"Name": f"{split}:logloss", "Regex": rf"{split}-m?logloss:([0-9.eE+-]+)"}
                    for split in ("train", "validation")
                ],
            },
            "HyperParameters": {name: _text(value) for name, value in hyperparameters.items()},
            "InputDataConfig": [_channel(name, uri) for name, uri in channels.items()],
            "OutputDataConfig": {
                "S3OutputPath": _outputs(place, config, "train"),
                **({"KmsKeyId": place.key} if place.key else {}),
            },
            "ResourceConfig": {
                **_instances("Training"),
                "VolumeSizeInGB": 30,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": config.train.max_runtime_seconds},
            "RoleArn": place.role,
            "Tags": config.tagging,
        },
        cache_config=CACHE,
        retry_policies=RETRIES,
    )


def _evaluate(config: Config, place: Place) -> Processing:
    return Processing(
        name="Evaluate",
        arguments=_processing_arguments(
            config,
            place,
            program="evaluate",
            job=config.evaluate,
            instances="Evaluation",
            inputs={
                "model": get("Steps.Train.ModelArtifacts.S3ModelArtifacts"),
                "test": output("Process", "test"),
                "rows": output("Process", "rows"),
                "config": place.evaluation_uri,
                **({"champion": get(f"Parameters.{CHAMPION}")} if config.compares else {}),
                **_code(place, "evaluate"),
            },
            outputs=("evaluation", "report"),
        ),
        property_files=[
            PropertyFile(
                property_file_name="Evaluation", output_name="evaluation", file_path=EVALUATION
            )
        ],
        cache_config=CACHE,
        retry_policies=RETRIES,
    )


def _gate(config: Config, gate: Gate) -> Condition:
    return Condition(
        name=f"Gate-{gate.metric}-{gate.kind}",
        arguments=ConditionArguments(
            conditions=[_condition(config, gate)],
            else_steps=[
                Fail(
                    name=f"Fail-{gate.metric}-{gate.kind}",
                    arguments=FailArguments(
                        error_message=f"the gate {gate} does not hold on the test split: "
                        "no model was registered"
                    ),
                )
            ],
        ),
    )


def _register(config: Config, place: Place) -> Condition:
    return Condition(
        name="All-gates-hold",
        arguments=ConditionArguments(
            conditions=[_condition(config, gate) for gate in config.gate],
            if_steps=[
                RegisterModel(
                    name="Register",
                    arguments=_package(config, place),
                    retry_policies=RETRIES[:1],
                )
            ],
        ),
    )


def _package(config: Config, place: Place) -> Json:
    report = join("/", output("Evaluate", "evaluation"), EVALUATION)
    return {
        "ModelPackageGroupName": config.name,
        "ModelPackageDescription": config.project.description or config.name,
        "ModelApprovalStatus": get("Parameters.ModelApprovalStatus"),
        "ModelMetrics": {
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": report}}
        },
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": place.image,
                    "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts"),
                }
            ],
            "SupportedContentTypes": [*MEDIA_TYPES, "application/vnd.apache.parquet"],
            "SupportedResponseMIMETypes": MEDIA_TYPES,
            "SupportedRealtimeInferenceInstanceTypes": [config.deploy.instance_type],
            "SupportedTransformInstanceTypes": [config.deploy.instance_type],
        },
    }


def _condition(config: Config, gate: Gate) -> GreaterThanOrEqualTo | LessThanOrEqualTo:
    kind = GreaterThanOrEqualTo if gate.kind == "min" else LessThanOrEqualTo
    value = json_get("Evaluate", "Evaluation", gate.path(config.data.objective))
    return kind(left_value=value, right_value=gate.bound)


def _processing_arguments(
    config: Config,
    place: Place,
    *,
    program: str,
    job: Job,
    instances: str,
    inputs: dict[str, Value],
    outputs: tuple[str, ...],
) -> Json:
    return {
        "AppSpecification": {"ImageUri": place.image, "ContainerArguments": [program]},
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{PROCESSING}/input/{name}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for name, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": name,
                    "S3Output": {
                        "S3Uri": _outputs(place, config, program, name),
                        "LocalPath": f"{PROCESSING}/output/{name}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for name in outputs
            ]
        },
        "ProcessingResources": {"ClusterConfig": {**_instances(instances), "VolumeSizeInGB": 30}},
        "StoppingCondition": {"MaxRuntimeInSeconds": job.max_runtime_seconds},
        "RoleArn": place.role,
        "Tags": config.tagging,
    }


def _code(place: Place, program: str) -> dict[str, Value]:
    return {"code": place.code[program]} if program in place.code else {}


def output(step: str, name: str) -> Json:
    """Return the function that reads where a processing step's output lies in S3."""
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri")


def _outputs(place: Place, config: Config, *path: str) -> Json:
    """Return a folder of this execution alone: no run overwrites what another one reads."""
    root = f"s3://{place.bucket}/{config.name}/executions"
    return join("/", root, get("Execution.PipelineExecutionId"), *path)


def _instances(role: str) -> Json:
    return {
        "InstanceType": get(f"Parameters.{role}InstanceType"),
        "InstanceCount": get(f"Parameters.{role}InstanceCount"),
    }


def _channel(name: str, uri: Value) -> Json:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def _text(value: Any) -> str:
    """Write a hyperparameter as SageMaker takes it: a string, truth as in JSON."""
    return str(value).lower() if isinstance(value, bool) else str(value)
