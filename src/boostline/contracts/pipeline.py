"""The language of SageMaker pipeline definitions, schema version 2020-12-01, as types.

Source: the definition's JSON schema in the SageMaker Pipelines guide, and what the SDKs send.
Functions (`{"Get": …}`, `{"Std:Join": …}`, `{"Std:JsonGet": …}`) stay plain JSON: they may stand
wherever a value may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Value: TypeAlias = Any  # JSON, in which any part may be a function
Json: TypeAlias = dict[str, Any]

VERSION: Literal["2020-12-01"] = "2020-12-01"
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
    found = {step_of(reference) for reference in references(read_by(step))}
    return {name for name in found if name is not None} | set(step.depends_on)


def read_by(step: StepUnion) -> Value:
    """Return what is computed when a step starts: not what stands in the branches."""
    if isinstance(step, Condition):
        return step.arguments.conditions
    return [step.arguments, step.function_arn] if isinstance(step, Lambda) else step.arguments
