"""Endpoint, function and REST API of a model, made by plain calls: no stack, no key, no limits."""

import json
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from benchmarks.programs import EXAMPLE, lay_process, lay_train, read_example, run
from boostline.artifact.folder import Artifact, open_artifact
from boostline.contracts.archives import pack
from boostline.deploy.bundle import INSTALLED, build
from boostline.features.contract import FeatureContract

NAME = "churn--bench"
ROLE = "arn:aws:iam::000000000000:role/boostline"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/boostline-model:1"
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
FAST = {"Delay": 0.1, "MaxAttempts": 1000}


def train(root: Path, features: dict[str, Any], **hyperparameters: str) -> Artifact:
    """Train on the churn table, with the example's features changed."""
    example, data = read_example(), [EXAMPLE / "data/churn.csv"]
    lay_process(root / "process", data, example.features | features, example.split)
    _must("process", root)
    lay_train(root / "train", root / "process", example.hyperparameters | hyperparameters)
    _must("train", root)
    return open_artifact(root / "train" / "model")


def _must(program: str, root: Path) -> None:
    done = run(program, root / program)
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr}")


class Stage:
    """A stage on the local platform.

    Parameters
    ----------
    client
        Makes a client of an AWS service.
    endpoint
        Where the platform answers.
    """

    def __init__(self, client: Callable[[str], Any], endpoint: str) -> None:
        self._s3, self._sagemaker = client("s3"), client("sagemaker")
        self._lambda, self._gateway = client("lambda"), client("apigateway")
        self._endpoint = endpoint
        self._s3.create_bucket(Bucket="stage")

    def serve(self, version: str, artifact: Artifact) -> None:
        """Serve an artifact on the endpoint, made or updated; it answers as this version."""
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "model.tar.gz")
            pack(artifact.folder, archive)
            self._s3.upload_file(str(archive), "stage", f"{version}/model.tar.gz")
        container = {
            "Image": IMAGE,
            "ModelDataUrl": f"s3://stage/{version}/model.tar.gz",
            "Environment": {"BOOSTLINE_MODEL_VERSION": version},
        }
        self._sagemaker.create_model(
            ModelName=version, ExecutionRoleArn=ROLE, PrimaryContainer=container
        )
        variant = {"VariantName": "AllTraffic", "ModelName": version, "InitialInstanceCount": 1}
        self._sagemaker.create_endpoint_config(
            EndpointConfigName=version,
            ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}],
        )
        there = self._sagemaker.list_endpoints(NameContains=NAME)["Endpoints"]
        act = self._sagemaker.update_endpoint if there else self._sagemaker.create_endpoint
        act(EndpointName=NAME, EndpointConfigName=version)
        self._sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=NAME, WaiterConfig=FAST)

    def function(self, contract: FeatureContract, **variables: str) -> None:
        """Make the function, or give it another contract."""
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "gateway.zip")
            build(contract.to_json(), archive, INSTALLED, RUNTIME.removeprefix("python"))
            self.code(NAME, archive.read_bytes(), "boostline.gateway.handler.handler", **variables)

    def code(self, name: str, code: bytes, handler: str, **variables: str) -> None:
        """Make a function of a zip, or replace its code."""
        try:
            self._lambda.create_function(
                FunctionName=name,
                Runtime=RUNTIME,
                Role=ROLE,
                Handler=handler,
                Timeout=29,
                MemorySize=512,
                Environment={"Variables": {"ENDPOINT_NAME": NAME, **variables}},
                Code={"ZipFile": code},
            )
        except self._lambda.exceptions.ResourceConflictException:
            self._lambda.update_function_code(FunctionName=name, ZipFile=code)

    def route(self, name: str = NAME) -> str:
        """Give a function a REST API, and return where that answers."""
        arn = self._lambda.get_function_configuration(FunctionName=name)["FunctionArn"]
        operation = {
            "responses": {"200": {"description": "OK"}},
            "x-amazon-apigateway-integration": {
                "type": "aws_proxy",
                "httpMethod": "POST",
                "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
                f"{arn}/invocations",
            },
        }
        document = {
            "openapi": "3.0.1",
            "info": {"title": name, "version": "1"},
            "paths": {path: {"post": operation} for path in ("/predict", "/predict/batch")},
        }
        api = self._gateway.import_rest_api(body=json.dumps(document).encode())["id"]
        self._gateway.create_deployment(restApiId=api, stageName="bench")
        self._lambda.add_permission(
            FunctionName=name,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api}/*/*",
        )
        return f"{self._endpoint}/restapis/{api}/bench"


@contextmanager
def traffic(sends: Sequence[Callable[[], int]]) -> Iterator[Counter[int]]:
    """Call each function over and over in a thread of its own; count what they return."""
    counts, done = Counter[int](), threading.Event()

    def work(send: Callable[[], int]) -> None:
        while not done.is_set():
            counts[send()] += 1

    with ThreadPoolExecutor(len(sends)) as executor:
        futures = [executor.submit(work, send) for send in sends]
        try:
            yield counts
        finally:
            done.set()
        for future in futures:
            future.result()


def post(http: urllib3.PoolManager, url: str, body: object, **headers: str) -> tuple[int, Any]:
    """Send JSON; return status and answer."""
    sent = {"content-type": "application/json", **headers}
    answer = http.request("POST", url, body=json.dumps(body).encode(), headers=sent)
    return answer.status, answer.json()
