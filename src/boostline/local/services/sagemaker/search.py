"""Search, as far as documents answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boostline.local.services.sagemaker.listing import Listing, listing, seconds
from boostline.local.services.sagemaker.part import Document, Part
from boostline.local.wire.errors import invalid

# Resource → its kind.
KINDS = {
    "Endpoint": "endpoint",
    "ModelPackage": "model-package",
    "ModelPackageGroup": "model-package-group",
    "Pipeline": "pipeline",
    "TrainingJob": "training-job",
}
OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    "Equals": lambda found, value: _like(found, value) == found,
    "NotEquals": lambda found, value: _like(found, value) != found,
    "Contains": lambda found, value: value in str(found),
    "In": lambda found, value: str(found) in [each.strip() for each in value.split(",")],
    "GreaterThan": lambda found, value: found > _like(found, value),
    "GreaterThanOrEqualTo": lambda found, value: found >= _like(found, value),
    "LessThan": lambda found, value: found < _like(found, value),
    "LessThanOrEqualTo": lambda found, value: found <= _like(found, value),
}


class SearchOperations(Part):
    """Search over the resources that SDKs look for."""

    def search(self, request: Document) -> Document:
        """Return resources that satisfy an expression, last changed first."""
        resource, expression = request["Resource"], request.get("SearchExpression", {})
        if resource not in KINDS:
            raise invalid(f"Search: the local platform has {', '.join(KINDS)}; found {resource}")
        found = []
        for document in self.platform.resources.list(KINDS[resource]):
            tagged = {**document, "Tags": self.tags(document[f"{resource}Arn"])}
            if _holds(expression, tagged):
                found.append({**tagged, resource: tagged})
        order = {"SortBy": "LastModifiedTime", "SortOrder": "Descending"}
        return listing(Listing("Results", f"{resource}Name"), found, {**order, **request})


def _holds(expression: Document, document: Document) -> bool:
    if "NestedFilters" in expression:
        raise invalid("NestedFilters: the local platform does not have this")
    parts = [_passes(each, document) for each in expression.get("Filters", [])]
    parts += [_holds(each, document) for each in expression.get("SubExpressions", [])]
    return any(parts) if expression.get("Operator") == "Or" else all(parts)


def _passes(filter_: Document, document: Document) -> bool:
    found: Any = document
    for name in filter_["Name"].split("."):
        found = found.get(name) if isinstance(found, dict) else None
    operator = filter_.get("Operator", "Equals")
    if operator in ("Exists", "NotExists") or found is None:
        return operator == ("Exists" if found is not None else "NotExists")
    return bool(OPERATORS[operator](found, filter_.get("Value", "")))


def _like(found: Any, value: str) -> Any:
    """Return a filter's value as what it is compared with."""
    try:
        return type(found)(value) if isinstance(found, int | float) else value
    except ValueError:
        return seconds(value)
