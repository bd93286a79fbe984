"""A bucket for each test, and how S3 refuses."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import RunningPlatform

MB = 1 << 20


@pytest.fixture(scope="module")
def s3(shared_platform: RunningPlatform) -> Any:
    return shared_platform.client("s3")


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    name = f"b-{hashlib.md5(request.node.nodeid.encode()).hexdigest()}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def refused(call: Any, **params: Any) -> tuple[str, int]:
    """Return the code and the status with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def base64_of(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
