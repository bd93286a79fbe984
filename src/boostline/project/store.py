"""The target's bucket: what is stored has the digest of its content in its key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from boostline.contracts.errors import BoostlineError
from boostline.project.target import Target

Content: TypeAlias = bytes | Path


def ensure_bucket(target: Target) -> None:
    """Make the target's bucket if it is not there."""
    s3 = target.client("s3")
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


def put(target: Target, prefix: str, files: Mapping[str, Content]) -> str:
    """Store files below a prefix, under the digest of all of them; what is there is not sent again.

    Parameters
    ----------
    target
        Its bucket must be there: see `ensure_bucket`.
    prefix
        Without a slash at its end.
    files
        Contents, or files of that content, by name.

    Returns
    -------
    str
        The S3 URI that the names are below.
    """
    s3, bucket = target.client("s3"), target.bucket
    whole = hashlib.sha256()
    for name, content in files.items():
        whole.update(f"{_digest(content)} {name}\n".encode())
    prefix = f"{prefix}/{whole.hexdigest()[:32]}"
    known = _sizes(s3, bucket, f"{prefix}/")
    for name, content in files.items():
        key = f"{prefix}/{name}"
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        if known.get(key) != size:
            _send(s3, bucket, key, content)
    return f"s3://{bucket}/{prefix}"


def put_one(target: Target, prefix: str, content: Content, suffix: str) -> str:
    """Store a content as `<prefix>/<SHA-256><suffix>`, unless it is there; return its S3 URI."""
    key = f"{prefix}/{_digest(content)}{suffix}"
    s3 = target.client("s3")
    if key not in _sizes(s3, target.bucket, key):
        _send(s3, target.bucket, key, content)
    return f"s3://{target.bucket}/{key}"


def _send(s3: Any, bucket: str, key: str, content: Content) -> None:
    if isinstance(content, bytes):
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    else:
        s3.upload_file(str(content), bucket, key)


def _sizes(s3: Any, bucket: str, prefix: str) -> dict[str, int]:
    there = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {found["Key"]: found["Size"] for found in there}


def _digest(content: Content) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
