from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import RunningPlatform
from tests.local.services.sagemaker_bench import ROLE
from tests.local.services.sagemaker_bench import client as client_of

SOURCE = {
    "S3DataSource": {
        "S3Uri": "s3://bench/model/",
        "S3DataType": "S3Prefix",
        "CompressionType": "None",
    }
}


@pytest.mark.parametrize(
    ("containers", "problem"),
    [
        ([{"Image": "any:1", "Mode": "MultiModel"}], "Mode: the local platform has SingleModel"),
        ([{"Image": "any:1", "ModelDataSource": SOURCE}], "ModelDataSource: the local platform"),
        ([{"Environment": {}}], "A container needs an Image, or a ModelPackageName"),
        ([{"Image": "any:1"}] * 2, "Model model: the local platform serves exactly one container"),
    ],
)
def test_model_that_cannot_be_served_is_refused(
    shared_platform: RunningPlatform, containers: list[dict[str, Any]], problem: str
) -> None:
    client = client_of(shared_platform, "sagemaker")
    with pytest.raises(ClientError, match="ValidationException") as error:
        client.create_model(ModelName="model", ExecutionRoleArn=ROLE, Containers=containers)
    assert problem in str(error.value)
    assert client.list_models()["Models"] == []
