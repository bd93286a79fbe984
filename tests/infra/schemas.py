"""The registry's schema of a resource type, as cfn-lint carries it, checked on resolved properties.

Faster than cfn-lint, and under each choice of parameters: what a function gives is checked too.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from boostline.contracts.patterns import compiled
from tests.infra.rendering import REGION, Rendered

# CloudFormation turns texts into what a property is, and the other way round.
_COERCED = {
    "boolean": lambda value: isinstance(value, bool) or value in ("true", "false"),
    "integer": lambda value: _number(value, int),
    "number": lambda value: _number(value, float),
    "string": lambda value: isinstance(value, str | int | float),
}


def problems(rendered: Rendered) -> Iterator[str]:
    """Say where properties are not as their type's schema has them."""
    for one in rendered.resources.values():
        if _hollow({name: it for name, it in one.properties.items() if name != "Body"}):
            yield f"{one.name}: something is there, and empty"
        for error in validator(one.type).iter_errors(one.properties):
            where = "/".join(map(str, error.absolute_path))
            yield f"{one.name} {where}: {error.message:.200}"


def _hollow(node: Any) -> bool:
    if isinstance(node, dict | list):
        inner = node.values() if isinstance(node, dict) else node
        return not node or any(map(_hollow, inner))
    return False


def handlers(kind: str) -> dict[str, dict[str, list[str]]]:
    """Return the permissions that CloudFormation takes to create, read, update, delete a type."""
    found: dict[str, dict[str, list[str]]] = _schema(kind).get("handlers", {})
    return found


def retention() -> list[int]:
    """Return the days that logs can be kept."""
    found: list[int] = _schema("AWS::Logs::LogGroup")["properties"]["RetentionInDays"]["enum"]
    return found


def _schema(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    return found


@cache
def validator(kind: str) -> Any:
    """Return the validator of a type's properties."""
    schema = _schema(kind)
    checker = jsonschema.Draft7Validator.TYPE_CHECKER
    for name, check in _COERCED.items():
        checker = checker.redefine(name, lambda _, value, check=check: check(value))
    made = jsonschema.validators.extend(
        jsonschema.Draft7Validator, {"pattern": _pattern}, type_checker=checker
    )
    writable = {
        name: inner
        for name, inner in schema["properties"].items()
        if f"/properties/{name}" not in schema.get("readOnlyProperties", [])
    }
    return made({**schema, "properties": writable})


def _pattern(_: Any, pattern: str, value: object, __: Any) -> Iterator[jsonschema.ValidationError]:
    """Check a pattern in the language of the services', which is not Python's."""
    if isinstance(value, str) and not compiled(pattern).search(value):
        yield jsonschema.ValidationError(f"{value!r:.100} does not match {pattern!r}")


def _number(value: Any, kind: type[int] | type[float]) -> bool:
    if isinstance(value, bool):
        return False
    try:
        kind(value)
    except (TypeError, ValueError):
        return False
    return True
