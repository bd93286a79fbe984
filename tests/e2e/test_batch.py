"""Batch transform jobs of the platform on the real model server."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from boostline.artifact.folder import Artifact
from boostline.container.flavors.base import Task
from boostline.container.flavors.xgb import XGBoostFlavor
from boostline.contracts.archives import pack
from boostline.features.table import transform
from tests.conftest import RunningPlatform
from tests.container.jobs import lay_job, make_table, train

pytestmark = pytest.mark.slow

ROWS = 100_000
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/boostline:1"
CSV, LINES, PARQUET = "text/csv", "application/jsonlines", "application/vnd.apache.parquet"


@pytest.fixture
def settings() -> Mapping[str, Any]:
    return {"images": {"*": (sys.executable, "-m", "boostline.container")}}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return train(lay_job(tmp_path_factory.mktemp("job"), "binary", {"num_round": 20}))


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return make_table("binary", ROWS, seed=1).drop("y").fill_nan(None)


@pytest.fixture(scope="module")
def expected(artifact: Artifact, table: pl.DataFrame) -> Any:
    model = XGBoostFlavor().load(artifact.folder, Task.of(artifact.contract))
    return model.predict(transform(artifact.contract, table).to_numpy())


class Batch:
    """A model in the platform, and jobs on what is put beside it."""

    def __init__(self, platform: RunningPlatform, artifact: Artifact, folder: Path) -> None:
        self._s3, self._sagemaker = platform.client("s3"), platform.client("sagemaker")
        self._s3.create_bucket(Bucket="batch")
        pack(artifact.folder, folder / "model.tar.gz")
        self._s3.upload_file(str(folder / "model.tar.gz"), "batch", "model.tar.gz")
        self._sagemaker.create_model(
            ModelName="model",
            ExecutionRoleArn="arn:aws:iam::000000000000:role/boostline",
            PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://batch/model.tar.gz"},
        )

    def run(self, content: bytes, kind: str, accept: str, split: str, **members: Any) -> bytes:
        """Return what a job made of an object."""
        self._s3.put_object(Bucket="batch", Key="in/object", Body=content)
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://batch/in/"}}
        output = {"S3OutputPath": "s3://batch/out", "Accept": accept}
        self._sagemaker.create_transform_job(
            TransformJobName="job",
            ModelName="model",
            TransformInput={"DataSource": source, "ContentType": kind, "SplitType": split},
            TransformOutput={**output, **({"AssembleWith": "Line"} if split == "Line" else {})},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **members,
        )
        self._sagemaker.get_waiter("transform_job_completed_or_stopped").wait(
            TransformJobName="job", WaiterConfig={"Delay": 1, "MaxAttempts": 240}
        )
        found = self._s3.get_object(Bucket="batch", Key="out/object.out")
        body: bytes = found["Body"].read()
        return body


@pytest.fixture
def batch(platform: RunningPlatform, artifact: Artifact, tmp_path: Path) -> Batch:
    return Batch(platform, artifact, tmp_path)


def test_feature_rows_in_requests_of_many(
    batch: Batch, artifact: Artifact, table: pl.DataFrame, expected: Any
) -> None:
    rows = transform(artifact.contract, table).write_csv(include_header=False, null_value="")
    text = rows.replace("NaN", "").encode()
    assert len(text) > 1 << 20  # more than one request holds
    found = batch.run(text, CSV, CSV, "Line", MaxPayloadInMB=1)
    scores = np.array(found.split(), dtype=float)
    np.testing.assert_allclose(scores, expected, atol=2e-6)


def test_records_that_are_joined_with_their_scores(
    batch: Batch, table: pl.DataFrame, expected: Any
) -> None:
    text = table.write_ndjson().encode()
    join = {"JoinSource": "Input", "OutputFilter": "$['kind','SageMakerOutput']"}
    found = batch.run(text, LINES, LINES, "Line", DataProcessing=join)
    lines = [json.loads(line) for line in found.splitlines()]
    assert [line["kind"] for line in lines] == table["kind"].to_list()
    scores = np.array([line["SageMakerOutput"]["score"] for line in lines])
    np.testing.assert_allclose(scores, expected, atol=2e-6)


def test_a_table_that_is_sent_as_it_is(batch: Batch, table: pl.DataFrame, expected: Any) -> None:
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    found = batch.run(buffer.getvalue(), PARQUET, CSV, "None")
    np.testing.assert_allclose(np.array(found.split(), dtype=float), expected, atol=2e-6)
