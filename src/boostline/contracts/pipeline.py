"""The language of SageMaker pipeline definitions, schema version 2020-12-01, as types.

Source: the definition's JSON schema in the SageMaker Pipelines guide, and what the SDKs send.
Functions (`{"Get": …}`, `{"Std:Join": …}`, `{"Std:JsonGet": …}`) stay plain JSON: they may stand
wherever a value may.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Value: TypeAlias = Any  # JSON, in which any part may be a function
Json: TypeAlias = dict[str, Any]

VERSION: Literal["2020-12-01"] = "2020-12-01"
_STEP_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DURATION = (
    r"^P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?"
    r"(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$"
)
_SECONDS = (365 * 86_400, 30 * 86_400, 7 * 86_400, 86_400, 3_600, 60, 1)


class DefinitionError(ValueError):
    """A definition that cannot run: the message names the step or the place, and the reason."""


class _Node(Struct, rename="pascal", omit_defaults=True, kw_only=True):
    pass


class Parameter(_Node, forbid_unknown_fields=True):
    """An argument of an execution."""

    name: str
    type: Literal["String", "Integer", "Float", "Boolean"]
    default_value: str | int | float | bool | UnsetType = UNSET
    enum_values: list[str | int | float | bool] | UnsetType = UNSET


class PropertyFile(_Node, forbid_unknown_fields=True):
    """A JSON file among a processing step's outputs, to be read by `Std:JsonGet`."""

    property_file_name: str
    output_name: str
    file_path: str


class CacheConfig(_Node, forbid_unknown_fields=True):
    """Whether an equal, earlier step may stand for this one; `expire_after` is ISO 8601."""

    enabled: bool
    expire_after: Annotated[str, Meta(pattern=_DURATION)] | UnsetType = UNSET

    def seconds(self) -> float:
        """Return for how long an earlier step counts: 0 where nothing is said."""
        found = re.match(_DURATION, self.expire_after or "")
        parts = found.groups(default="0") if found else ()
        return float(sum(int(part) * unit for part, unit in zip(parts, _SECONDS, strict=False)))


ExceptionType: TypeAlias = Literal[
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
]


