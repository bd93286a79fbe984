"""Pages of what a bucket holds: objects, versions, uploads.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

from boostline.local.services.s3.errors import Members, invalid_argument
from boostline.local.store.objects import Object, Objects

PAGE = 1_000


class Entry(Protocol):
    """What is listed: by key, and those of one key by falling number."""

    @property
    def key(self) -> str:
        """What is ordered."""

    @property
    def number(self) -> int:
        """Their order within a key."""


class Upload(NamedTuple):
    """An upload under way; a later one of the same key has a smaller `number`."""

    key: str
    number: int
    id: str
    members: Members


Item = TypeVar("Item", bound=Entry)


class Place(NamedTuple):
    """A place in a list: after the entry of a key and number; all of the key, if that is 0."""

    key: str
    number: int = 0


# Gives up to PAGE entries after a place, passing over those below a common prefix.
Fetch = Callable[[Place, str | None], list[Item]]


class Page(NamedTuple, Generic[Item]):
    """Entries and common prefixes of a page; the next one begins after `last`, if there is one."""

    items: list[Item]
    prefixes: list[str]
    last: Item | str | None


def _page(fetch: Fetch[Item], request: Members, after: Place, limit: int) -> Page[Item]:
    """Return up to `limit` entries and common prefixes together, after a place."""
    prefix, delimiter = request.get("Prefix", ""), request.get("Delimiter", "")
    items: list[Item] = []
    prefixes: list[str] = []
    last: Item | str | None = None
    passed = after.key if _group(after.key, prefix, delimiter) == after.key else None
    while True:
        batch = fetch(after, passed)
        for each in batch:
            group = _group(each.key, prefix, delimiter)
            if group is not None and group == passed:
                continue
            if len(items) + len(prefixes) == limit:
                return Page(items, prefixes, last)
            if group is None:
                items.append(each)
                last = each
            else:
                prefixes.append(group)
                last = passed = group
        if len(batch) < PAGE:
            return Page(items, prefixes, None)
        after = Place(batch[-1].key, batch[-1].number)


def _group(key: str, prefix: str, delimiter: str) -> str | None:
    """Return the common prefix that a key is shown as, or None if it is shown itself."""
    if not delimiter:
        return None
    rest, cut, _ = key[len(prefix) :].partition(delimiter)
    return prefix + rest + cut if cut else None


def list_objects(objects: Objects, request: Members, owner: Members) -> Members:
    """Return ListObjects' answer; the marker is a key."""
    found = _objects(objects, request, request.get("Marker", ""))
    more = (
        {"NextMarker": _key(request, found.last)} if found.last and "Delimiter" in request else {}
    )
    contents = [_described(request, each, owner) for each in found.items]
    return {"Marker": "", **_common(request, found, "MaxKeys"), "Contents": contents, **more}


def list_objects_v2(objects: Objects, request: Members, owner: Members) -> Members:
    """Return ListObjectsV2's answer; the token holds the last key."""
    token = request.get("ContinuationToken")
    after = request.get("StartAfter", "") if token is None else from_token(token)
    found = _objects(objects, request, after)
    shown = owner if request.get("FetchOwner") else None
    last = _name(found.last)
    return {
        **_common(request, found, "MaxKeys"),
        "KeyCount": len(found.items) + len(found.prefixes),
        "ContinuationToken": token,
        "NextContinuationToken": None if last is None else to_token(last),
        "Contents": [_described(request, each, shown) for each in found.items],
    }


def list_versions(objects: Objects, request: Members, owner: Members) -> Members:
    """Return ListObjectVersions' answer: each key's versions, the last one first."""
    bucket, key, version = request["Bucket"], request.get("KeyMarker", ""), "VersionIdMarker"
    after = Place(key)
    if request.get(version):
        if not key:
            raise invalid_argument(f"A {version} cannot be specified without a KeyMarker.")
        marked = objects.last(bucket, key, request[version])
        if marked is None:
            raise invalid_argument("Invalid version id specified")
        after = Place(key, marked.number)

    def fetch(place: Place, passed: str | None) -> list[Object]:
        prefix = request.get("Prefix", "")
        return objects.list(bucket, prefix, place.key, PAGE, passed, True, place.number)

    found = _page(fetch, request, after, limit_of(request, "MaxKeys"))
    keys = [after.key if after.number else None, *(each.key for each in found.items)]
    entries = [
        _described(request, each, owner) | {"IsLatest": each.key != before}
        for before, each in zip(keys, found.items, strict=False)
    ]
    return {
        **_common(request, found, "MaxKeys"),
        "NextKeyMarker": _key(request, found.last),
        "NextVersionIdMarker": getattr(found.last, "version", None),
        "Versions": [each for each in entries if each["ETag"] != _MARKER],
        "DeleteMarkers": [each for each in entries if each["ETag"] == _MARKER],
    }


