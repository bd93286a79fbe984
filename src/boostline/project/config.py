"""`boostline.toml` as types."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, PrivateAttr, model_validator

from boostline.contracts.metrics import METRICS
from boostline.features.spec import FeatureSpec

PROJECT_TAG = "boostline:project"
Scalar: TypeAlias = str | int | float | bool
InstanceType: TypeAlias = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$")]
Objective: TypeAlias = Literal["binary"]  # what the container's programs can train so far


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ProjectSection(_Section):
    """Who the project is; its name is part of the name of all it makes."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=32)]
    description: str = ""


class Data(_Section):
    """The table, and what is to be predicted."""

    path: str
    label: str
    objective: Objective = "binary"
    classes: list[str] | None = None
    missing: list[str] = [""]


class Features(_Section):
    """The columns that count."""

    numeric: list[str] = []
    categorical: list[str] = []
    ignore: list[str] = []
    derived: dict[str, str] = {}
    unknown_category: Literal["error", "missing"] = "error"


class Split(_Section):
    """Shares of the rows, and the seed that decides which row goes where."""

    train: Annotated[float, Field(gt=0, lt=1)] = 0.7
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.15
    test: Annotated[float, Field(gt=0, lt=1)] = 0.15
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _whole(self) -> Split:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + validation + test is {total:g}: the shares must add up to 1")
        return self


class Job(_Section):
    """Where a job runs."""

    instance_type: InstanceType = "ml.m5.xlarge"
    instance_count: PositiveInt = 1
    max_runtime_seconds: Annotated[int, Field(ge=1, le=777_600)] = 3600


class Train(Job):
    """What trains, and with what."""

    flavor: str = "xgboost"
    hyperparameters: dict[str, Scalar] = {}


class Gate(_Section):
    """A bound that a metric on the test split must keep, or nothing is registered."""

    metric: str
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Gate:
        if (self.min is None) == (self.max is None):
            raise ValueError("a gate has either min or max")
        return self

    @property
    def bound(self) -> float:
        """The number of `min` or `max`."""
        return self.max if self.min is None else self.min  # type: ignore[return-value]

    @property
    def kind(self) -> Literal["min", "max"]:
        """Which of the two bounds it is."""
        return "max" if self.min is None else "min"

    def holds(self, value: float) -> bool:
        """Say whether a value keeps the bound; NaN never does."""
        return value >= self.bound if self.kind == "min" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.metric} {'>=' if self.kind == 'min' else '<='} {self.bound:g}"


class Deploy(_Section):
    """What an endpoint runs on."""

    instance_type: InstanceType = "ml.m5.large"
    instance_count: PositiveInt = 1


class Api(_Section):
    """The REST API's limits for a key: requests a second, a burst of them, and a day's quota."""

    rate: Annotated[float, Field(gt=0)] = 50.0
    burst: PositiveInt = 100
    quota: PositiveInt | None = None


class Aws(_Section):
    """The one account and region that `--target aws` may act on."""

    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    role: str
    bucket: str | None = None
    image: str | None = None


class Config(_Section):
    """The whole file, validated with its folder as the context's `root`."""

    _root: Path = PrivateAttr(default=Path())
    project: ProjectSection
    data: Data
    features: Features
    split: Split = Split()
    process: Job = Job()
    train: Train = Train()
    evaluate: Job = Job()
    gate: Annotated[list[Gate], Field(min_length=1)]
    deploy: Deploy = Deploy()
    api: Api = Api()
    aws: Aws | None = None
    tags: dict[Annotated[str, Field(min_length=1, max_length=128)], str] = {}

    def model_post_init(self, context: Any, /) -> None:
        """Keep the folder that the file's paths are relative to."""
        self._root = context["root"]

    @property
    def root(self) -> Path:
        """The folder of the file."""
        return self._root

    @property
    def name(self) -> str:
        """The project's name."""
        return self.project.name

    @property
    def table(self) -> Path:
        """The table's file or folder."""
        return self.root / self.data.path

    @property
    def spec(self) -> FeatureSpec:
        """What the file declares about features."""
        members: dict[str, Any] = {**self.data.model_dump(), **self.features.model_dump()}
        del members["path"]
        return FeatureSpec(**members)

    @property
    def tagging(self) -> list[dict[str, str]]:
        """The tags of all that belongs to the project, as AWS lists them."""
        every = {PROJECT_TAG: self.name, **self.tags}
        return [{"Key": key, "Value": text} for key, text in every.items()]

    def metrics(self) -> tuple[str, ...]:
        """Return the metrics that a gate of this project can name."""
        return METRICS[self.data.objective]
