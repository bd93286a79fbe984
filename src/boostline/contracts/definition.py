"""Pipeline definitions as JSON: read, and refused by name where they could not run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec

from boostline.contracts.pipeline import (
    STEP_TYPES,
    VERSION,
    Condition,
    DefinitionError,
    Fail,
    PipelineDefinition,
    Processing,
    StepUnion,
    dependencies,
    read_by,
    references,
    step_of,
)

_STEP_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def decode(text: str | bytes) -> PipelineDefinition:
    """Read and check a definition.

    Raises
    ------
    DefinitionError
        If it is not JSON, not of the language, or could not run: names used twice, references to
        what is not there, cycles, nested Conditions, steps after a Fail.
    """
    try:
        plain = _without_nulls(msgspec.json.decode(text))
    except msgspec.DecodeError as error:
        raise DefinitionError(f"the pipeline definition is not JSON: {error}") from None
    _refuse_unknown_types(plain)
    try:
        definition = msgspec.convert(plain, PipelineDefinition)
    except msgspec.ValidationError as error:
        where = _step_at(plain, str(error))
        raise DefinitionError(f"{where}the pipeline definition is wrong: {error}") from None
    check(definition)
    return definition


def encode(definition: PipelineDefinition) -> str:
    """Return a definition as JSON."""
    plain = msgspec.to_builtins(definition)
    return msgspec.json.encode({"Version": VERSION, **plain}).decode()


def check(definition: PipelineDefinition) -> None:
    """Raise `DefinitionError` for the first thing that could not run."""
    if not definition.steps:
        raise DefinitionError("Steps: a pipeline needs at least one step")
    steps = {step.name: step for step, _ in definition.walk()}
    _check_names(definition)
    parameters = {parameter.name for parameter in definition.parameters}
    graph: dict[str, set[str]] = {}
    for step, branch in definition.walk():
        if branch is not None and isinstance(step, Condition):
            raise DefinitionError(f"step {step.name}: a Condition cannot stand inside another one")
        graph[step.name] = dependencies(step) | ({branch} if branch else set())
        for name in sorted(graph[step.name]):
            if name not in steps:
                raise DefinitionError(f"step {step.name}: there is no step {name!r} to depend on")
            if isinstance(steps[name], Fail):
                raise DefinitionError(
                    f"step {step.name}: nothing can depend on the Fail step {name}"
                )
        _check_references(step, steps, parameters)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise DefinitionError(f"steps depend on each other: {' → '.join(error.args[1])}") from None


def _refuse_unknown_types(plain: Any) -> None:
    """Name the steps of types that do not run here, before the types are read."""
    pending = _list_in(plain, "Steps")
    for step in pending:
        if not isinstance(step, dict):
            continue
        if step.get("Type") not in STEP_TYPES:
            raise DefinitionError(
                f"step {step.get('Name')}: type {step.get('Type')!r} does not run here; "
                f"what runs: {', '.join(STEP_TYPES)}"
            )
        if step["Type"] == "Condition":
            arguments = step.get("Arguments")
            pending += [*_list_in(arguments, "IfSteps"), *_list_in(arguments, "ElseSteps")]


def _step_at(plain: Any, message: str) -> str:
    """Return the name of the step whose place a message of msgspec's has."""
    found = re.search(r"\$((?:\.(?:Arguments\.)?\w*Steps\[\d+\])+)", message)
    if found is None:
        return ""
    for part in re.findall(r"\w+Steps|Steps|Arguments|\d+", found[1]):
        plain = plain[int(part) if part.isdigit() else part]
    return f"step {plain.get('Name')}: " if isinstance(plain, dict) else ""


def _without_nulls(plain: Any) -> Any:
    """Leave out members that are null: the SDKs send what is not set so, and AWS takes it."""
    if isinstance(plain, dict):
        return {name: _without_nulls(part) for name, part in plain.items() if part is not None}
    return [_without_nulls(part) for part in plain] if isinstance(plain, list) else plain


def _list_in(plain: Any, name: str) -> list[Any]:
    found = plain.get(name) if isinstance(plain, dict) else None
    return list(found) if isinstance(found, list) else []


def _check_names(definition: PipelineDefinition) -> None:
    names = Counter(step.name for step, _ in definition.walk())
    for name, count in names.items():
        if not _STEP_NAME.fullmatch(name):
            raise DefinitionError(f"step {name!r}: a name has 1 to 64 of A-Z a-z 0-9 _ -")
        if count > 1:
            raise DefinitionError(f"step {name}: {count} steps have this name")
    parameters = Counter(parameter.name for parameter in definition.parameters)
    for name, count in parameters.items():
        if count > 1:
            raise DefinitionError(f"parameter {name}: {count} parameters have this name")


def _check_references(
    step: StepUnion, steps: Mapping[str, StepUnion], parameters: set[str]
) -> None:
    for reference in references(read_by(step)):
        root, _, rest = reference.partition(".")
        if root not in ("Parameters", "Steps", "Execution") or not rest:
            raise DefinitionError(
                f"step {step.name}: {reference!r} is not Parameters.X, Steps.X.path or Execution.X"
            )
        if root == "Parameters" and rest not in parameters:
            raise DefinitionError(f"step {step.name}: there is no parameter {rest!r}")
        _, _, path = rest.partition(".")
        if root == "Steps" and path.startswith("PropertyFiles."):
            _check_property_file(step.name, steps[step_of(reference) or ""], path)


def _check_property_file(reader: str, step: StepUnion, path: str) -> None:
    name = path.removeprefix("PropertyFiles.")
    files = step.property_files if isinstance(step, Processing) else []
    if name not in {file.property_file_name for file in files}:
        raise DefinitionError(f"step {reader}: step {step.name} has no property file {name!r}")
