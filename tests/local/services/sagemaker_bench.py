"""Small programs, and the requests that run them."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from boostline.contracts import strict
from tests.conftest import RunningPlatform

ROLE = "arn:aws:iam::000000000000:role/boostline"
REGISTRY = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
HEADER = """
import json, os, pathlib, signal, sys, time
base = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
"""
SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def log_message(self, *_):
        pass
    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.invoke(body)
class Server(ThreadingHTTPServer):
    request_queue_size = 128
def run():
    address = os.environ["BOOSTLINE_BIND_ADDRESS"], int(os.environ["SAGEMAKER_BIND_TO_PORT"])
    server = Server(address, Handler)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.serve_forever()
"""
SESSION = boto3.Session(region_name="us-east-1")
NAMES = ("process", "train", "evaluate", "serve", "other")


def images(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the table of images whose programs `Bench.program` writes."""
    return {f"*/{name}:*": (sys.executable, str(folder / f"{name}.py")) for name in NAMES}


def image(name: str) -> str:
    return f"{REGISTRY}/{name}:1"


def client(running: RunningPlatform, service: str) -> Any:
    """Return a checked client; all share a session, which reads each service's model once."""
    credentials = running.platform.credentials
    made = SESSION.client(
        service,
        endpoint_url=running.endpoint,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        config=Config(retries={"total_max_attempts": 1}),
    )
    strict.install(made)
    return made


def require_members(parsed: Any, model: Any, http_response: Any, **_: Any) -> None:
    """Check that an answer has all members that its shape requires, as strict clients do."""
    if http_response.status_code < 300 and model.output_shape is not None:
        assert not list(missing(model.output_shape, parsed, model.name)), parsed


def missing(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        yield from (f"{path}.{name}" for name in shape.required_members if name not in value)
        for name, member in shape.members.items():
            if name in value:
                yield from missing(member, value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for element in value:
            yield from missing(shape.member, element, f"{path}[]")


class Bench:
    """A running platform with a bucket, and programs behind its images."""

    def __init__(self, running: RunningPlatform, programs: Path) -> None:
        self.running = running
        self.programs = programs
        self.sagemaker = client(running, "sagemaker")
        self.sagemaker.meta.events.register("after-call.sagemaker", require_members)
        self.runtime = client(running, "sagemaker-runtime")
        self.s3 = client(running, "s3")
        self.s3.create_bucket(Bucket="bench")

    def program(self, name: str, body: str, *, serves: bool = False) -> None:
        """Write the program behind an image."""
        self.programs.mkdir(exist_ok=True)
        parts = [HEADER, SERVER if serves else "", textwrap.dedent(body)]
        (self.programs / f"{name}.py").write_text("".join(parts))

    def put(self, key: str, body: bytes = b"x") -> str:
        self.s3.put_object(Bucket="bench", Key=key, Body=body)
        return f"s3://bench/{key}"

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket="bench", Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found]

    def training_request(self, name: str, **members: Any) -> dict[str, Any]:
        return {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {
                "TrainingImage": image("train"),
                "TrainingInputMode": "File",
            },
            "OutputDataConfig": {"S3OutputPath": "s3://bench/models"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 10,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            **members,
        }

    def processing_request(self, name: str, **members: Any) -> dict[str, Any]:
        return {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {"ImageUri": image("process")},
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 10,
                }
            },
            **members,
        }

    def train(self, name: str, **members: Any) -> dict[str, Any]:
        """Run a training job to its end."""
        self.sagemaker.create_training_job(**self.training_request(name, **members))
        return self.trained(name)

    def process(self, name: str, **members: Any) -> dict[str, Any]:
        """Run a processing job to its end."""
        self.sagemaker.create_processing_job(**self.processing_request(name, **members))
        return self.settled(
            lambda: self.sagemaker.describe_processing_job(ProcessingJobName=name),
            "ProcessingJobStatus",
        )

    def trained(self, name: str) -> dict[str, Any]:
        return self.settled(
            lambda: self.sagemaker.describe_training_job(TrainingJobName=name),
            "TrainingJobStatus",
        )

    def settled(
        self, describe: Callable[[], dict[str, Any]], member: str, limit: float = 120
    ) -> dict[str, Any]:
        """Ask until a status is a final one, the only way that AWS's interface has."""
        moving = ["InProgress", "Executing", "Stopping"]
        moving += ["Creating", "Updating", "SystemUpdating", "RollingBack"]
        deadline = time.monotonic() + limit
        while (found := describe())[member] in moving:
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return found

    def lines(self, group: str, stream: str) -> list[str]:
        return [
            event.message
            for event in self.running.platform.logs.events(group)
            if event.stream.startswith(stream)
        ]

    def until(self, holds: Callable[[], bool], limit: float = 120) -> None:
        """Wait until something holds that only asking can tell."""
        deadline = time.monotonic() + limit
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def await_line(self, group: str, line: str, limit: float = 120) -> None:
        """Wait until a program has written a line."""
        deadline = time.monotonic() + limit
        while line not in self.lines(group, ""):
            assert time.monotonic() < deadline, self.lines(group, "")
            time.sleep(0.02)
