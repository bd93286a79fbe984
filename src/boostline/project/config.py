"""`boostline.toml` as types."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, PrivateAttr, model_validator

from boostline.contracts import metrics
from boostline.features.spec import FeatureSpec

BOUNDS = {"min": ">=", "max": "<=", "max_drop": "drop <="}
NAME, NAME_LENGTH = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", 32
SAMPLE = "sample_request.json"
ROLES = ("process", "train", "evaluate", "serve")
# Of a project that declares none: production follows staging, with a canary.
STAGES: dict[str, dict[str, Any]] = {
    "staging": {},
    "prod": {"after": "staging", "instance_count": 2, "canary_percent": 50},
}
TAG = r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$"  # what AWS takes: letters, spaces, numbers, some signs
PROJECT_TAG = "sagemaker:project"  # SageMaker Projects tag what is theirs with -name and -id
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Scalar: TypeAlias = str | int | float | bool
InstanceType: TypeAlias = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9-]+$")]
AccountId: TypeAlias = Annotated[str, Field(pattern=r"^\d{12}$")]
RoleArn: TypeAlias = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")]
StageName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,19}$")]
Objective: TypeAlias = Literal["binary", "multiclass", "regression"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ProjectSection(_Section):
    """Who the project is; its name is part of the name of all it makes."""

    name: Annotated[str, Field(pattern=NAME, max_length=NAME_LENGTH)]
    id: str | None = None
    description: Annotated[str, Field(max_length=1024)] = ""


class Data(_Section):
    """The table, and what is to be predicted; `malformed` rows are counted, and left out."""

    path: Annotated[str, Field(min_length=1)]
    label: str
    objective: Objective = "binary"
    classes: list[str] | None = None
    missing: list[str] = [""]
    malformed: Annotated[int, Field(ge=0)] = 0


class Features(_Section):
    """The columns that count."""

    numeric: list[str] = []
    categorical: list[str] = []
    ignore: list[str] = []
    derived: dict[str, str] = {}
    unknown_category: Literal["error", "missing"] = "error"


class Split(_Section):
    """Shares of the rows, and what decides which row goes where.

    That is the row's content and the seed; with `by`, the content of that column, so that its
    groups stay whole; with `time`, the column's order, the newest rows being the test split.
    """

    train: Annotated[float, Field(gt=0, lt=1)] = 0.7
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.15
    test: Annotated[float, Field(gt=0, lt=1)] = 0.15
    seed: Annotated[int, Field(ge=0)] = 0
    by: str | None = None
    time: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Split:
        if self.by is not None and self.time is not None:
            raise ValueError("the rows are split by a column or by time, not both")
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + validation + test is {total:g}: the shares must add up to 1")
        return self


class Code(_Section):
    """A user's file, and the `requirements.txt` beside it if there is one."""

    code: str | None = None


class Job(Code):
    """What a job runs, and where."""

    instance_type: InstanceType = "ml.m5.xlarge"
    instance_count: PositiveInt = 1
    max_runtime_seconds: Annotated[int, Field(ge=1, le=777_600)] = 3600


class Train(Job):
    """What trains, and with what."""

    flavor: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=64)] = "xgboost"
    hyperparameters: dict[str, Scalar] = {}


class Evaluate(Job):
    """What is looked at beside the metrics: these categorical columns, each category apart."""

    slices: list[str] = []


class Gate(_Section):
    """A bound that a metric on the test split must keep, or nothing is registered.

    `max_drop` bounds how much worse it may be than that of the approved version.
    """

    metric: str
    min: Finite | None = None
    max: Finite | None = None
    max_drop: Annotated[Finite, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Gate:
        if len(self._bounds) != 1:
            raise ValueError(f"a gate has one of {', '.join(BOUNDS)}")
        return self

    @property
    def _bounds(self) -> dict[str, float]:
        found = {kind: getattr(self, kind) for kind in BOUNDS}
        return {kind: bound for kind, bound in found.items() if bound is not None}

    @property
    def kind(self) -> str:
        """Which of `BOUNDS` it is."""
        return next(iter(self._bounds))

    @property
    def bound(self) -> float:
        """The bound's number."""
        return self._bounds[self.kind]

    def path(self, objective: str) -> str:
        """Return the place in `evaluation.json` of the value that it bounds."""
        if self.kind == "max_drop":
            return metrics.drop_path(self.metric)
        return metrics.path(objective, self.metric)

    def holds(self, value: float) -> bool:
        """Say whether a value keeps the bound; NaN never does."""
        return value >= self.bound if self.kind == "min" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.metric} {BOUNDS[self.kind]} {self.bound:g}"


class StageAws(_Section):
    """Another account than the project's, and the role there that deploys a stage.

    Versions, their artifacts and their images stay in the project's account. `parameters` are those
    of the other account's templates, by name.
    """

    account: AccountId
    deployer_role: RoleArn | None = None
    bucket: str | None = None
    parameters: dict[str, str] = {}


