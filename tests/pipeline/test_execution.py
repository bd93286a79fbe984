"""The example's pipeline on the real platform, with programs that answer at once.

Each platform here maps the model image to a script that writes a given `evaluation.json`.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from boostline.contracts.definition import encode
from boostline.deploy import registry
from boostline.deploy.registry import NotApprovedError
from boostline.pipeline import data, execution
from boostline.pipeline.definition import Place, build
from boostline.pipeline.execution import Submission
from boostline.project import file
from boostline.project.config import Config
from boostline.project.target import Target
from tests.conftest import RunningPlatform

pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).parents[2] / "examples/customer_churn"
PROGRAM = """
    import os, pathlib, sys
    root = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    report, program = sys.argv[1:]
    if program == "train":
        (root / "model/model.json").write_text("{}")
    for output in (root / "processing/output").glob("*"):
        (output / f"{output.name}.json").write_text(report)
"""
GOOD = {"accuracy": 0.97, "auc": 0.95, "f1": 0.9}


def evaluated(**metrics: float) -> str:
    """Write an evaluation report; NaN as Python writes it."""
    group = {name: {"value": value} for name, value in metrics.items()}
    return json.dumps({"binary_classification_metrics": group})


@pytest.fixture
def report() -> str:
    return evaluated(**GOOD)


@pytest.fixture
def settings(tmp_path: Path, report: str) -> Mapping[str, Any]:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    return {"images": {"*/boostline-model:*": (sys.executable, str(program), report)}}


@pytest.fixture
def config() -> Config:
    return file.read(EXAMPLE)


@pytest.fixture
def target(platform: RunningPlatform) -> Target:
    settings = platform.settings
    return Target("local", settings.account, settings.region, platform.session, platform.endpoint)


def submission(target: Target, config: Config, place: Place) -> Submission:
    return Submission(
        name=config.name,
        definition=encode(build(config, place)),
        role=target.role,
        tags=config.tagging,
        group=config.name,
    )


def finish(
    target: Target, config: Config, **parameters: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    place = data.upload(config, target)
    execution.upsert(target, submission(target, config, place))
    arn = execution.start(target, config.name, {"InputDataUri": place.data_uri, **parameters})
    *_, last = execution.watch(target, arn, 0.05)
    return last


def test_gates_that_hold_register_a_version_that_waits_for_approval(
    target: Target, config: Config
) -> None:
    described, steps = finish(target, config)
    assert described["PipelineExecutionStatus"] == "Succeeded"
    found = execution.evaluation(target, steps)
    assert found is not None
    assert execution.values(config, found) == GOOD
    assert all(result.holds for result in execution.gates(config, found))
    assert execution.registered(steps)
    package = registry.version(target, config.name, None)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    report = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    assert execution.values(config, execution.read_json(target, report)) == GOOD
    with pytest.raises(NotApprovedError, match="no approved version"):
        registry.approved(target, config.name, None)
    with pytest.raises(NotApprovedError, match="is PendingManualApproval"):
        registry.approved(target, config.name, 1)
    registry.decide(target, package, "Approved", "fine")
    assert registry.approved(target, config.name, None)["ModelPackageVersion"] == 1


def test_a_second_run_updates_the_pipeline_and_registers_the_next_version(
    target: Target, config: Config
) -> None:
    for number in (1, 2):
        finish(target, config, ModelApprovalStatus="Approved")
        assert registry.approved(target, config.name, None)["ModelPackageVersion"] == number
    registry.decide(target, registry.version(target, config.name, 2), "Rejected", "")
    assert registry.approved(target, config.name, None)["ModelPackageVersion"] == 1


@pytest.mark.parametrize(
    ("report", "reason", "said"),
    [
        pytest.param(
            evaluated(**{**GOOD, "auc": 0.5}),
            "the gate auc >= 0.9 does not hold",
            ["auc is 0.5, the minimum 0.9 does not"],
            id="below",
        ),
        pytest.param(
            evaluated(accuracy=0.97, f1=0.9),
            "binary_classification_metrics.auc.value",
            ["auc is not in the evaluation, the minimum 0.9 does not"],
            id="missing",
        ),
        pytest.param(
            evaluated(**{**GOOD, "auc": float("nan")}),
            "auc",
            ["auc is nan, the minimum 0.9 does not"],
            id="NaN",
        ),
        pytest.param(
            json.dumps({"binary_classification_metrics": {"auc": {"value": "0.99"}}}),
            "binary_classification_metrics",
            ["accuracy is not in the evaluation", "auc is not in the evaluation", "f1 is not in"],
            id="text",
        ),
    ],
)
def test_a_gate_that_does_not_hold_registers_nothing(
    target: Target, config: Config, reason: str, said: list[str]
) -> None:
    described, steps = finish(target, config)
    assert described["PipelineExecutionStatus"] == "Failed"
    reasons = [described["FailureReason"], *(step.get("FailureReason", "") for step in steps)]
    assert any(reason in text for text in reasons)
    assert execution.registered(steps) is None
    assert registry.versions(target, config.name) == []
    found = execution.evaluation(target, steps)
    assert found is not None
    assert str(execution.report_page(target, steps)).endswith("/evaluate/report/report.html")
    failed = [str(result) for result in execution.gates(config, found) if not result.holds]
    assert len(failed) == len(said)
    for text, start in zip(failed, said, strict=True):
        assert text.startswith(start)


def test_the_same_content_has_the_same_uri(target: Target, config: Config, tmp_path: Path) -> None:
    first = data.upload(config, target)
    copy = tmp_path / "renamed.csv"
    copy.write_bytes(config.table.read_bytes())
    moved = config.model_copy(update={"data": config.data.model_copy(update={"path": str(copy)})})
    assert data.upload(moved, target) == first
    copy.write_bytes(copy.read_bytes() + b"\n")
    changed = data.upload(moved, target)
    assert (changed.data_uri == first.data_uri, changed.config_uri) == (False, first.config_uri)


def test_a_pipeline_runs_the_image_of_its_flavor(target: Target, config: Config) -> None:
    train = config.train.model_copy(update={"flavor": "lightgbm"})
    other = data.upload(config.model_copy(update={"train": train}), target)
    assert other.image == f"{data.upload(config, target).image}-lightgbm"


def test_code_travels_with_its_requirements_under_its_digest(
    target: Target, config: Config, tmp_path: Path
) -> None:
    for name in ("train.py", "serve.py", "requirements.txt"):
        (tmp_path / name).write_text(f"# {name}\n")
    roles = {"train": str(tmp_path / "train.py"), "serve": str(tmp_path / "serve.py")}
    mine = config.model_copy(
        update={
            role: getattr(config, role).model_copy(update={"code": path})
            for role, path in roles.items()
        }
    )
    uri = data.upload(mine, target).code["train"]
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    found = target.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    assert [one["Key"].removeprefix(f"{prefix}/") for one in found] == [
        "serve/requirements.txt",
        "serve/serve.py",
        "train/requirements.txt",
        "train/train.py",
    ]
    (tmp_path / "serve.py").write_text("# another\n")
    assert data.upload(mine, target).code["train"] != uri
