"""The JSON schema of a raw record, for OpenAPI documents and API Gateway models."""

from typing import Any

from boostline.features.contract import FeatureContract, Input
from boostline.features.values import NUMBER


def record_schema(contract: FeatureContract) -> dict[str, Any]:
    """Describe a raw record as a JSON schema (2020-12, as OpenAPI 3.1 takes it).

    It accepts the canonical forms; the record transform remains the judge, since it also takes
    ``415.0`` for the category ``415``.
    """
    properties = {column.name: _property(contract, column) for column in contract.inputs}
    for name in (*contract.ignored, contract.label):
        properties[name] = {"description": "Ignored."}
    return {
        "type": "object",
        "properties": properties,
        "required": [column.name for column in contract.inputs],
        "additionalProperties": False,
    }


def _property(contract: FeatureContract, column: Input) -> dict[str, Any]:
    texts = list(dict.fromkeys(["", *contract.missing]))
    if column.kind == "numeric":
        number = {"type": "string", "pattern": rf"^[ \t\r\n]*{NUMBER}[ \t\r\n]*$"}
        return {"anyOf": [{"type": ["number", "null"]}, number, {"enum": texts}]}
    if contract.unknown_category == "missing":
        return {"type": ["string", "number", "boolean", "null"]}
    return {"enum": [*_allowed(column.categories), *texts, None]}


def _allowed(categories: list[str]) -> list[str | int | bool]:
    """Each category as text and, where JSON has another way to write it, in that way as well."""
    allowed: list[str | int | bool] = []
    for text in categories:
        allowed.append(text)
        if text in ("true", "false"):
            allowed.append(text == "true")
        elif text.removeprefix("-").isdecimal() and text.isascii() and str(int(text)) == text:
            allowed.append(int(text))
    return allowed
