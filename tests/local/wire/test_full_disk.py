"""A platform whose disk is full: a small tmpfs in a mount namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

MB = 1 << 20
UNSHARE = ["unshare", "-Urm", "--propagation", "private"]
PROGRAM = """
import sys, pathlib
from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import serve
made = Platform(Settings(pathlib.Path(sys.argv[1]), port=0))
key = made.credentials
serve(made, lambda port: print(port, key.access_key, key.secret_key, flush=True))
"""


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    """A client of a platform on a disk of 24 MB, and the disk as it is seen from outside."""
    if not can_mount():
        pytest.skip("no mount namespaces here")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=24m none "$1" && exec "$2" -c "$3" "$1"'
    command = [*UNSHARE, "sh", "-c", script, "sh", str(disk), sys.executable, PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port, access, secret = process.stdout.readline().split()
            client = boto3.client(
                "s3",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="us-east-1",
                aws_access_key_id=access,
                aws_secret_access_key=secret,
                config=Config(retries={"total_max_attempts": 1}),
            )
            yield client, Path(f"/proc/{process.pid}/root", *disk.parts[1:])
        finally:
            process.terminate()
            process.wait()


@pytest.mark.slow
def test_a_full_disk_acknowledges_nothing(full: tuple[Any, Path]) -> None:
    s3, disk = full
    s3.create_bucket(Bucket="abc")
    s3.put_object(Bucket="abc", Key="before", Body=b"x" * MB)
    acknowledged = {"before": b"x" * MB}
    refusals: list[dict[str, Any]] = []

    def put(key: str, body: bytes) -> bool:
        try:
            s3.put_object(Bucket="abc", Key=key, Body=body)
        except ClientError as error:
            refusals.append(error.response)
            return False
        acknowledged[key] = body
        return True

    def check() -> None:
        listed = s3.list_objects_v2(Bucket="abc")["Contents"]
        assert {each["Key"] for each in listed} == acknowledged.keys()
        for key, body in acknowledged.items():
            assert s3.get_object(Bucket="abc", Key=key)["Body"].read() == body

    assert not put("too-large", os.urandom(30 * MB))
    check()
    assert list((disk / "blobs" / "incoming").iterdir()) == []
    with (disk / "filler").open("wb", buffering=0) as filler:
        left = os.statvfs(disk)
        filler.write(bytes((left.f_bavail - 40) * left.f_bsize))
    # Now SQLite has no place either: its log grows with each small object.
    made = [put(f"small-{number}", b"%d" % number) for number in range(100)]
    assert not all(made)
    check()
    (disk / "filler").unlink()
    for refusal in refusals:
        assert refusal["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert refusal["Error"]["Code"] == "InternalError"
        assert "The disk is full" in refusal["Error"]["Message"]
    assert put("after", b"y" * 2 * MB)
    assert put("small-99", b"again")
    check()