class RetryPolicy(_Node, forbid_unknown_fields=True):
    """Which failures start a step again, and how often: not both by count and by time."""

    exception_type: list[ExceptionType]
    interval_seconds: Annotated[int, Meta(ge=0)] = 1
    backoff_rate: Annotated[float, Meta(ge=0)] = 2.0
    max_attempts: Annotated[int, Meta(ge=1, le=20)] | UnsetType = UNSET
    expire_after_min: Annotated[int, Meta(ge=1, le=14_400)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.max_attempts is not UNSET and self.expire_after_min is not UNSET:
            raise ValueError("a RetryPolicy has MaxAttempts or ExpireAfterMin, not both")


class OutputParameter(_Node, forbid_unknown_fields=True):
    """A member of what a Lambda step's function returns."""

    output_name: str
    output_type: Literal["String", "Integer", "Boolean", "Float"] = "String"


class _Comparison(_Node):
    left_value: Value
    right_value: Value


class Equals(_Comparison, tag_field="Type", tag="Equals"):
    """Left = right."""


class GreaterThan(_Comparison, tag_field="Type", tag="GreaterThan"):
    """Left > right."""


class GreaterThanOrEqualTo(_Comparison, tag_field="Type", tag="GreaterThanOrEqualTo"):
    """Left ≥ right."""


class LessThan(_Comparison, tag_field="Type", tag="LessThan"):
    """Left < right."""


class LessThanOrEqualTo(_Comparison, tag_field="Type", tag="LessThanOrEqualTo"):
    """Left ≤ right."""


class In(_Node, tag_field="Type", tag="In"):
    """The value is one of a list."""

    query_value: Value
    values: list[Value]


class Not(_Node, tag_field="Type", tag="Not"):
    """The condition does not hold."""

    condition: ConditionUnion


class Or(_Node, tag_field="Type", tag="Or"):
    """At least one of the conditions holds."""

    conditions: list[ConditionUnion]


ConditionUnion: TypeAlias = (
    Equals | GreaterThan | GreaterThanOrEqualTo | LessThan | LessThanOrEqualTo | In | Not | Or
)


class _Step(_Node, tag_field="Type", kw_only=True):
    name: str
    display_name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    depends_on: list[str] = []


class _JobStep(_Step, kw_only=True):
    arguments: Json
    cache_config: CacheConfig | UnsetType = UNSET
    retry_policies: list[RetryPolicy] = []


class Processing(_JobStep, tag="Processing", kw_only=True):
    """A processing job; `arguments` are CreateProcessingJob's."""

    property_files: list[PropertyFile] = []


class Training(_JobStep, tag="Training", kw_only=True):
    """A training job; `arguments` are CreateTrainingJob's."""


class Transform(_JobStep, tag="Transform", kw_only=True):
    """A transform job; `arguments` are CreateTransformJob's."""


class Model(_Step, tag="Model", kw_only=True):
    """A model; `arguments` are CreateModel's."""

    arguments: Json
    retry_policies: list[RetryPolicy] = []


class RegisterModel(_Step, tag="RegisterModel", kw_only=True):
    """A new version in the registry; `arguments` are CreateModelPackage's."""

    arguments: Json
    retry_policies: list[RetryPolicy] = []


class Lambda(_Step, tag="Lambda", kw_only=True):
    """A call of a function, which gets `arguments` as its event."""

    function_arn: Value
    arguments: Json = {}
    output_parameters: list[OutputParameter] = []
    cache_config: CacheConfig | UnsetType = UNSET


class FailArguments(_Node, forbid_unknown_fields=True):
    """What an execution that ends in a Fail step says."""

    error_message: Value = ""


class Fail(_Step, tag="Fail", kw_only=True):
    """The end of the execution, as Failed."""

    arguments: FailArguments = msgspec.field(default_factory=FailArguments)


class ConditionArguments(_Node, forbid_unknown_fields=True):
    """All `conditions` must hold for the first branch; else the second one is taken."""

    conditions: list[ConditionUnion]
    if_steps: list[StepUnion] = []
    else_steps: list[StepUnion] = []


class Condition(_Step, tag="Condition", kw_only=True):
    """A branch."""

    arguments: ConditionArguments


StepUnion: TypeAlias = (
    Processing | Training | Transform | Model | RegisterModel | Lambda | Fail | Condition
)
STEP_TYPES = sorted(step.__name__ for step in StepUnion.__args__)


class PipelineDefinition(_Node, kw_only=True):
    """A whole definition; members that only describe it (experiments, metadata) are kept."""

    version: Literal["2020-12-01"] = VERSION
    metadata: Json = {}
    parameters: list[Parameter] = []
    pipeline_experiment_config: Json | UnsetType = UNSET
    mlflow_config: Json | UnsetType = UNSET
    steps: list[StepUnion]

    def walk(self) -> Iterator[tuple[StepUnion, str | None]]:
        """Give every step, each with the name of the Condition whose branch it stands in."""
        for step in self.steps:
            yield step, None
            if isinstance(step, Condition):
                for inner in (*step.arguments.if_steps, *step.arguments.else_steps):
                    yield inner, step.name


def get(path: str) -> Json:
    """Return the function that reads `Parameters.X`, `Execution.X` or `Steps.<name>.<path>`."""
    return {"Get": path}


def join(on: str, *values: Value) -> Json:
    """Return the function that joins values to a string."""
    return {"Std:Join": {"On": on, "Values": list(values)}}


def json_get(step: str, property_file: str, path: str) -> Json:
    """Return the function that reads a value in a step's property file."""
    return {
        "Std:JsonGet": {
            "PropertyFile": get(f"Steps.{step}.PropertyFiles.{property_file}"),
            "Path": path,
        }
    }


def references(value: Value) -> Iterator[str]:
    """Give the path of every `Get` in a value, those inside other functions too."""
    if isinstance(value, Struct):
        value = msgspec.to_builtins(value)
    if isinstance(value, Mapping):
        if set(value) == {"Get"} and isinstance(value["Get"], str):
            yield value["Get"]
        else:
            for part in value.values():
                yield from references(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from references(part)


def step_of(reference: str) -> str | None:
    """Return the step that a reference reads, or None if it reads a parameter or the execution."""
    root, _, rest = reference.partition(".")
    return re.split(r"[.\[]", rest, maxsplit=1)[0] if root == "Steps" else None


def dependencies(step: StepUnion) -> set[str]:
    """Return the steps that must be done before this one: those it reads and those it names."""
    found = {step_of(reference) for reference in references(_read_by(step))}
    return {name for name in found if name is not None} | set(step.depends_on)


def _read_by(step: StepUnion) -> Value:
    """Return what is computed when a step starts: not what stands in the branches."""
    if isinstance(step, Condition):
        return step.arguments.conditions
    return [step.arguments, step.function_arn] if isinstance(step, Lambda) else step.arguments


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
    for reference in references(_read_by(step)):
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
