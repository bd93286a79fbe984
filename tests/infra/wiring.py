"""What linters miss: that resources, outputs and what stands outside name each other rightly."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.infra import account, pipeline, project, serving
from tests.infra.cases import BUCKET
from tests.infra.names import attribute, ref
from tests.infra.rendering import ACCOUNT, REGION, Rendered

OWN = {
    module.__name__.rpartition(".")[2]: module for module in (account, pipeline, project, serving)
}
# What the commands read of a stack: output → what it must be.
OUTPUTS: dict[str, dict[str, Callable[[Rendered], object]]] = {
    "account": {
        "BucketName": lambda it: it.parameters["BucketName"] or BUCKET,
        "ModelRepositoryUri": lambda _: f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/boostline-model",
        "GatewayRepositoryUri": lambda _: (
            f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/boostline-gateway"
        ),
        "DeployerPolicyArn": lambda it: ref(it, "DeployerPolicy"),
        "DeployerRoleArn": lambda it: attribute(it, "DeployerRole", "Arn"),
        "ProdDeployerRoleArn": lambda it: attribute(it, "ProdDeployerRole", "Arn"),
        "StageRoleArn": lambda it: attribute(it, "StageRole", "Arn"),
    },
    "pipeline": {
        "TrainingPipeline": lambda _: "churn-training",
        "DeliveryPipeline": lambda _: "churn-delivery",
    },
    "project": {
        "PipelineRoleArn": lambda it: attribute(it, "PipelineRole", "Arn"),
        "ServingRoleArn": lambda it: attribute(it, "ServingRole", "Arn"),
        "FunctionRoleArn": lambda it: attribute(it, "FunctionRole", "Arn"),
        "ModelPackageGroupName": lambda it: it.resources["ModelPackageGroup"].physical,
    },
    "serving": {
        "ApiUrl": lambda it: (
            f"https://{ref(it, 'Api')}.execute-api.{REGION}.amazonaws.com/{it.parameters['Stage']}"
        ),
        "ApiId": lambda it: ref(it, "Api"),
        "ApiKeyId": lambda it: ref(it, "ApiKey"),
        "EndpointName": lambda it: f"churn--{it.parameters['Stage']}",
        "EndpointConfigName": lambda it: attribute(it, "EndpointConfig", "EndpointConfigName"),
        "FunctionName": lambda it: f"churn--{it.parameters['Stage']}",
        "ModelPackageArn": lambda it: it.parameters["ModelPackageArn"],
        "ApiDocument": lambda it: it.parameters["ApiDocument"],
        "ApiRevision": lambda it: it.parameters["ApiRevision"],
    },
}


def problems(name: str, rendered: Rendered) -> Iterator[str]:
    """Say which names do not lead to where they must, and what is missing altogether."""
    expected = {
        output: value
        for output, make in OUTPUTS[name].items()
        if (value := _made(make, rendered)) is not None
    }
    if rendered.outputs != expected:
        yield f"outputs are {rendered.outputs}, not {expected}"
    yield from OWN[name].problems(rendered)


def _made(make: Callable[[Rendered], object], rendered: Rendered) -> object:
    try:
        return make(rendered)
    except KeyError:  # what it names is not there under these conditions
        return None
