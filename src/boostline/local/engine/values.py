"""The values of a definition in an execution: references, functions, parameters, conditions."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from boostline.contracts.pipeline import (
    ConditionUnion,
    Equals,
    In,
    Not,
    Or,
    Parameter,
    StepUnion,
    Value,
    step_of,
)
from boostline.local.engine.paths import ResolveError, look_up
from boostline.local.store.objects import NoSuchBucket, NoSuchKey
from boostline.local.wire.errors import invalid

TYPES = {"String": str, "Integer": int, "Float": float, "Boolean": bool}
ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
Properties = Callable[[str], dict[str, Any]]


def arguments(parameters: Iterable[Parameter], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of each parameter: what is given, as text, or its default.

    Raises `AwsError` if one is unknown, missing, of another type, or not allowed.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            there = ", ".join(known) or "none"
            raise invalid(f"Unknown pipeline parameter {name!r}; there are: {there}")
    return {name: _argument(parameter, given.get(name)) for name, parameter in known.items()}


def _argument(parameter: Parameter, given: str | None) -> Any:
    where = f"Pipeline parameter {parameter.name!r}"
    if given is None and parameter.default_value is UNSET:
        raise invalid(f"{where} has no default: give a value")
    try:
        value = parameter.default_value if given is None else parse(parameter.type, given)
    except ValueError:
        raise invalid(f"{where}: {given!r} is not of type {parameter.type}") from None
    allowed = parameter.enum_values
    if allowed is not UNSET and value not in allowed:
        raise invalid(f"{where}: {value!r} is not one of {allowed}")
    return value


def parse(kind: str, written: str) -> Any:
    """Return the value of a text by its type's name; `ValueError` if it is none."""
    return msgspec.convert(written, TYPES[kind], strict=False)


@dataclass(frozen=True)
class Resolver:
    """Computes values.

    `parameters` and `execution` are what `Parameters.X` and `Execution.X` read, `properties` gives
    what a step that is done describes, `steps` have the property files that `Std:JsonGet` reads,
    and `read` gives the content at an S3 URI.
    """

    parameters: dict[str, Any]
    execution: dict[str, str]
    properties: Properties
    steps: Mapping[str, StepUnion]
    read: Callable[[str], bytes]

    def resolve(self, value: Value) -> Any:
        """Return a value with every function in it computed, or raise `ResolveError`."""
        if isinstance(value, list):
            return [self.resolve(part) for part in value]
        if not isinstance(value, dict):
            return value
        functions: dict[str, Callable[[Any], Any]] = {
            "Get": self._get,
            "Std:Join": self._join,
            "Std:JsonGet": self._json_get,
        }
        if len(value) == 1 and (name := next(iter(value))) in functions:
            return functions[name](value[name])
        return {key: self.resolve(part) for key, part in value.items()}

    def origin(self, value: Value) -> str:
        """Return where a value comes from, for a message: a file and a path in it, or a name."""
        content = value.get("Std:JsonGet") if isinstance(value, dict) else None
        if content:
            return f"{self._uri(content)}: {self.resolve(content['Path'])!r}"
        return str(value.get("Get", value) if isinstance(value, dict) else value)

    def _get(self, reference: str) -> Any:
        root, _, path = reference.partition(".")
        if step := step_of(reference):
            rest = path[len(step) :].removeprefix(".")
            return look_up(self.properties(step), rest, reference)
        known = {"Parameters": self.parameters, "Execution": self.execution}
        return look_up(known[root], path, reference)

    def _join(self, content: dict[str, Any]) -> str:
        return str(content.get("On", "")).join(text(self.resolve(v)) for v in content["Values"])

    def _json_get(self, content: dict[str, Any]) -> Any:
        uri = self._uri(content)
        path = self.resolve(content["Path"])
        try:
            document = json.loads(self.read(uri))
        except (NoSuchKey, NoSuchBucket):
            raise ResolveError(f"{uri}: there is no such file to read {path!r} in") from None
        except ValueError as error:
            raise ResolveError(f"{uri}: cannot read {path!r}: {error}") from None
        return look_up(document, path, uri)

    def _uri(self, content: dict[str, Any]) -> str:
        if "S3Uri" in content:
            return str(self.resolve(content["S3Uri"]))
        reference = content["PropertyFile"]["Get"]
        step = step_of(reference) or ""
        name = reference.rpartition("PropertyFiles.")[2]
        files = getattr(self.steps[step], "property_files", ())
        file = next(file for file in files if file.property_file_name == name)
        path = f"ProcessingOutputConfig.Outputs['{file.output_name}'].S3Output.S3Uri"
        folder = self._get(f"Steps.{step}.{path}")
        return f"{folder.rstrip('/')}/{file.file_path}"


def text(value: Any) -> str:
    """Return a value as a text has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)


def holds(condition: ConditionUnion, resolver: Resolver) -> bool:
    """Return whether a condition holds.

    Raises `ResolveError` if a value is missing, or no finite number where numbers are compared:
    nothing is taken for false, or a metric that is not there would pass by `Not` or `LessThan`.
    """
    match condition:
        case Not():
            return not holds(condition.condition, resolver)
        case Or():
            results = [holds(inner, resolver) for inner in condition.conditions]
            return any(results)
        case In():
            found = _value(condition.query_value, resolver)
            return any(_equal(found, _value(value, resolver)) for value in condition.values)
    sides = condition.left_value, condition.right_value
    ordered = not isinstance(condition, Equals)
    left, right = (_value(side, resolver, number=ordered) for side in sides)
    return ORDERINGS[type(condition).__name__](left, right) if ordered else _equal(left, right)


def _equal(left: Any, right: Any) -> bool:
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _value(value: Any, resolver: Resolver, *, number: bool = False) -> Any:
    found = resolver.resolve(value)
    real = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
    if (number or isinstance(found, float)) and not real:
        where = resolver.origin(value)
        raise ResolveError(f"{where} is {found!r}, not a finite number")
    return found
