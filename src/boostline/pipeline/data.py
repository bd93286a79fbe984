"""Data and configuration on their way to S3, each under the digest of its content."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from boostline.contracts.errors import BoostlineError
from boostline.pipeline.definition import Place
from boostline.project.config import Config
from boostline.project.target import Target

SUFFIXES = (".csv", ".parquet")


class DataError(BoostlineError):
    """The project's table cannot be uploaded."""

    exit_code = 2


def upload(config: Config, target: Target) -> Place:
    """Store a project's table and configuration where its pipeline reads them.

    The same content has the same URI, so that the argument-keyed cache of SageMaker hits whenever
    the content is the same, and misses when it is not. What is there is not sent again.

    Raises
    ------
    DataError
        If the table is no CSV or Parquet file, or a folder without any.
    """
    s3 = target.client("s3")
    ensure_bucket(s3, target)
    return Place(
        role=target.role,
        image=target.image,
        bucket=target.bucket,
        data_uri=_upload(s3, target.bucket, f"{config.name}/data", table_files(config.table)),
        config_uri=_upload_config(s3, target.bucket, config),
    )


def table_files(table: Path) -> list[Path]:
    """Return the files of a table: itself, or those of a folder."""
    files = sorted(table.iterdir()) if table.is_dir() else [table]
    files = [file for file in files if file.suffix in SUFFIXES and file.is_file()]
    if not files:
        raise DataError(f"{table}: a table is {' or '.join(SUFFIXES)}, or a folder of such files")
    return files


def ensure_bucket(s3: Any, target: Target) -> None:
    """Make the target's bucket if it is not there."""
    try:
        s3.head_bucket(Bucket=target.bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise BoostlineError(f"bucket {target.bucket}: {error}") from None
        # us-east-1 is where a bucket goes that names no location, and cannot be named.
        where = {} if target.region == "us-east-1" else {"LocationConstraint": target.region}
        s3.create_bucket(
            Bucket=target.bucket, **({"CreateBucketConfiguration": where} if where else {})
        )


def job_config(config: Config) -> bytes:
    """Return the `config.json` of the processing job: features and split, nothing else.

    Derived columns stay in the order of the file, since each may read those before it.
    """
    plain = {
        "version": 1,
        "features": msgspec.to_builtins(config.spec),
        "split": config.split.model_dump(),
    }
    return msgspec.json.format(msgspec.json.encode(plain), indent=1)


def _upload_config(s3: Any, bucket: str, config: Config) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.json")
        file.write_bytes(job_config(config))
        return _upload(s3, bucket, f"{config.name}/config", [file])


def _upload(s3: Any, bucket: str, prefix: str, files: list[Path]) -> str:
    digests = {file: _digest(file) for file in files}
    whole = hashlib.sha256()
    for file, digest in digests.items():
        whole.update(f"{digest} {file.name}\n".encode())
    prefix = f"{prefix}/{whole.hexdigest()[:32]}"
    there = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
    known = {found["Key"]: found["Size"] for found in there}
    for file in files:
        key = f"{prefix}/{file.name}"
        if known.get(key) != file.stat().st_size:
            s3.upload_file(str(file), bucket, key)
    return f"s3://{bucket}/{prefix}"


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
