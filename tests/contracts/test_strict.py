from __future__ import annotations

import io
from typing import Any

import boto3
import pytest

from boostline.contracts.models import service_model
from boostline.contracts.patterns import CORRECTED, compiled
from boostline.contracts.strict import StrictError, check, install, message, problems

ROLE = "arn:aws:iam::000000000000:role/r"
JOB: dict[str, Any] = {
    "TrainingJobName": "job-1",
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}},
        }
    ],
    "Tags": [{"Key": "owner", "Value": "Zoë 中 @team"}],
}


def one(**changes: Any) -> str:
    """Return the one problem of the job with these changes."""
    (found,) = problems("sagemaker", "CreateTrainingJob", {**JOB, **changes})
    return found


def test_a_good_request_has_no_problem() -> None:
    assert problems("sagemaker", "CreateTrainingJob", JOB) == []
    check("sagemaker", "CreateTrainingJob", JOB)
    assert problems("s3", "ListBuckets", {}) == []


def test_each_constraint_is_told_in_awss_words() -> None:
    assert one(TrainingJobName="a_b") == (
        "Value 'a_b' at 'trainingJobName' failed to satisfy constraint: Member must satisfy "
        "regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    )
    assert one(OutputDataConfig=None) == (
        "Value null at 'outputDataConfig' failed to satisfy constraint: Member must not be null"
    )
    resources = JOB["ResourceConfig"]
    enum = one(ResourceConfig={**resources, "InstanceType": "ml.m5d.tiny"})
    assert enum.startswith(
        "Value 'ml.m5d.tiny' at 'resourceConfig.instanceType' failed to satisfy constraint: "
        "Member must satisfy enum value set: [ml.m4.xlarge, "
    )
    low = one(StoppingCondition={"MaxRuntimeInSeconds": 0})
    assert low.endswith("Member must have value greater than or equal to 1")
    many = one(InputDataConfig=JOB["InputDataConfig"] * 21)
    assert many.endswith("Member must have length less than or equal to 20")
    bad = [*JOB["InputDataConfig"], {**JOB["InputDataConfig"][0], "ChannelName": "a b"}]
    assert "at 'inputDataConfig.2.member.channelName' failed" in one(InputDataConfig=bad)
    long = one(HyperParameters={"k": "v" * 2_501})
    assert "at 'hyperParameters.k.member' failed" in long


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"RoleArn": 7}, "type string"),
        ({"EnableNetworkIsolation": "yes"}, "type boolean"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": True}}, "type integer"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 1.5}}, "type integer"),
        ({"StoppingCondition": []}, "type structure"),
        ({"InputDataConfig": {}}, "type list"),
        ({"HyperParameters": []}, "type map"),
        ({"Nonsense": 1}, "one of [AlgorithmSpecification, "),
        ({"CheckpointConfig": {"S3Uri": None}}, "must not be null"),
        ({"Environment": None}, "must not be null"),
    ],
)
def test_types_and_names_are_checked(changes: dict[str, Any], wanted: str) -> None:
    assert wanted in one(**changes)


def test_problems_become_one_message() -> None:
    assert message(["a", "b"]) == "2 validation errors detected: a; b"
    with pytest.raises(StrictError, match="sagemaker:DescribeModel: 1 validation error detected"):
        check("sagemaker", "DescribeModel", {})


def test_what_is_secret_is_not_shown() -> None:
    (found,) = problems(
        "sagemaker-runtime",
        "InvokeEndpoint",
        {"EndpointName": "e", "Body": b"x", "CustomAttributes": "secret ü"},
    )
    assert "secret" not in found
    assert "Value ***" in found


def test_payloads_may_be_as_large_as_the_guide_says() -> None:
    # https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-options.html
    def invoke(size: int) -> list[str]:
        body = {"EndpointName": "e", "Body": b"x" * size}
        return problems("sagemaker-runtime", "InvokeEndpoint", body)

    assert invoke(25 << 20) == []
    assert "less than or equal to 26214400" in invoke((25 << 20) + 1)[0]


def test_a_file_may_be_a_blob() -> None:
    put = {"Bucket": "b", "Key": "k", "Body": io.BytesIO()}
    assert problems("s3", "PutObject", put) == []
    invoke = {"EndpointName": "e", "Body": io.BytesIO()}
    assert problems("sagemaker-runtime", "InvokeEndpoint", invoke) == []
    (found,) = problems("sagemaker-runtime", "InvokeEndpoint", {**invoke, "Body": 7})
    assert "type blob" in found


def test_clients_and_sessions_check_before_they_send() -> None:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    nowhere = "http://127.0.0.1:1"
    client = session.client("sagemaker", endpoint_url=nowhere)
    install(client)
    with pytest.raises(StrictError, match="DescribeModel"):
        client.describe_model(ModelName="under_score")
    install(session)
    with pytest.raises(StrictError, match="at 'pipelineName' failed"):
        session.client("sagemaker", endpoint_url=nowhere).create_pipeline(
            PipelineName="a b", PipelineDefinition="{}", RoleArn=ROLE
        )


def test_a_token_that_botocore_adds_is_not_missed() -> None:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    client = session.client("sagemaker", endpoint_url="http://127.0.0.1:1")
    install(client)
    seen: list[Any] = []

    def stop(params: Any, **_: Any) -> None:
        seen.append(params)
        raise InterruptedError

    client.meta.events.register_last("before-call", stop)
    with pytest.raises(InterruptedError):
        client.create_pipeline(PipelineName="a", PipelineDefinition="{}", RoleArn=ROLE)
    assert b"ClientRequestToken" in seen[0]["body"]


SERVICES = ["apigateway", "iam", "lambda", "logs", "s3", "sagemaker", "sagemaker-runtime", "sts"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_pattern_of_the_services_compiles(service: str) -> None:
    model = service_model(service)
    shapes = [model.shape_for(name) for name in model.shape_names]
    patterns = {shape.metadata.get("pattern") for shape in shapes} - {None}
    for pattern in patterns:
        compiled(pattern)


def test_each_corrected_pattern_is_still_needed() -> None:
    models = [service_model(service) for service in SERVICES]
    shapes = [model.shape_for(name) for model in models for name in model.shape_names]
    assert CORRECTED.keys() <= {shape.metadata.get("pattern") for shape in shapes}


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Zoë 中 1/2=@", "a|b"),
        (r"\p{ASCII}*", "a~\x00", "é"),
        (r"\A\S[\p{Print}]*\z", "a b", "a\n"),
        (r"[\w-_]*", "a-_1", "é"),
        (r"\d+", "12", "١٢"),
        ("[a-z]+$", "abc", "abc\n"),
        (r"arn:[\p{Alnum}\-]+", "arn:aws-cn", "arn:aws_"),
    ],
)
def test_patterns_mean_what_they_mean_in_java(pattern: str, good: str, bad: str) -> None:
    assert compiled(pattern).fullmatch(good)
    assert not compiled(pattern).fullmatch(bad)
