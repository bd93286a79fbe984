"""The values of a definition in an execution: references, functions, parameters."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from msgspec import UNSET

from boostline.contracts.pipeline import Parameter, Processing, Value, step_of
from boostline.local.engine.paths import PathError, look_up

Properties = Callable[[str], dict[str, Any]]


class ParameterError(ValueError):
    """Arguments that do not fit the parameters of a pipeline."""


class ResolveError(LookupError):
    """A value that cannot be computed: the message names the reference or the file, and why."""


def arguments(parameters: Iterable[Parameter], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of each parameter: what is given, as text, or its default.

    Raises
    ------
    ParameterError
        If one is unknown, missing, of another type, or not among those allowed.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            raise ParameterError(
                f"Unknown pipeline parameter {name!r}; there are: {', '.join(known) or 'none'}"
            )
    return {name: _argument(parameter, given.get(name)) for name, parameter in known.items()}


def _argument(parameter: Parameter, given: str | None) -> Any:
    if given is None and parameter.default_value is UNSET:
        raise ParameterError(f"Pipeline parameter {parameter.name!r} has no default: give a value")
    value = parameter.default_value if given is None else _parse(parameter, given)
    allowed = parameter.enum_values
    if allowed is not UNSET and value not in allowed:
        raise ParameterError(
            f"Pipeline parameter {parameter.name!r}: {value!r} is not one of {allowed}"
        )
    return value


def _parse(parameter: Parameter, text: str) -> Any:
    try:
        match parameter.type:
            case "Integer":
                return int(text)
            case "Float":
                return float(text)
            case "Boolean":
                return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise ParameterError(
            f"Pipeline parameter {parameter.name!r}: {text!r} is not of type {parameter.type}"
        ) from None
    return text


@dataclass(frozen=True)
class Resolver:
    """Computes values.

    Parameters
    ----------
    parameters, execution
        What `Parameters.X` and `Execution.X` read.
    properties
        What a step that is done describes, by its name.
    files
        The processing steps, whose property files `Std:JsonGet` reads.
    read
        The content at an S3 URI; raises `LookupError`, `ValueError` or `OSError`.
    """

    parameters: Mapping[str, Any]
    execution: Mapping[str, str]
    properties: Properties
    files: Mapping[str, Processing]
    read: Callable[[str], bytes]

    def resolve(self, value: Value) -> Any:
        """Return a value with every function in it computed.

        Raises
        ------
        ResolveError
            If one cannot be.
        """
        if isinstance(value, list):
            return [self.resolve(part) for part in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, content),) = value.items()
            if name == "Get":
                return self._get(content)
            if name == "Std:Join":
                return self._join(content)
            if name == "Std:JsonGet":
                return self._json_get(content)
        return {key: self.resolve(part) for key, part in value.items()}

    def with_execution(self, more: Mapping[str, str]) -> Resolver:
        """Return a resolver that knows more of `Execution.X`."""
        return replace(self, execution={**self.execution, **more})

    def origin(self, content: dict[str, Any]) -> str:
        """Return the file and the path that a `Std:JsonGet` reads, for a message."""
        return f"{self._uri(content)}: {self.resolve(content['Path'])!r}"

    def _get(self, reference: str) -> Any:
        root, _, rest = reference.partition(".")
        if root == "Parameters":
            return self.parameters[rest]
        if root == "Execution":
            if rest not in self.execution:
                known = ", ".join(sorted(self.execution))
                raise ResolveError(f"{reference}: the execution has {known}")
            return self.execution[rest]
        step = step_of(reference) or ""
        try:
            return look_up(self.properties(step), rest[len(step) :].removeprefix("."))
        except PathError as error:
            raise ResolveError(f"{reference}: {error}") from None

    def _join(self, content: dict[str, Any]) -> str:
        return str(content.get("On", "")).join(_text(self.resolve(v)) for v in content["Values"])

    def _json_get(self, content: dict[str, Any]) -> Any:
        uri = self._uri(content)
        path = self.resolve(content["Path"])
        try:
            document = json.loads(self.read(uri))
        except LookupError:
            raise ResolveError(f"{uri}: there is no such file to read {path!r} in") from None
        except ValueError as error:
            raise ResolveError(f"{uri}: cannot read {path!r}: {error}") from None
        try:
            return look_up(document, path)
        except PathError as error:
            raise ResolveError(f"{uri}: {error}") from None

    def _uri(self, content: dict[str, Any]) -> str:
        if "S3Uri" in content:
            return str(self.resolve(content["S3Uri"]))
        reference = content["PropertyFile"]["Get"]
        step = step_of(reference) or ""
        name = reference.rpartition("PropertyFiles.")[2]
        file = next(f for f in self.files[step].property_files if f.property_file_name == name)
        path = f"ProcessingOutputConfig.Outputs['{file.output_name}'].S3Output.S3Uri"
        folder = self._get(f"Steps.{step}.{path}")
        return f"{folder.rstrip('/')}/{file.file_path}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
