"""Search, as far as documents answer it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from boostline.local.services.sagemaker.listing import Kind
from boostline.local.services.sagemaker.part import Part
from boostline.local.store.resources import Document
from boostline.local.wire.errors import invalid

SEARCHED = ("Endpoint", "ModelPackage", "ModelPackageGroup", "Pipeline", "TrainingJob")
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Equals": operator.eq,
    "NotEquals": operator.ne,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
    "Contains": operator.contains,
    "In": lambda found, value: found in [each.strip() for each in value.split(",")],
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
    if "NestedFilters" in expression:
        raise invalid("NestedFilters: the local platform does not have this")
    parts = [_passes(each, document) for each in expression.get("Filters", [])]
    parts += [_holds(each, document) for each in expression.get("SubExpressions", [])]
    return any(parts) if expression.get("Operator") == "Or" else all(parts)


def _passes(test: Document, document: Document) -> bool:
    found: Any = document
    for name in test["Name"].split("."):
        found = found.get(name) if isinstance(found, dict) else None
    comparison, value = test.get("Operator", "Equals"), test.get("Value", "")
    if comparison in ("Exists", "NotExists") or found is None:
        return bool(comparison == ("Exists" if found is not None else "NotExists"))
    try:
        return bool(COMPARISONS[comparison](found, type(found)(value)))
    except (TypeError, ValueError):
        raise invalid(f"Filter {test['Name']} {comparison} {value!r}: {found!r} has none") from None
