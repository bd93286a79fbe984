"""Which runs of a step stand for a later one, and what a miss says."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from boostline.contracts.pipeline import get, join
from tests.conftest import RunningPlatform
from tests.local.services.pipelines_bench import (
    create,
    definition,
    prepare,
    processing,
    run,
    steps,
    training,
)
from tests.local.services.sagemaker_bench import NAMES, ROLE, Bench, image

CACHED = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
CACHEABLE = ("Process", "Train", "Evaluate")


@pytest.fixture
def settings(tmp_path: Path) -> Mapping[str, Any]:
    # Each in a folder of its own: the Python files beside a script belong to its code.
    folders = {name: tmp_path / "programs" / name for name in NAMES}
    python = tmp_path / "venv/bin/python"
    commands = {name: (str(python), str(folder / "main.py")) for name, folder in folders.items()}
    return {"images": {f"*/{name}:*": command for name, command in commands.items()}}


@pytest.fixture
def bench(platform: RunningPlatform, tmp_path: Path) -> Bench:
    programs = tmp_path / "programs"
    bench = prepare(Bench(platform, programs))
    for name in NAMES:
        (programs / name).mkdir()
        if (programs / f"{name}.py").exists():
            (programs / f"{name}.py").rename(programs / name / "main.py")
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").symlink_to(sys.executable)
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    install(tmp_path, "1.0")
    return bench


def install(folder: Path, version: str) -> None:
    """Install a library of that version in the programs' environment."""
    site = folder / f"venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    site.mkdir(parents=True, exist_ok=True)
    for info in site.glob("boosters-*.dist-info"):
        info.rmdir()
    (site / f"boosters-{version}.dist-info").mkdir()


