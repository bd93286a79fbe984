"""The List* operations: one function, and a table of how they differ."""

from __future__ import annotations

import base64
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid

PAGE = 10

SIDES = {"After": operator.gt, "Before": operator.lt}
# Filter → the document's member, which may be one that `Listing.member` knows; the test.
FILTERS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "NameContains": ("name", lambda found, asked: asked.lower() in found.lower()),
    "PipelineNamePrefix": ("name", str.startswith),
    "StatusEquals": ("status", operator.eq),
    "ModelApprovalStatus": ("ModelApprovalStatus", operator.eq),
    **{f"CreationTime{side}": ("created", test) for side, test in SIDES.items()},
    **{f"Created{side}": ("created", test) for side, test in SIDES.items()},
    **{f"LastModifiedTime{side}": ("LastModifiedTime", test) for side, test in SIDES.items()},
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
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("from:"))
    except ValueError:  # of each of the three
        raise invalid("Invalid NextToken: pass on the page's before, unchanged") from None
