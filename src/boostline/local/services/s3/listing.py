"""Pages of what a bucket holds: objects, versions, uploads.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from boostline.local.services.s3.errors import Members, invalid_argument
from boostline.local.services.s3.settings import SettingsService
from boostline.local.store.objects import Object

PAGE = 1_000


# A place in a list: after the entry of a key and a number; all of that key, if the number is 0.
Place = tuple[str, int]
# Gives up to PAGE entries after a place, passing over those below a common prefix. Entries have a
# `key` and a `number`, and come by key, those of a key by falling number.
Fetch = Callable[[Place, str | None], list[Any]]


class Upload(NamedTuple):
    """An upload under way; a later one of the same key has a smaller `number`."""

    key: str
    number: int
    id: str
    members: Members


class Page(NamedTuple):
    """Entries and common prefixes of a page; the next one begins after `last`, if there is one."""

    items: list[Any]
    prefixes: list[str]
    last: Any


def page(fetch: Fetch, request: Members, after: Place, limit: int) -> Page:
    """Return up to `limit` entries and common prefixes together, after a place."""
    prefix, delimiter = request.get("Prefix", ""), request.get("Delimiter", "")
    found = Page([], [], None)
    passed = after[0] if _group(after[0], prefix, delimiter) == after[0] else None
    while True:
        batch = fetch(after, passed)
        for each in batch:
            group = _group(each.key, prefix, delimiter)
            if group is not None and group == passed:
                continue
            if len(found.items) + len(found.prefixes) == limit:
                return found
            if group is None:
                found.items.append(each)
            else:
                found.prefixes.append(group)
                passed = group
            found = found._replace(last=group or each)
        if len(batch) < PAGE:
            return found._replace(last=None)
        after = (batch[-1].key, batch[-1].number)


def _group(key: str, prefix: str, delimiter: str) -> str | None:
    """Return the common prefix that a key is shown as, or None if it is shown itself."""
    if not delimiter:
        return None
    rest, cut, _ = key[len(prefix) :].partition(delimiter)
    return prefix + rest + cut if cut else None


class ListService(SettingsService):
    """The operations that list."""

    def list_objects(self, request: Members) -> Members:
        """Return a page of a bucket's objects, the older way: the marker is a key."""
        found = self._page(request, (request.get("Marker", ""), 0))
        marker = _key(request, found.last) if request.get("Delimiter") else None
        answer = {"Marker": "", **_common(request, found, "MaxKeys"), "NextMarker": marker}
        return answer | {"Contents": [self._entry(request, each) for each in found.items]}

    def list_objects_v2(self, request: Members) -> Members:
        """Return a page of a bucket's objects; the token holds the last key."""
        token = request.get("ContinuationToken")
        after = request.get("StartAfter", "") if token is None else from_token(token)
        found = self._page(request, (after, 0))
        entries = [self._entry(request, each) for each in found.items]
        if not request.get("FetchOwner"):
            entries = [entry | {"Owner": None} for entry in entries]
        return {
            **_common(request, found, "MaxKeys"),
            "KeyCount": len(found.items) + len(found.prefixes),
            "ContinuationToken": token,
            "NextContinuationToken": None if found.last is None else to_token(_name(found.last)),
            "Contents": entries,
        }

    def list_object_versions(self, request: Members) -> Members:
        """Return a page of the versions of a bucket's objects, each key's last one first."""
        key, version = request.get("KeyMarker", ""), request.get("VersionIdMarker")
        after = (key, 0)
        if version:
            marked = self._objects.last(request["Bucket"], key, version)
            if marked is None:
                raise invalid_argument("The VersionIdMarker is of no version of the KeyMarker")
            after = (key, marked.number)
        found = self._page(request, after, versions=True)
        keys = [key if version else None, *(each.key for each in found.items)]
        entries: dict[bool, list[Members]] = {True: [], False: []}
        for before, each in zip(keys, found.items, strict=False):
            entry = self._entry(request, each) | {"IsLatest": each.key != before}
            entries[bool(each.digest)].append(entry)
        return {
            **_common(request, found, "MaxKeys"),
            "NextKeyMarker": _key(request, found.last),
            "NextVersionIdMarker": getattr(found.last, "version", None),
            "Versions": entries[True],
            "DeleteMarkers": entries[False],
        }

    def _page(self, request: Members, after: Place, versions: bool = False) -> Page:
        def fetch(place: Place, passed: str | None) -> list[Object]:
            bucket, prefix = request["Bucket"], request.get("Prefix", "")
            number = place[1] if versions else 0
            return self._objects.list(bucket, prefix, place[0], PAGE, passed, versions, number)

        return page(fetch, request, after, limit_of(request, "MaxKeys"))

    def _entry(self, request: Members, found: Object) -> Members:
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
            "Owner": self._owner,
        }


def list_uploads(uploads: list[Upload], request: Members) -> Members:
    """Return ListMultipartUploads' answer."""
    key, marker = request.get("KeyMarker", ""), request.get("UploadIdMarker")
    marked = (each.number for each in uploads if (each.key, each.id) == (key, marker))

    def fetch(place: Place, _: str | None) -> list[Upload]:
        found = (each for each in uploads if (each.key, -each.number) > (place[0], -place[1]))
        prefixed = (each for each in found if each.key.startswith(request.get("Prefix", "")))
        return list(itertools.islice(prefixed, PAGE))

    found = page(fetch, request, (key, next(marked, 0)), limit_of(request, "MaxUploads"))
    common = {"StorageClass": "STANDARD"}
    return {
        **_common(request, found, "MaxUploads"),
        "Bucket": request["Bucket"],
        "UploadIdMarker": marker,
        "NextKeyMarker": _key(request, found.last),
        "NextUploadIdMarker": getattr(found.last, "id", None),
        "Uploads": [
            {**common, **each.members["Headers"], **each.members, "Key": _key(request, each)}
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


_GIVEN = {"Prefix", "Delimiter", "KeyMarker", "Marker", "StartAfter"}


def _common(request: Members, found: Page, limit: str) -> Members:
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


def _key(request: Members, last: Any) -> str | None:
    return None if last is None else _encoder(request)(_name(last))


def _name(last: Any) -> str:
    return str(getattr(last, "key", last))


def _encoder(request: Members) -> Callable[[str], str]:
    return quote if request.get("EncodingType") == "url" else str
