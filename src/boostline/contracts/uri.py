"""S3 URIs."""

from __future__ import annotations


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an `s3://bucket/key` URI.

    Raises
    ------
    ValueError
        If it is not one.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"{uri!r} is not an S3 URI: expected s3://bucket/key")
    return bucket, key