def list_uploads(uploads: list[Upload], request: Members) -> Members:
    """Return ListMultipartUploads' answer."""
    key, marker = request.get("KeyMarker", ""), request.get("UploadIdMarker")
    marked = (each.number for each in uploads if (each.key, each.id) == (key, marker))
    place = Place(key, next(marked, 0))

    def fetch(place: Place, _: str | None) -> list[Upload]:
        found = (each for each in uploads if (each.key, -each.number) > (place.key, -place.number))
        prefixed = (each for each in found if each.key.startswith(request.get("Prefix", "")))
        return list(itertools.islice(prefixed, PAGE))

    found = _page(fetch, request, place, limit_of(request, "MaxUploads"))
    encode = _encoder(request)
    return {
        **_common(request, found, "MaxUploads"),
        "Bucket": request["Bucket"],
        "UploadIdMarker": marker,
        "NextKeyMarker": _key(request, found.last),
        "NextUploadIdMarker": getattr(found.last, "id", None),
        "Uploads": [
            {"StorageClass": "STANDARD", **each.members["Headers"], **each.members}
            | {"Key": encode(each.key)}
            for each in found.items
        ],
    }


def limit_of(request: Members, name: str) -> int:
    """Return how many entries a request wants, 1,000 at most."""
    limit: int = request.get(name, PAGE)
    if limit < 0:
        raise invalid_argument(f"Argument {name} must be an integer between 0 and 2147483647")
    return min(limit, PAGE)


def to_token(key: str) -> str:
    """Return the token that stands for the last name of a page."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def from_token(token: str) -> str:
    """Return the name that a token stands for, or raise `InvalidArgument`."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid_argument("The continuation token provided is incorrect") from None


def _objects(objects: Objects, request: Members, after: str) -> Page[Object]:
    def fetch(place: Place, passed: str | None) -> list[Object]:
        prefix = request.get("Prefix", "")
        return objects.list(request["Bucket"], prefix, place.key, PAGE, passed)

    return _page(fetch, request, Place(after), limit_of(request, "MaxKeys"))


_GIVEN = {"Prefix", "Delimiter", "KeyMarker", "Marker", "StartAfter"}
_MARKER = '""'  # the entity tag of a delete marker


def _common(request: Members, found: Page[Item], limit: str) -> Members:
    encode = _encoder(request)
    given = {name: encode(request[name]) for name in _GIVEN if request.get(name)}
    return {
        "Prefix": "",
        **given,
        "Name": request["Bucket"],
        limit: limit_of(request, limit),
        "EncodingType": request.get("EncodingType"),
        "IsTruncated": found.last is not None,
        "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in found.prefixes],
    }


def _key(request: Members, last: Entry | str | None) -> str | None:
    key = _name(last)
    return None if key is None else _encoder(request)(key)


def _name(last: Entry | str | None) -> str | None:
    return last if isinstance(last, str | None) else last.key


def _described(request: Members, found: Object, owner: Members | None) -> Members:
    algorithms = [name[8:] for name in found.headers if name.startswith("Checksum")]
    return {
        "Key": _encoder(request)(found.key),
        "LastModified": found.modified,
        "ETag": f'"{found.etag}"',
        "Size": found.size,
        "StorageClass": found.headers.get("StorageClass", "STANDARD"),
        "ChecksumAlgorithm": [name for name in algorithms if name != "Type"],
        "ChecksumType": found.headers.get("ChecksumType"),
        "VersionId": found.version,
        "Owner": owner,
    }


def _encoder(request: Members) -> Callable[[str], str]:
    return quote if request.get("EncodingType") == "url" else str
