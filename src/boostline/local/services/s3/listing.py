"""Pages of the objects in a bucket and of their versions.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from boostline.local.services.s3.checksums import declared
from boostline.local.services.s3.errors import Members, invalid_argument
from boostline.local.services.s3.settings import SettingsService, members_of
from boostline.local.store.objects import Object, Place, beyond

PAGE = 1_000
Fetch = Callable[[Place], list[Object]]  # gives up to PAGE objects after a place
# What is written as in a URL, where that is asked for: any XML parser can read it then.
ENCODED = {
    *("Delimiter", "Key", "KeyMarker", "Marker", "NextKeyMarker", "NextMarker", "Prefix"),
    "StartAfter",
}


class Page(NamedTuple):
    """Entries and common prefixes; the next page begins after `last`, if there is one."""

    entries: list[Any]
    prefixes: list[str]
    last: Any

    @property
    def next(self) -> str | None:
        """The key or common prefix that the next page begins after."""
        return None if self.last is None else str(getattr(self.last, "key", self.last))


def cut(found: list[Any], limit: int) -> Page:
    """Return the first entries and common prefixes, `limit` together."""
    prefixes = [each for each in found[:limit] if isinstance(each, str)]
    entries = [each for each in found[:limit] if not isinstance(each, str)]
    return Page(entries, prefixes, found[limit - 1] if len(found) > limit > 0 else None)


def _walk(fetch: Fetch, prefix: str, delimiter: str, after: Place) -> Iterator[Object | str]:
    """Give the objects after a place; instead of those with a common prefix, that, once."""

    def common(key: str) -> str | None:
        rest, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        return prefix + rest + cut if cut else None

    passed, marker = None, after[0].decode()
    if common(marker) == marker:
        after = beyond(marker)
    while batch := fetch(after):
        for each in batch:
            found = common(each.key)
            if found is None:
                yield each
            elif found != passed:
                yield found
            passed = found
        last = batch[-1]
        after = (last.key.encode(), last.number) if passed is None else beyond(passed)


def limit_of(request: Members, name: str) -> int:
    """Return how many entries a request wants, 1,000 at most."""
    limit: int = request.get(name, PAGE)
    if limit < 0:
        raise invalid_argument(f"Argument {name} must be an integer between 0 and 2147483647")
    return min(limit, PAGE)


def answer(request: Members, found: Page, limit: str, **members: Any) -> Members:
    """Return the answer to a request for a page; what does not belong in it, its shape knows."""
    made = {
        "Prefix": "",
        **request,
        "Name": request["Bucket"],
        limit: limit_of(request, limit),
        "IsTruncated": found.last is not None,
        "CommonPrefixes": [{"Prefix": prefix} for prefix in found.prefixes],
        **members,
    }
    return _encoded(made) if request.get("EncodingType") == "url" else made


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
        found = self._page(request, (request.get("Marker", "").encode(), 0))
        following = {"NextMarker": found.next} if request.get("Delimiter") else {}
        entries = [self._entry(each) for each in found.entries]
        return answer({"Marker": "", **request}, found, "MaxKeys", Contents=entries, **following)

    def list_objects_v2(self, request: Members) -> Members:
        """Return a page of a bucket's objects; the token is the last key, as in a URL."""
        token = request.get("ContinuationToken")
        after = request.get("StartAfter", "") if token is None else unquote(token)
        found = self._page(request, (after.encode(), 0))
        owner = {} if request.get("FetchOwner") else {"Owner": None}
        return answer(
            request,
            found,
            "MaxKeys",
            KeyCount=len(found.entries) + len(found.prefixes),
            NextContinuationToken=None if found.next is None else quote(found.next),
            Contents=[self._entry(each) | owner for each in found.entries],
        )

    def list_object_versions(self, request: Members) -> Members:
        """Return a page of the versions of a bucket's objects, each key's last one first.

        The marker of a version is its number: it may have gone before the next page is asked for.
        """
        key, number = request.get("KeyMarker", ""), request.get("VersionIdMarker", "")
        if not re.fullmatch(r"\d{0,18}", number):
            raise invalid_argument("The VersionIdMarker is not one of an earlier answer")
        found = self._page(request, (key.encode(), int(number or 0)), versions=True)
        entries: dict[bool, list[Members]] = {True: [], False: []}
        before = key if number else None
        for each in found.entries:
            more = {"VersionId": each.version, "IsLatest": each.key != before}
            entries[bool(each.digest)].append(self._entry(each) | more)
            before = each.key
        following = getattr(found.last, "number", None)
        return answer(
            request,
            found,
            "MaxKeys",
            NextKeyMarker=found.next,
            NextVersionIdMarker=None if following is None else str(following),
            Versions=entries[True],
            DeleteMarkers=entries[False],
        )

    def _page(self, request: Members, after: Place, versions: bool = False) -> Page:
        def fetch(place: Place) -> list[Object]:
            bucket, prefix = request["Bucket"], request.get("Prefix", "")
            return self._objects.list(bucket, prefix, place, PAGE, versions)

        limit = limit_of(request, "MaxKeys")
        walk = _walk(fetch, request.get("Prefix", ""), request.get("Delimiter", ""), after)
        return cut(list(itertools.islice(walk, limit + 1)), limit)

    def _entry(self, found: Object) -> Members:
        sums = declared(found.headers)
        return {
            "StorageClass": "STANDARD",
            **members_of(found),
            "Size": found.size,
            "ChecksumAlgorithm": [name.removeprefix("Checksum") for name in sums],
            "Owner": self._owner,
        }
