"""Pages of the objects in a bucket and of their versions.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

from boostline.local.services.s3.checksums import declared
from boostline.local.services.s3.errors import Members, invalid_argument
from boostline.local.services.s3.objects import members_of
from boostline.local.services.s3.settings import SettingsService
from boostline.local.store.objects import Object, Place, beyond
from boostline.local.wire.pages import digest

LONGEST = 1_000
# What is written as in a URL, where that is asked for: any XML parser can read it then.
ENCODED = {
    *("Delimiter", "Key", "KeyMarker", "Marker", "NextKeyMarker", "NextMarker", "Prefix"),
    "StartAfter",
}


class Page:
    """The first of some entries and common prefixes, as many as a request's `limit` says.

    The next page begins after `last`, if there is one.
    """

    def __init__(self, request: Members, limit: str, found: Iterable[Any]) -> None:
        most = min(request.get(limit, LONGEST), LONGEST)
        if most < 0:
            raise invalid_argument(f"Argument {limit} must be an integer between 0 and 2147483647")
        some = list(itertools.islice(found, most + 1))
        self._request, self._limit = request, {limit: most}
        self.prefixes = [each for each in some[:most] if isinstance(each, str)]
        self.entries = [each for each in some[:most] if not isinstance(each, str)]
        self.last = some[most - 1] if len(some) > most > 0 else None

    @property
    def next(self) -> str | None:
        """The key or common prefix that the next page begins after."""
        return None if self.last is None else str(getattr(self.last, "key", self.last))

    def answer(self, **members: Any) -> Members:
        """Return the answer to the request; what does not belong in it, its shape knows."""
        made = {
            "Prefix": "",
            **self._request,
            **self._limit,
            "Name": self._request["Bucket"],
            "IsTruncated": self.last is not None,
            "CommonPrefixes": [{"Prefix": prefix} for prefix in self.prefixes],
            **members,
        }
        return _encoded(made) if self._request.get("EncodingType") == "url" else made


def _encoded(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _encoded(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    return quote(value) if name in ENCODED and value is not None else value


class ListService(SettingsService):
    """The operations that list objects."""

    def list_objects(self, request: Members) -> Members:
        """Return a page of a bucket's objects, the older way: the marker is a key."""
        place = request.get("Marker", "").encode(), 0
        found = Page({"Marker": "", **request}, "MaxKeys", self._walk(request, place))
        contents = [self._entry(each) for each in found.entries]
        # Without a delimiter S3 leaves it out: the last key is the marker.
        marker = found.next if request.get("Delimiter") else None
        return found.answer(NextMarker=marker, Contents=contents)

    def list_objects_v2(self, request: Members) -> Members:
        """Return a page of a bucket's objects; the token holds the last key."""
        bucket, token = request["Bucket"], request.get("ContinuationToken")
        after = request.get("StartAfter", "") if token is None else _key(bucket, token)
        found = Page(request, "MaxKeys", self._walk(request, (after.encode(), 0)))
        owner = {} if request.get("FetchOwner") else {"Owner": None}
        return found.answer(
            KeyCount=len(found.entries) + len(found.prefixes),
            NextContinuationToken=None if found.next is None else _token(bucket, found.next),
            Contents=[self._entry(each) | owner for each in found.entries],
        )

    def list_object_versions(self, request: Members) -> Members:
        """Return a page of the versions of a bucket's objects, each key's last one first.

        The marker of a version is its number: it may have gone before the next page is asked for.
        """
        key, number = request.get("KeyMarker", ""), request.get("VersionIdMarker", "")
        if not re.fullmatch(r"\d{0,18}", number):
            raise invalid_argument("The VersionIdMarker is not one of an earlier answer")
        place = key.encode(), int(number or 0)
        found = Page(request, "MaxKeys", self._walk(request, place, versions=True))
        entries: dict[bool, list[Members]] = {True: [], False: []}
        before = key if number else None
        for each in found.entries:
            more = {"VersionId": each.version, "IsLatest": each.key != before}
            entries[bool(each.digest)].append(self._entry(each) | more)
            before = each.key
        following = getattr(found.last, "number", None)
        return found.answer(
            NextKeyMarker=found.next,
            NextVersionIdMarker=None if following is None else str(following),
            Versions=entries[True],
            DeleteMarkers=entries[False],
        )

    def _walk(
        self, request: Members, after: Place, versions: bool = False
    ) -> Iterator[Object | str]:
        """Give the objects after a place; instead of those with a common prefix, that, once."""
        prefix, delimiter = request.get("Prefix", ""), request.get("Delimiter", "")
        passed, marker = None, after[0].decode()
        if _common(marker, prefix, delimiter) == marker:
            after = beyond(marker)
        while some := self._objects.list(request["Bucket"], prefix, after, LONGEST, versions):
            for each in some:
                found = _common(each.key, prefix, delimiter)
                if found is None:
                    yield each
                elif found != passed:
                    yield found
                passed = found
            after = (each.key.encode(), each.number) if passed is None else beyond(passed)

    def _entry(self, found: Object) -> Members:
        return {
            "StorageClass": "STANDARD",
            **members_of(found),
            "Size": found.size,
            "ChecksumAlgorithm": list(declared(found.headers)),
            "Owner": self._owner,
        }


def _token(bucket: str, key: str) -> str:
    return f"{digest('ListObjectsV2', bucket, key)}-{quote(key)}"


def _key(bucket: str, token: str) -> str:
    """Return the key in a token, or raise `AwsError` if it is not one of this bucket's lists."""
    key = unquote(token.partition("-")[2])
    if token != _token(bucket, key):
        raise invalid_argument("The continuation token provided is incorrect")
    return key


def _common(key: str, prefix: str, delimiter: str) -> str | None:
    """Return the common prefix that a key is shown as, or None if it is shown itself."""
    rest, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
    return prefix + rest + cut if cut else None