def cached(**changes: Any) -> str:
    """Return the definition with a cache for each job; `changes` go to training's arguments."""
    train = training(**CACHED)
    train["Arguments"] |= changes
    model = {"model": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    files = [
        {"PropertyFileName": "Report", "OutputName": "evaluation", "FilePath": "evaluation.json"}
    ]
    evaluate = processing(
        "Evaluate", "evaluate", model, {"evaluation": "evaluation"}, PropertyFiles=files, **CACHED
    )
    data = {"data": get("Parameters.Data")}
    whole = json.loads(definition())
    whole["Parameters"].append(
        {"Name": "Data", "Type": "String", "DefaultValue": "s3://bench/data.csv"}
    )
    process = processing("Process", "process", data, {"train": "train"}, **CACHED)
    whole["Steps"] = [whole["Steps"][0], evaluate, train, process]
    return json.dumps(whole)


def hits(bench: Bench, execution: dict[str, Any]) -> set[str]:
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution
    return {name for name, step in steps(bench, execution).items() if "CacheHitResult" in step}


def first_line(bench: Bench, execution: dict[str, Any], step: str) -> str:
    """Return the first line of a step's job, as `boostline run` reads it."""
    ((kind, metadata),) = steps(bench, execution)[step]["Metadata"].items()
    job = metadata["Arn"].rpartition("/")[2]
    events = bench.running.client("logs").filter_log_events(
        logGroupName=f"/aws/sagemaker/{kind}s", logStreamNamePrefix=f"{job}/"
    )["events"]
    return str(events[0]["message"]) if events else ""


def test_identical_run_starts_no_job_and_registers_another_version(bench: Bench) -> None:
    create(bench, cached())
    first = run(bench)
    assert hits(bench, first) == set()
    for name in CACHEABLE:
        why = f"cache: {name} runs: there is no earlier run of this step"
        assert first_line(bench, first, name) == why
    second = run(bench)
    found, before = steps(bench, second), steps(bench, first)
    assert hits(bench, second) == set(CACHEABLE)
    for name in CACHEABLE:
        assert found[name]["Metadata"] == before[name]["Metadata"]
        source = found[name]["CacheHitResult"]["SourcePipelineExecutionArn"]
        assert source == first["PipelineExecutionArn"]
    packages = bench.sagemaker.list_model_packages(ModelPackageGroupName="churn")
    assert [p["ModelPackageVersion"] for p in packages["ModelPackageSummaryList"]] == [1, 2]
    jobs = bench.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
    assert len(jobs) == 2
    third = run(bench)
    source = steps(bench, third)["Train"]["CacheHitResult"]["SourcePipelineExecutionArn"]
    assert source == first["PipelineExecutionArn"]


def change_row(bench: Bench, _: Path) -> None:
    bench.put("data.csv", b"abd")


def move_data(bench: Bench, _: Path) -> None:
    bench.put("elsewhere/data.csv", b"abc")


def touch_all(bench: Bench, folder: Path) -> None:
    bench.put("data.csv", b"abc")
    for path in (folder / "programs").rglob("*.py"):
        os.utime(path, (1, 1))


def change_code(_: Bench, folder: Path) -> None:
    with (folder / "programs/train/main.py").open("a") as file:
        file.write("# a line\n")


def change_helper(_: Bench, folder: Path) -> None:
    (folder / "programs/process/helper.py").write_text("")


def change_library(_: Bench, folder: Path) -> None:
    install(folder, "1.1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "parameters", "missing", "why"),
    [
        (touch_all, {}, (), ""),
        (move_data, {"Data": "s3://bench/elsewhere/data.csv"}, (), ""),
        (change_row, {}, CACHEABLE, "ProcessingInputs[data].S3Input.S3Uri "),
        (change_code, {}, ("Train",), "program code "),
        (change_helper, {}, ("Process",), "program code "),
        (change_library, {}, CACHEABLE, "library boosters 1.0 → 1.1"),
        (change_row, {"Rounds": "4"}, CACHEABLE, "ProcessingInputs[data].S3Input.S3Uri "),
        (touch_all, {"Rounds": "4"}, ("Train", "Evaluate"), "HyperParameters.rounds 3 → 4"),
        (touch_all, {"Bound": "4"}, (), ""),
    ],
)
def test_what_changed_is_run_again_and_says_so(
    bench: Bench,
    tmp_path: Path,
    change: Callable[[Bench, Path], None],
    parameters: dict[str, str],
    missing: tuple[str, ...],
    why: str,
) -> None:
    create(bench, cached())
    run(bench)
    change(bench, tmp_path)
    execution = run(bench, **parameters)
    assert set(CACHEABLE) - hits(bench, execution) == set(missing)
    if missing:
        assert first_line(bench, execution, missing[0]).startswith(
            f"cache: {missing[0]} runs: {why}"
        )


@pytest.mark.slow
def test_contents_come_first(bench: Bench) -> None:
    create(bench, cached())
    run(bench)
    changed = json.loads(cached(Environment={"A": "1"}))
    (train,) = (step for step in changed["Steps"] if step["Name"] == "Train")
    channels = train["Arguments"]["InputDataConfig"]
    source = {"S3DataType": "S3Prefix", "S3Uri": bench.put("extra", b"more")}
    channels.append({"ChannelName": "extra", "DataSource": {"S3DataSource": source}})
    bench.sagemaker.update_pipeline(
        PipelineName="pipe", PipelineDefinition=json.dumps(changed), RoleArn=ROLE
    )
    assert re.fullmatch(
        r"cache: Train runs: "
        r"InputDataConfig\[extra\]\.DataSource\.S3DataSource\.S3Uri \(none\) → [0-9a-f]{8}; "
        r"Environment\.A \(none\) → 1; .*",
        first_line(bench, run(bench), "Train"),
    )


@pytest.mark.slow
def test_argument_that_changes_with_each_execution_never_hits(bench: Bench) -> None:
    arguments = [join("=", "--id", get("Execution.PipelineExecutionId"))]
    algorithm = {"TrainingImage": image("train"), "TrainingInputMode": "File"}
    create(bench, cached(AlgorithmSpecification=algorithm | {"ContainerArguments": arguments}))
    run(bench)
    again = run(bench)
    assert hits(bench, again) == {"Process", "Evaluate"}  # the model is the same
    why = "cache: Train runs: AlgorithmSpecification.ContainerArguments[0] --id="
    assert first_line(bench, again, "Train").startswith(why)


@pytest.mark.slow
def test_run_expires(bench: Bench) -> None:
    soon = json.loads(cached())
    soon["Steps"][3]["CacheConfig"]["ExpireAfter"] = "PT0S"
    create(bench, json.dumps(soon))
    run(bench)
    again = run(bench)
    assert hits(bench, again) == {"Train", "Evaluate"}
    assert first_line(bench, again, "Process").endswith("is older than PT0S")


def test_outputs_that_another_run_wrote_over_are_not_taken(bench: Bench) -> None:
    process = processing("Process", "process", {"data": get("Parameters.Data")}, {"train": "x"})
    output = process["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]
    output["S3Uri"] = "s3://bench/always-here"
    data = {"Name": "Data", "Type": "String", "DefaultValue": "s3://bench/data.csv"}
    create(bench, definition(Parameters=[data], Steps=[process | CACHED]))
    bench.put("other/data.csv", b"xyz")
    run(bench)
    run(bench, Data="s3://bench/other/data.csv")
    again = run(bench)
    assert hits(bench, again) == set()
    assert first_line(bench, again, "Process").endswith("has changed since the run that wrote it")
    assert bench.get("s3://bench/always-here/train.csv") == b"ABC"
    assert hits(bench, run(bench)) == {"Process"}


@pytest.mark.slow
def test_failed_run_stands_for_nothing_and_a_deleted_pipeline_takes_its_runs_with_it(
    bench: Bench, tmp_path: Path
) -> None:
    program = tmp_path / "programs/train/main.py"
    good = program.read_text()
    program.write_text('raise SystemExit("no")')
    create(bench, cached())
    assert run(bench)["PipelineExecutionStatus"] == "Failed"
    second = run(bench)
    found = steps(bench, second)
    assert "CacheHitResult" in found["Process"]
    assert found["Train"]["StepStatus"] == "Failed"
    program.write_text(good)
    bench.sagemaker.delete_pipeline(PipelineName="pipe")
    create(bench, cached())
    assert hits(bench, run(bench)) == set()


@pytest.mark.slow
def test_cache_that_is_off_is_off(bench: Bench) -> None:
    off = json.loads(cached())
    off["Steps"][3]["CacheConfig"] = {"Enabled": False}
    off["Steps"][2]["CacheConfig"] = {"Enabled": True}
    create(bench, json.dumps(off))
    run(bench)
    again = run(bench)
    assert hits(bench, again) == {"Evaluate"}
    assert first_line(bench, again, "Process") == ""
    assert first_line(bench, again, "Train").endswith("older than no ExpireAfter")
