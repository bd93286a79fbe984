"""The local platform against the same programs by hand: ``python -m benchmarks.platform``.

By hand the programs of the churn example find their inputs laid out and run one after another. The
platform brings the inputs, keeps the outputs, checks the gates and registers. Both run in turns on
one machine; the least of several times counts. A second identical run takes everything from the
cache but the conditions and the registration.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from benchmarks.programs import EXAMPLE, run
from boostline.contracts import address
from boostline.contracts.archives import pack

RESULT = Path(__file__).parent / "results" / "platform.json"
BIN = Path(sys.executable).parent
ROLE = "arn:aws:iam::000000000000:role/boostline"
PROGRAMS = {"Process": "process", "Train": "train", "Evaluate": "evaluate"}
IDLE = 10.0  # seconds


@contextmanager
def platform(folder: Path) -> Iterator[tuple[float, int]]:
    """Run ``boostline up`` in a folder; give the seconds until it answers, and its pid."""
    began = time.perf_counter()
    command = [str(BIN / "boostline"), "up", "--port", "0", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "answers at" in process.stdout.readline()
        try:
            yield time.perf_counter() - began, process.pid
        finally:
            process.terminate()
            process.communicate()


def clients(folder: Path) -> tuple[Any, Any]:
    """Return clients of SageMaker and S3."""
    found = address.read(folder)
    assert found is not None
    session = boto3.Session(found.access_key, found.secret_key, region_name=found.region)
    return tuple(session.client(name, endpoint_url=found.endpoint) for name in ("sagemaker", "s3"))


def execute(sagemaker: Any, pipeline: str) -> tuple[float, dict[str, dict[str, Any]]]:
    """Run a pipeline to its end; return the seconds, and its steps."""
    began = time.perf_counter()
    arn = sagemaker.start_pipeline_execution(PipelineName=pipeline)["PipelineExecutionArn"]
    while (found := sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))[
        "PipelineExecutionStatus"
    ] == "Executing":
        time.sleep(0.01)
    took = time.perf_counter() - began
    assert found["PipelineExecutionStatus"] == "Succeeded", found
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, MaxResults=100)
    return took, {step["StepName"]: step for step in steps["PipelineExecutionSteps"]}


def lay_out(sagemaker: Any, s3: Any, steps: dict[str, dict[str, Any]], root: Path) -> None:
    """Lay the inputs of an execution's jobs out, a folder for each program."""
    for step, program in PROGRAMS.items():
        ((kind, metadata),) = steps[step]["Metadata"].items()
        name = metadata["Arn"].rpartition("/")[2]
        base = root / program
        if kind == "TrainingJob":
            job = sagemaker.describe_training_job(TrainingJobName=name)
            (base / "input/config").mkdir(parents=True)
            hyperparameters = json.dumps(job["HyperParameters"])
            (base / "input/config/hyperparameters.json").write_text(hyperparameters)
            for channel in job["InputDataConfig"]:
                uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
                fetch(s3, uri, base / "input/data" / channel["ChannelName"])
        else:
            job = sagemaker.describe_processing_job(ProcessingJobName=name)
            for given in job["ProcessingInputs"]:
                source = given["S3Input"]
                below = source["LocalPath"].removeprefix("/opt/ml/")
                fetch(s3, source["S3Uri"], base / below)


def fetch(s3: Any, uri: str, folder: Path) -> None:
    """Copy what lies at an S3 URI into a folder."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    folder.mkdir(parents=True)
    for found in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
        below = found["Key"].removeprefix(prefix).lstrip("/") or Path(found["Key"]).name
        (folder / below).parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, found["Key"], str(folder / below))


def by_hand(laid: Path, root: Path) -> float:
    """Run the programs on a copy of what is laid out; return the seconds that they took."""
    shutil.copytree(laid, root)
    began = time.perf_counter()
    for program in PROGRAMS.values():
        done = run(program, root / program)
        assert done.returncode == 0, done.stderr
    pack(root / "train/model", root / "model.tar.gz")
    return time.perf_counter() - began


def idle(pid: int) -> tuple[float, float]:
    """Return MiB in memory, and the share of a CPU taken, of a process that has nothing to do."""

    def seconds() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = seconds()
    time.sleep(IDLE)
    resident = Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]
    return int(resident) / 1024, (seconds() - before) / IDLE


def measure(folder: Path, times: int) -> dict[str, Any]:
    """Measure everything in a new folder."""
    starts = []
    place = folder / "platform"
    for _ in range(times):
        with platform(place) as (start, pid):
            starts.append(start)
    with platform(place) as (_, pid):
        fresh_mib, fresh_cpu = idle(pid)
        environment = {**os.environ, address.VARIABLE: str(place)}
        command = [str(BIN / "boostline"), "pipeline", "definition"]
        text = subprocess.check_output(command, cwd=EXAMPLE, env=environment, text=True)
        bare = json.loads(text)
        for step in bare["Steps"]:
            step.pop("CacheConfig", None)
        sagemaker, s3 = clients(place)
        for name, definition in {"cached": text, "bare": json.dumps(bare)}.items():
            sagemaker.create_pipeline(
                PipelineName=name, PipelineDefinition=definition, RoleArn=ROLE
            )
        _, steps = execute(sagemaker, "cached")
        lay_out(sagemaker, s3, steps, folder / "laid")
        hand, ours, again = [], [], []
        for turn in range(times):
            hand.append(by_hand(folder / "laid", folder / f"hand-{turn}"))
            ours.append(execute(sagemaker, "bare")[0])
            seconds, steps = execute(sagemaker, "cached")
            assert all("CacheHitResult" in steps[name] for name in PROGRAMS), steps
            again.append(seconds)
        used_mib, used_cpu = idle(pid)
    return {
        "by_hand_s": min(hand),
        "platform_s": min(ours),
        "ratio": min(ours) / min(hand),
        "ratios": [mine / other for mine, other in zip(ours, hand, strict=True)],
        "second_identical_run_s": min(again),
        "start_s": min(starts),
        "idle_mib": fresh_mib,
        "idle_cpu": fresh_cpu,
        "idle_after_runs_mib": used_mib,
        "idle_after_runs_cpu": used_cpu,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="how often each is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options.times)
    for name, value in result.items():
        print(f"{name:24} {value}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
