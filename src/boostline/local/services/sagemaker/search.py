"""Search, as far as documents answer it."""

from __future__ import annotations

import operator
from collections.abc import Callable

from boostline.local.services.sagemaker.part import Kind, Part
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid

SEARCHED = ("Endpoint", "ModelPackage", "ModelPackageGroup", "Pipeline", "TrainingJob")
COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "Equals": operator.eq,
    "NotEquals": operator.ne,
    "Contains": operator.contains,
}


class SearchOperations(Part):
    """Search over the resources that SDKs look for."""

    def search(self, request: Document) -> Document:
        """Return resources that satisfy an expression, last changed first."""
        kind, expression = Kind(request["Resource"]), request.get("SearchExpression", {})
        if kind.stem not in SEARCHED:
            what = f"{', '.join(SEARCHED)}; found {kind.stem}"
            raise invalid(f"Search: the local platform has {what}")
        documents = self.platform.resources.list(kind.kind)
        holding = [document for document in documents if _holds(expression, document)]
        found = kind.ordered(holding, {"SortBy": "LastModifiedTime", **request})
        return {"Results": [{kind.stem: document} for document in found]}


def _holds(expression: Document, document: Document) -> bool:
    for member in ("NestedFilters", "SubExpressions"):
        if member in expression:
            raise invalid(f"{member}: the local platform does not have this")
    passed = [_passes(each, document) for each in expression.get("Filters", [])]
    return any(passed) if expression.get("Operator") == "Or" else all(passed)


def _passes(test: Document, document: Document) -> bool:
    comparison, found = test.get("Operator", "Equals"), document.get(test["Name"])
    if comparison not in COMPARISONS:
        here = f"{', '.join(COMPARISONS)}; found {comparison}"
        raise invalid(f"Filter {test['Name']}: the local platform has {here}")
    return found is not None and COMPARISONS[comparison](str(found), test.get("Value", ""))
