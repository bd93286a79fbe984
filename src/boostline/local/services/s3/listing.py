"""Pages of a bucket's keys.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, NamedTuple
from urllib.parse import quote

from boostline.local.services.s3.errors import Members, invalid_argument
from boostline.local.store.objects import Object, Objects

PAGE = 1_000


class Page(NamedTuple):
    """Objects and common prefixes of a page; the next one begins after `last`, if there is one."""

    objects: list[Object]
    prefixes: list[str]
    last: str | None


def page(
    objects: Objects, bucket: str, prefix: str, delimiter: str, after: str, limit: int
) -> Page:
    """Return up to `limit` objects and common prefixes together, after a key or common prefix."""
    found: list[Object] = []
    prefixes: list[str] = []
    last = after
    passed = after if _group(after, prefix, delimiter) == after else None
    while True:
        batch = objects.list(bucket, prefix, after, PAGE, passed)
        for each in batch:
            group = _group(each.key, prefix, delimiter)
            if group is not None and group == passed:
                continue
            if len(found) + len(prefixes) == limit:
                return Page(found, prefixes, last if limit else None)
            if group is None:
                found.append(each)
                last = each.key
            else:
                prefixes.append(group)
                last = passed = group
        if len(batch) < PAGE:
            return Page(found, prefixes, None)
        after = batch[-1].key


def _group(key: str, prefix: str, delimiter: str) -> str | None:
    """Return the common prefix that a key is shown as, or None if it is shown itself."""
    if not delimiter:
        return None
    rest, cut, _ = key[len(prefix) :].partition(delimiter)
    return prefix + rest + cut if cut else None


def list_v1(objects: Objects, request: Members, owner: Members) -> Members:
    """Return ListObjects' answer; the marker is a key."""
    marker = request.get("Marker", "")
    found, limit = _page(objects, request, marker)
    encode = _encoder(request)
    more = {"NextMarker": encode(found.last)} if found.last and "Delimiter" in request else {}
    return {
        **_common(request, found, limit),
        "Marker": encode(marker),
        "Contents": [{**_entry(each, encode), "Owner": owner} for each in found.objects],
        **more,
    }


def list_v2(objects: Objects, request: Members, owner: Members) -> Members:
    """Return ListObjectsV2's answer; the token holds the last key."""
    token = request.get("ContinuationToken")
    start = request.get("StartAfter", "")
    found, limit = _page(objects, request, start if token is None else key_of(token))
    encode = _encoder(request)
    owners = {"Owner": owner} if request.get("FetchOwner") else {}
    more = {"NextContinuationToken": token_of(found.last)} if found.last is not None else {}
    return {
        **_common(request, found, limit),
        "KeyCount": len(found.objects) + len(found.prefixes),
        "StartAfter": encode(start) if start else None,
        "ContinuationToken": token,
        "Contents": [{**_entry(each, encode), **owners} for each in found.objects],
        **more,
    }


def _page(objects: Objects, request: Members, after: str) -> tuple[Page, int]:
    limit = request.get("MaxKeys", PAGE)
    if limit < 0:
        raise invalid_argument("Argument max-keys must be an integer between 0 and 2147483647")
    limit = min(limit, PAGE)
    found = page(
        objects,
        request["Bucket"],
        request.get("Prefix", ""),
        request.get("Delimiter", ""),
        after,
        limit,
    )
    return found, limit


def _common(request: Members, found: Page, limit: int) -> Members:
    encode = _encoder(request)
    delimiter = request.get("Delimiter")
    return {
        "Name": request["Bucket"],
        "Prefix": encode(request.get("Prefix", "")),
        "Delimiter": encode(delimiter) if delimiter else None,
        "MaxKeys": limit,
        "EncodingType": request.get("EncodingType"),
        "IsTruncated": found.last is not None,
        "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in found.prefixes],
    }


def _entry(found: Object, encode: Any) -> Members:
    return {
        "Key": encode(found.key),
        "LastModified": found.modified,
        "ETag": f'"{found.etag}"',
        "Size": found.size,
        "StorageClass": "STANDARD",
    }


def _encoder(request: Members) -> Any:
    return quote if request.get("EncodingType") == "url" else str


def token_of(key: str) -> str:
    """Return the token that stands for the last name of a page."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def key_of(token: str) -> str:
    """Return the name that a token stands for, or raise `InvalidArgument`."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid_argument("The continuation token provided is incorrect") from None
