"""The List* operations: one function, and a table of how they differ."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from boostline.local.wire.errors import invalid

Document: TypeAlias = dict[str, Any]
PAGE = 10

# Filters that compare: input member → (document's member, or None for the list's name; the test).
_BEFORE: Callable[[Any, Any], bool] = lambda found, asked: found < seconds(asked)  # noqa: E731
_AFTER: Callable[[Any, Any], bool] = lambda found, asked: found > seconds(asked)  # noqa: E731
_CONTAINS: Callable[[Any, Any], bool] = lambda found, asked: asked.lower() in found.lower()  # noqa: E731
_EQUALS: Callable[[Any, Any], bool] = lambda found, asked: found == asked  # noqa: E731
FILTERS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "NameContains": ("name", _CONTAINS),
    "PipelineNamePrefix": ("name", lambda found, asked: found.startswith(asked)),
    "StatusEquals": ("status", _EQUALS),
    "ModelApprovalStatus": ("ModelApprovalStatus", _EQUALS),
    "CreationTimeAfter": ("created", _AFTER),
    "CreationTimeBefore": ("created", _BEFORE),
    "CreatedAfter": ("created", _AFTER),
    "CreatedBefore": ("created", _BEFORE),
    "LastModifiedTimeAfter": ("LastModifiedTime", _AFTER),
    "LastModifiedTimeBefore": ("LastModifiedTime", _BEFORE),
}


@dataclass(frozen=True)
class Listing:
    """How a List* operation lists.

    Parameters
    ----------
    output
        The output member that holds the summaries.
    name, status, created
        The documents' members for `SortBy` and filters.
    order
        `SortOrder` where the caller gives none.
    renamed
        Summary member → document member, where the names differ.
    """

    output: str
    name: str
    status: str = ""
    created: str = "CreationTime"
    order: str = "Ascending"
    page: int = PAGE
    renamed: Mapping[str, str] = field(default_factory=dict)

    def member(self, key: str) -> str:
        """Return the document's member for a filter's or an order's key."""
        return {"name": self.name, "status": self.status, "created": self.created}.get(key, key)


SORT_KEYS = {"Name": "name", "Status": "status", "CreationTime": "created"}


def listing(table: Listing, documents: Iterable[Document], request: Document) -> Document:
    """Return a page of summaries: filtered, sorted, cut.

    `documents` come oldest first; equal keys keep that order. What a summary's shape does not know
    is left out of the answer by the wire.
    """
    found = [document for document in documents if _passes(table, document, request)]
    sort_by: str = request.get("SortBy", "CreationTime")
    key = table.member(SORT_KEYS.get(sort_by, sort_by))
    found.sort(key=lambda document: document.get(key, 0))
    if request.get("SortOrder", table.order) == "Descending":
        found.reverse()
    start = _start(request.get("NextToken"))
    end = start + request.get("MaxResults", table.page)
    page: Document = {table.output: [_summary(table, document) for document in found[start:end]]}
    if end < len(found):
        page["NextToken"] = base64.urlsafe_b64encode(f"from:{end}".encode()).decode()
    return page


def seconds(time: Any) -> float:
    """Return a time of a request in epoch seconds."""
    return time.timestamp() if isinstance(time, datetime) else float(time)


def _passes(table: Listing, document: Document, request: Document) -> bool:
    return all(
        test(document.get(table.member(key), ""), request[member])
        for member, (key, test) in FILTERS.items()
        if member in request
    )


def _summary(table: Listing, document: Document) -> Document:
    named = {member: document[key] for member, key in table.renamed.items() if key in document}
    return {**document, **named}


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        prefix, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if prefix == "from":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise invalid("Invalid NextToken: pass on the NextToken of the page before, unchanged")
