from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import running
from tests.conftest import RunningPlatform
from tests.local.services.sagemaker_bench import Bench, image, images

TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"


def channel(name: str, uri: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "ContentType": "text/csv",
        "DataSource": {"S3DataSource": {"S3Uri": uri, "S3DataType": "S3Prefix"}},
    }


def given(name: str, uri: str, **members: str) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            **members,
        },
    }


def output(name: str, uri: str) -> dict[str, Any]:
    return {
        "OutputName": name,
        "S3Output": {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/output/{name}",
            "S3UploadMode": "EndOfJob",
        },
    }


def unpacked(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {m.name: archive.extractfile(m) for m in archive.getmembers() if m.isfile()}
        return {name: file.read() for name, file in members.items() if file is not None}


def test_training_finds_what_the_contract_says_and_its_model_is_kept(bench: Bench) -> None:
    bench.put("data/a/one.csv", b"1")
    bench.put("data/a/deep/two.csv", b"2")
    bench.program(
        "train",
        """
        seen = {"arguments": sys.argv[1:], "files": {}}
        for name in ("hyperparameters", "inputdataconfig", "resourceconfig"):
            seen[name] = json.loads((base / f"input/config/{name}.json").read_text())
        for path in sorted((base / "input/data").rglob("*")):
            if path.is_file():
                seen["files"][str(path.relative_to(base))] = path.read_text()
        seen["job"] = os.environ["TRAINING_JOB_NAME"], os.environ["TRAINING_JOB_ARN"]
        seen["mine"] = os.environ["MINE"]
        (base / "model/code").mkdir()
        (base / "model/code/x.py").write_text("pass")
        (base / "output/data/seen.json").write_text(json.dumps(seen))
        print("loss=3.5;")
        print("loss=1.5; other")
        """,
    )
    algorithm = {
        "TrainingImage": image("train"),
        "TrainingInputMode": "File",
        "MetricDefinitions": [
            {"Name": "loss", "Regex": "loss=(.*?);"},
            {"Name": "absent", "Regex": "never=(.*)"},
        ],
    }
    job = bench.train(
        "job-1",
        AlgorithmSpecification=algorithm,
        HyperParameters={"depth": "5", "name": '"x"'},
        InputDataConfig=[channel("train", "s3://bench/data/a/")],
        Environment={"MINE": "yes"},
    )
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed", job
    assert job["ModelArtifacts"] == {
        "S3ModelArtifacts": "s3://bench/models/job-1/output/model.tar.gz"
    }
    assert unpacked(bench.get(job["ModelArtifacts"]["S3ModelArtifacts"])) == {"code/x.py": b"pass"}
    output_data = unpacked(bench.get("s3://bench/models/job-1/output/output.tar.gz"))
    seen = json.loads(output_data["seen.json"])
    assert seen["arguments"] == ["train"]
    assert seen["hyperparameters"] == {"depth": "5", "name": '"x"'}
    assert seen["inputdataconfig"] == {
        "train": {
            "ContentType": "text/csv",
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
    }
    assert seen["resourceconfig"]["current_host"] == "algo-1"
    assert seen["resourceconfig"]["hosts"] == ["algo-1"]
    assert seen["resourceconfig"]["current_instance_type"] == "ml.m5.large"
    assert seen["files"] == {
        "input/data/train/deep/two.csv": "2",
        "input/data/train/one.csv": "1",
    }
    assert seen["job"] == ["job-1", job["TrainingJobArn"]]
    assert seen["mine"] == "yes"
    (metric,) = job["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("loss", 1.5)
    assert [t["Status"] for t in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert [t["StatusMessage"] for t in job["SecondaryStatusTransitions"]] == [
        "Starting the training job",
        "Downloading input data",
        "Training in progress",
        "Uploading generated training model",
        "Training job completed",
    ]
    assert job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert bench.lines(TRAINING_LOGS, "job-1/algo-1-") == ["loss=3.5;", "loss=1.5; other"]
    folder = bench.running.platform.folder / "jobs/training-job/job-1"
    bench.until(lambda: not folder.exists())


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (
            '(base / "output/failure").write_text("bad data in row 7"); sys.exit(4)',
            "AlgorithmError: bad data in row 7, exit code: 4",
        ),
        (
            'print("some"); sys.exit("last words")',
            "exit code: 1. Its last lines:\nsome\nlast words",
        ),
        ("os.kill(os.getpid(), signal.SIGKILL)", "Please use an instance type with more memory"),
        ('(base / "model/l").symlink_to("x")', "ClientError: /opt/ml/model cannot be packed"),
    ],
)
def test_failed_training_says_why_and_keeps_no_model(
    bench: Bench, program: str, reason: str
) -> None:
    bench.program("train", program)
    job = bench.train("bad")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert reason in job["FailureReason"]
    assert ("Its last lines" in job["FailureReason"]) == ("Its last lines" in reason)
    assert len(job["FailureReason"]) <= 1024
    assert bench.keys("models/") == []


def test_input_that_names_nothing_fails_the_job(bench: Bench) -> None:
    bench.program("train", "")
    job = bench.train("no-data", InputDataConfig=[channel("train", "s3://bench/nothing/here")])
    assert job["TrainingJobStatus"] == "Failed"
    assert "No S3 objects found under S3 URL 's3://bench/nothing/here'" in job["FailureReason"]
    assert "'train'" in job["FailureReason"]
    job = bench.train("no-bucket", OutputDataConfig={"S3OutputPath": "s3://nowhere/x"})
    assert "the bucket nowhere does not exist" in job["FailureReason"]


def test_stopped_training_keeps_what_it_saved(bench: Bench) -> None:
    bench.program(
        "train",
        """
        def stop(*_):
            (base / "model/saved").write_text("in time")
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print("ready", flush=True)
        signal.pause()
        """,
    )
    bench.sagemaker.create_training_job(**bench.training_request("long"))
    bench.await_line(TRAINING_LOGS, "ready")
    bench.sagemaker.stop_training_job(TrainingJobName="long")
    job = bench.trained("long")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
    assert unpacked(bench.get(job["ModelArtifacts"]["S3ModelArtifacts"])) == {"saved": b"in time"}
    with pytest.raises(ClientError, match="training job is in status Stopped"):
        bench.sagemaker.stop_training_job(TrainingJobName="long")


def test_training_longer_than_allowed_is_stopped_not_failed(bench: Bench) -> None:
    bench.program("train", "signal.pause()")
    job = bench.train("slow", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert job["TrainingJobStatus"] == "Stopped"
    assert job["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert "Uploading" in [each["Status"] for each in job["SecondaryStatusTransitions"]]
    bench.program("process", "signal.pause()")
    job = bench.process("slow", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert job["ProcessingJobStatus"] == "Stopped"
    assert job["FailureReason"].endswith("ran longer than MaxRuntimeInSeconds (1)")


def test_entrypoint_and_arguments_stand_in_place_of_the_images(bench: Bench) -> None:
    bench.program("train", "print(sys.argv[1:])")
    specification = {"TrainingImage": image("train"), "TrainingInputMode": "File"}
    bench.train("given", AlgorithmSpecification={**specification, "ContainerArguments": ["fit"]})
    bench.train(
        "own", AlgorithmSpecification={**specification, "ContainerEntrypoint": ["echo", "own"]}
    )
    assert bench.lines(TRAINING_LOGS, "given/") == ["['fit']"]
    assert bench.lines(TRAINING_LOGS, "own/") == ["own"]


def test_checkpoints_come_back(bench: Bench) -> None:
    bench.program(
        "train",
        """
        path = base / "checkpoints/state"
        path.write_text((path.read_text() if path.exists() else "") + "+")
        """,
    )
    for name in ("first", "second"):
        bench.train(name, CheckpointConfig={"S3Uri": "s3://bench/checkpoints"})
    assert bench.get("s3://bench/checkpoints/state") == b"++"


def test_processing_finds_what_the_contract_says_and_its_outputs_are_kept(bench: Bench) -> None:
    bench.put("in/a.csv", b"a")
    bench.program(
        "process",
        """
        config = json.loads((base / "config/processingjobconfig.json").read_text())
        hosts = json.loads((base / "config/resourceconfig.json").read_text())
        folder = base / "processing/output/made"
        (folder / "deep").mkdir()
        (folder / "deep/file").write_text((base / "processing/input/data/a.csv").read_text())
        (folder / "link").symlink_to("deep/file")
        (folder / "seen.json").write_text(
            json.dumps({"config": config, "hosts": hosts, "arguments": sys.argv[1:]})
        )
        (base / "output/message").write_text("done: " + "x" * 2000)
        """,
    )
    job = bench.process(
        "work",
        AppSpecification={"ImageUri": image("process"), "ContainerArguments": ["--rows", "1"]},
        ProcessingInputs=[given("data", "s3://bench/in/a.csv")],
        ProcessingOutputConfig={"Outputs": [output("made", "s3://bench/out")]},
        Environment={"MINE": "yes"},
    )
    assert job["ProcessingJobStatus"] == "Completed", job
    assert job["ExitMessage"] == "done: " + "x" * 1018
    assert bench.keys("out") == ["out/deep/file", "out/seen.json"]
    assert bench.get("s3://bench/out/deep/file") == b"a"
    seen = json.loads(bench.get("s3://bench/out/seen.json"))
    assert seen["arguments"] == ["--rows", "1"]
    assert seen["hosts"] == {"current_host": "algo-1", "hosts": ["algo-1"]}
    assert seen["config"]["ProcessingJobArn"] == job["ProcessingJobArn"]
    assert seen["config"]["Environment"] == {"MINE": "yes"}
    assert seen["config"]["NetworkConfig"] is None


def test_job_gets_copies_that_it_may_change(bench: Bench) -> None:
    bench.put("in/a.csv", b"a")
    bench.program("process", '(base / "processing/input/data/a.csv").write_text("changed")')
    job = bench.process("change", ProcessingInputs=[given("data", "s3://bench/in/")])
    assert job["ProcessingJobStatus"] == "Completed"
    assert bench.get("s3://bench/in/a.csv") == b"a"


def test_failed_processing_keeps_its_message_and_no_output(bench: Bench) -> None:
    bench.program(
        "process",
        """
        (base / "processing/output/made/half").write_text("half")
        (base / "output/message").write_text("column 3 is missing")
        sys.exit(2)
        """,
    )
    outputs = {"Outputs": [output("made", "s3://bench/out")]}
    job = bench.process("bad", ProcessingOutputConfig=outputs)
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["ExitMessage"] == "column 3 is missing"
    assert job["FailureReason"] == "AlgorithmError: column 3 is missing, exit code: 2"
    assert bench.keys("out") == []


def test_message_that_is_not_utf8_fails_the_job(bench: Bench) -> None:
    bench.program("process", r'(base / "output/message").write_bytes(b"ok \xff\xfe")')
    job = bench.process("odd")
    assert job["ProcessingJobStatus"] == "Failed"
    assert "is not UTF-8 at byte 3" in job["FailureReason"]


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        (
            {"AppSpecification": {"ImageUri": "unknown:1"}},
            "no local program stands for the image 'unknown:1'",
        ),
        (
            {"ProcessingInputs": [given("x", "s3://bench/x", LocalPath="/opt/ml/model")]},
            "'/opt/ml/model' must be a path below /opt/ml/processing/",
        ),
        (
            {"ProcessingInputs": [given("x", "s3://bench/x", S3InputMode="Pipe")]},
            "ProcessingInputs[x].S3Input.S3InputMode: the local platform has File; found 'Pipe'",
        ),
        (
            {"ProcessingInputs": [given("x", "s3://bench/x", S3CompressionType="Gzip")]},
            "ProcessingInputs[x].S3Input.S3CompressionType: the local platform has None",
        ),
        (
            {"ProcessingInputs": [{"InputName": "x", "DatasetDefinition": {}}]},
            "ProcessingInputs[x].S3Input.LocalPath: '' must be a path below /opt/ml/processing/",
        ),
        (
            {"ProcessingInputs": [given("x", "https://bench/x")]},
            "'https://bench/x' is not an S3 URI",
        ),
    ],
)
def test_what_cannot_run_is_refused_at_once(
    bench: Bench, members: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ClientError, match="ValidationException") as error:
        bench.sagemaker.create_processing_job(**bench.processing_request("x", **members))
    assert problem in str(error.value)
    with pytest.raises(ClientError, match="Could not find requested job with name: x"):
        bench.sagemaker.describe_processing_job(ProcessingJobName="x")


def test_training_without_an_image_of_its_own_is_refused(bench: Bench) -> None:
    for named, problem in (
        ({}, "no local program stands for the image ''"),
        ({"AlgorithmName": "any"}, "AlgorithmSpecification.AlgorithmName: the local platform has"),
    ):
        specification = {"TrainingInputMode": "File", **named}
        request = bench.training_request("x", AlgorithmSpecification=specification)
        with pytest.raises(ClientError, match="ValidationException") as error:
            bench.sagemaker.create_training_job(**request)
        assert problem in str(error.value)


def test_jobs_are_named_once_and_listed_oldest_first(bench: Bench) -> None:
    bench.program("train", "")
    for name in ("b-job", "a-job", "c"):
        bench.train(name)
    with pytest.raises(ClientError, match="ResourceInUse"):
        bench.train("c")
    with pytest.raises(ClientError, match="Requested resource not found"):
        bench.trained("d")

    def names(**asked: Any) -> list[str]:
        found = bench.sagemaker.list_training_jobs(**asked)["TrainingJobSummaries"]
        return [job["TrainingJobName"] for job in found]

    assert names() == ["b-job", "a-job", "c"]
    assert names(SortBy="Name") == ["a-job", "b-job", "c"]
    assert names(SortOrder="Descending") == ["c", "a-job", "b-job"]
    assert names(NameContains="JOB", SortBy="Name", SortOrder="Descending") == ["b-job", "a-job"]
    assert names(StatusEquals="Failed") == []
    created = bench.trained("a-job")["CreationTime"]
    assert names(CreationTimeAfter=created) == ["c"]
    pages = bench.sagemaker.get_paginator("list_training_jobs").paginate(
        PaginationConfig={"PageSize": 2}
    )
    assert [len(page["TrainingJobSummaries"]) for page in pages] == [2, 1]
    with pytest.raises(ClientError, match="Invalid NextToken"):
        names(NextToken="nonsense")


def running_again(folder: Path, programs: Path) -> Iterator[Bench]:
    platform = Platform(Settings(folder, port=0, images=images(programs)))
    with running(platform):
        yield Bench(RunningPlatform(platform), programs)


def test_unfinished_job_runs_again_with_the_next_platform(tmp_path: Path) -> None:
    folder, programs = tmp_path / "platform", tmp_path / "programs"
    once = tmp_path / "once"
    for bench in running_again(folder, programs):
        bench.program(
            "train",
            f"""
            once = pathlib.Path({str(once)!r})
            (base / "model/m").write_text("again" if once.exists() else "first")
            if not once.exists():
                once.touch()
                print("ready", flush=True)
                signal.pause()
            """,
        )
        bench.sagemaker.create_training_job(**bench.training_request("job"))
        bench.await_line(TRAINING_LOGS, "ready")
    for bench in running_again(folder, programs):
        job = bench.trained("job")
        assert job["TrainingJobStatus"] == "Completed"
        model = unpacked(bench.get(job["ModelArtifacts"]["S3ModelArtifacts"]))
        assert model == {"m": b"again"}
