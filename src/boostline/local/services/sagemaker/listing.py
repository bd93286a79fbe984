"""The kinds of resources, and how each is listed: one function, and a table of the filters."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

from boostline.contracts.models import service_model
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError

SIDES = {"After": operator.gt, "Before": operator.lt}
# Filter → the document's member, or what follows the kind's stem in it; the test.
FILTERS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "NameContains": ("Name", lambda found, asked: asked.lower() in found.lower()),
    "PipelineNamePrefix": ("Name", str.startswith),
    "StatusEquals": ("Status", operator.eq),
    "ModelApprovalStatus": ("ModelApprovalStatus", operator.eq),
    **{f"CreationTime{side}": ("CreationTime", test) for side, test in SIDES.items()},
    **{f"Created{side}": ("CreationTime", test) for side, test in SIDES.items()},
    **{f"LastModifiedTime{side}": ("LastModifiedTime", test) for side, test in SIDES.items()},
}


@dataclass(frozen=True)
class Kind:
    """A kind of resource, from which its Describe, List and Delete operations follow.

    Parameters
    ----------
    stem
        Stem of its members and operations: `EndpointConfig` of `EndpointConfigName`, …
    order
        The List operation's `SortOrder` where the caller gives none.
    missing, taken
        What is said of a name that is not there, or not free; `{arn}` and `{name}` are filled in.
    missing_code, taken_code
        The errors' names.
    """

    stem: str
    order: str = "Descending"
    missing: str = 'Could not find {words} "{arn}".'
    taken: str = 'Cannot create already existing {words} "{arn}".'
    missing_code: str = "ValidationException"
    taken_code: str = "ValidationException"

    @property
    def kind(self) -> str:
        """Its name among the resources and in ARNs, for example `endpoint-config`."""
        return str(xform_name(self.stem, "-"))

    def refusal(self, code: str, text: str, name: str, arn: str) -> AwsError:
        """Return what is said of a resource."""
        return AwsError(code, text.format(words=self.kind.replace("-", " "), name=name, arn=arn))

    def member(self, key: str) -> str:
        """Return the document's member for a filter's or an order's key."""
        return f"{self.stem}{key}" if key in ("Name", "Status") else key

    def ordered(self, documents: Iterable[Document], request: Document) -> list[Document]:
        """Return the documents that a request asks for.

        `documents` come oldest first; equal keys keep that order.
        """
        found = [document for document in documents if self._passes(document, request)]
        key = self.member(request.get("SortBy", "CreationTime"))
        found.sort(key=lambda document: document.get(key, 0))
        return found[::-1] if request.get("SortOrder", self.order) == "Descending" else found

    def _passes(self, document: Document, request: Document) -> bool:
        return all(
            test(document.get(self.member(key), ""), request[asked])
            for asked, (key, test) in FILTERS.items()
            if asked in request
        )

    def listed(self, documents: Iterable[Document], request: Document) -> Document:
        """Return what its List operation answers; the wire leaves out what no summary has."""
        shape = service_model("sagemaker").operation_model(f"List{self.stem}s").output_shape
        (output,) = (name for name, member in shape.members.items() if member.type_name == "list")
        return {output: self.ordered(documents, request)}
