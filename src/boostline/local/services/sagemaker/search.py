"""Search, as far as documents answer it."""

from __future__ import annotations

import operator
from collections.abc import Callable

from boostline.local.services.sagemaker.part import Kind, Part, Rules, require
from boostline.local.store.resources import Document

COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "Equals": operator.eq,
    "NotEquals": operator.ne,
    "Contains": operator.contains,
}
RULES: Rules = {
    "Resource": ("Endpoint", "ModelPackage", "ModelPackageGroup", "Pipeline", "TrainingJob"),
    "SearchExpression.Filters[].Operator": (None, *COMPARISONS),
    "SearchExpression.NestedFilters": (None,),
    "SearchExpression.SubExpressions": (None,),
}


class SearchOperations(Part):
    """Search over the resources that SDKs look for."""

    def search(self, request: Document) -> Document:
        """Return resources that satisfy an expression, last changed first."""
        require(request, RULES)
        kind, expression = Kind(request["Resource"]), request.get("SearchExpression", {})
        documents = self.platform.resources.list(kind.kind)
        holding = [document for document in documents if _holds(expression, document)]
        found = kind.ordered(holding, {"SortBy": "LastModifiedTime", **request})
        return {"Results": [{kind.stem: document} for document in found]}


def _holds(expression: Document, document: Document) -> bool:
    passed = [_passes(each, document) for each in expression.get("Filters", [])]
    return any(passed) if expression.get("Operator") == "Or" else all(passed)


def _passes(test: Document, document: Document) -> bool:
    compare, found = COMPARISONS[test.get("Operator", "Equals")], document.get(test["Name"])
    return found is not None and compare(str(found), test.get("Value", ""))