class Deploy(_Section):
    """What a stage runs on, how it is changed, and what it has to pass.

    With `after`, a version must have passed the smoke test of that stage before. A canary gets that
    share of the traffic for `bake_seconds`, while the alarms are watched, before the rest follows;
    0 moves it all at once. `parameters` are further ones of the template, by their names there.
    """

    after: str | None = None
    instance_type: InstanceType = "ml.m5.large"
    instance_count: PositiveInt = 1
    max_instance_count: PositiveInt | None = None
    canary_percent: Annotated[int, Field(ge=0, le=50)] = 0
    bake_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    capture_percent: Annotated[int, Field(ge=0, le=100)] = 100
    latency_ms: PositiveInt = 1000
    parameters: dict[str, str] = {}
    aws: StageAws | None = None

    @property
    def bake(self) -> int:
        """How many seconds the alarms are watched: with a canary, for long enough by default."""
        if self.bake_seconds is not None:
            return self.bake_seconds
        return 300 if self.canary_percent else 0

    @model_validator(mode="after")
    def _possible(self) -> Deploy:
        # AWS: a canary is at most half of the instances, and at least one.
        if self.canary_percent and self.instance_count < 2:
            raise ValueError("a canary needs an instance_count of 2 at least")
        if self.max_instance_count and self.max_instance_count < self.instance_count:
            raise ValueError("max_instance_count is less than instance_count")
        return self


class Api(_Section):
    """The REST API's limits for a key: requests a second, a burst of them, and a day's quota."""

    rate: Annotated[Finite, Field(ge=1, le=10_000)] = 50.0
    burst: Annotated[int, Field(ge=1, le=5_000)] = 100
    quota: PositiveInt | None = None


class Aws(_Section):
    """The account and region that `--target aws` may act on; a stage may name another account.

    `boostline aws bootstrap` makes the role, of the stacks whose `parameters` these are, by name.
    """

    account: AccountId
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    role: str | None = None
    bucket: str | None = None
    image: str | None = None
    parameters: dict[str, str] = {}


def default_bucket(account: str, region: str) -> str:
    """Return the name of the bucket of an account that names none."""
    return f"boostline-{region}-{account}"


class Config(_Section):
    """The whole file, validated with its folder as the context's `root`."""

    _root: Path = PrivateAttr(default=Path())
    project: ProjectSection
    data: Data
    features: Features
    split: Split = Split()
    process: Job = Job()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    serve: Code = Code()
    gate: Annotated[list[Gate], Field(min_length=1)]
    deploy: Deploy = Deploy()
    stages: Annotated[dict[StageName, Deploy], Field(min_length=1)]
    api: Api = Api()
    aws: Aws | None = None
    tags: Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=128, pattern=TAG)],
            Annotated[str, Field(max_length=256, pattern=TAG)],
        ],
        Field(max_length=48),  # of AWS's 50, two are ours
    ] = {}

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, content: Any) -> Any:
        """Give each stage what `[deploy]` says and it does not."""
        if not isinstance(content, dict):
            return content
        stages, base = content.get("stages", STAGES), content.get("deploy", {})
        if not isinstance(stages, dict) or not isinstance(base, dict):
            return content
        merged = {n: {**base, **own} if isinstance(own, dict) else own for n, own in stages.items()}
        return {**content, "stages": merged}

    @model_validator(mode="after")
    def _ordered(self) -> Config:
        earlier: set[str | None] = {None}
        for name, stage in self.stages.items():
            if stage.after not in earlier:
                raise ValueError(f"stages.{name}.after: {stage.after!r} is no stage above it")
            earlier.add(name)
        return self

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
    def sample(self) -> Path:
        """The file of a raw record to try the model with."""
        return self.root / SAMPLE

    @property
    def spec(self) -> FeatureSpec:
        """What the file declares about features."""
        members: dict[str, Any] = {**self.data.model_dump(), **self.features.model_dump()}
        names = FeatureSpec.__struct_fields__
        return FeatureSpec(**{name: members[name] for name in names})

    @property
    def code(self) -> dict[str, Path]:
        """The user's own files by role."""
        found = {role: getattr(self, role).code for role in ROLES}
        return {role: self.root / path for role, path in found.items() if path}

    @property
    def compares(self) -> bool:
        """Whether a gate asks for a comparison with the approved version."""
        return any(gate.kind == "max_drop" for gate in self.gate)

    @property
    def tagging(self) -> list[dict[str, str]]:
        """The tags of all that belongs to the project, as AWS lists them."""
        every = {**self.tags, f"{PROJECT_TAG}-name": self.name}
        if self.project.id is not None:
            every[f"{PROJECT_TAG}-id"] = self.project.id
        return [{"Key": key, "Value": text} for key, text in every.items()]
