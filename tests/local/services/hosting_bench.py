"""Small model servers, and the endpoints that run them."""

from __future__ import annotations

import contextlib
import io
import tarfile
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from tests.local.services.sagemaker_bench import ROLE, Bench, image

ECHO = """
name = (base / "model/name").read_text()
def invoke(self, body):
    attributes = self.headers.get("X-Amzn-SageMaker-Custom-Attributes", "")
    kind = self.headers.get("Content-Type", "")
    text = f"{name} {os.environ.get('GREETING', '')} {kind} ".encode() + body
    self.answer(200, text, Content_Type="text/plain",
                X_Amzn_SageMaker_Custom_Attributes="got=" + attributes)
"""


def serve(bench: Bench, body: str, name: str = "serve") -> None:
    """Write a server: `invoke(self, body)` answers `/invocations`."""
    bench.program(name, f"{textwrap.dedent(body)}\nHandler.invoke = invoke\nrun()\n", serves=True)


def model(bench: Bench, name: str, program: str = "serve", **environment: str) -> None:
    """Make a model and a configuration of that name; the model's file `name` holds it.

    `program` is one of the bench's, or the URI of an image.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("name")
        member.size = len(name)
        archive.addfile(member, io.BytesIO(name.encode()))
    data = bench.put(f"models/{name}/model.tar.gz", packed.getvalue())
    bench.sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": program if "/" in program else image(program),
            "ModelDataUrl": data,
            "Environment": environment,
        },
    )
    configure(bench, name, {"AllTraffic": name})


def configure(
    bench: Bench,
    name: str,
    variants: dict[str, str],
    *weights: float,
    count: int = 1,
    **members: Any,
) -> None:
    """Make a configuration of variants with their models; weights are 1 unless given."""
    shares = weights or [1.0] * len(variants)
    bench.sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": variant,
                "ModelName": served,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": count,
                "InitialVariantWeight": weight,
            }
            for (variant, served), weight in zip(variants.items(), shares, strict=True)
        ],
        **members,
    )


def settled(bench: Bench, name: str = "live") -> dict[str, Any]:
    return bench.settled(
        lambda: bench.sagemaker.describe_endpoint(EndpointName=name), "EndpointStatus"
    )


def deploy(bench: Bench, config: str, name: str = "live") -> dict[str, Any]:
    bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    return settled(bench, name)


def update(bench: Bench, config: str) -> dict[str, Any]:
    bench.sagemaker.update_endpoint(EndpointName="live", EndpointConfigName=config)
    return settled(bench)


def await_deleted(bench: Bench) -> None:
    bench.sagemaker.get_waiter("endpoint_deleted").wait(
        EndpointName="live", WaiterConfig={"Delay": 0.1, "MaxAttempts": 1_200}
    )


def ask(bench: Bench, body: bytes = b"x", **members: Any) -> dict[str, Any]:
    answer: dict[str, Any] = bench.runtime.invoke_endpoint(
        EndpointName="live", Body=body, **members
    )
    return answer | {"Body": answer["Body"].read()}


def await_answer(bench: Bench, beginning: bytes = b"") -> None:
    """Wait for an answer that begins so: the server may have to be started again."""

    def answers() -> bool:
        with contextlib.suppress(bench.runtime.exceptions.ServiceUnavailable):
            return bool(ask(bench)["Body"].startswith(beginning))
        return False

    bench.until(answers)


@contextlib.contextmanager
def traffic(bench: Bench, name: str = "live") -> Iterator[Counter[str]]:
    """Send requests while the block runs; count the first words of answers, and refusals."""
    counts: Counter[str] = Counter()
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            try:
                answer = bench.runtime.invoke_endpoint(EndpointName=name, Body=b"x")
                counts[answer["Body"].read().decode().split()[0]] += 1
            except ClientError as error:
                counts[str(error.response.get("OriginalStatusCode", error))] += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield counts
    finally:
        over.set()
        thread.join()


def described(bench: Bench) -> dict[str, Any]:
    """Return the variants of the endpoint by name."""
    found = bench.sagemaker.describe_endpoint(EndpointName="live")["ProductionVariants"]
    return {variant["VariantName"]: variant for variant in found}
