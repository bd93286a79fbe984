from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import running
from tests.conftest import RunningPlatform
from tests.local.services.hosting_bench import model, serve
from tests.local.services.sagemaker_bench import Bench, images

# Answers each line with the number of its columns and of the request's lines.
COUNT = """
def invoke(self, body):
    lines = body.decode().splitlines()
    if "boom" in body.decode():
        return self.answer(400, b"no booms")
    text = "\\n".join(f"{len(line.split(','))},{len(lines)}" for line in lines)
    self.answer(200, text.encode(), Content_Type="text/csv")
"""


@pytest.fixture
def bench(bench: Bench) -> Bench:
    serve(bench, COUNT)
    model(bench, "one", COLOR="model", SIZE="model")
    return bench


def request(name: str = "job", split: str = "Line", **members: Any) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bench/in/"}}
    return {
        "TransformJobName": name,
        "ModelName": "one",
        "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": split},
        "TransformOutput": {"S3OutputPath": "s3://bench/out", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **members,
    }


def transform(bench: Bench, name: str = "job", **members: Any) -> dict[str, Any]:
    bench.sagemaker.create_transform_job(**request(name, **members))
    return settled(bench, name)


def settled(bench: Bench, name: str = "job") -> dict[str, Any]:
    return bench.settled(
        lambda: bench.sagemaker.describe_transform_job(TransformJobName=name), "TransformJobStatus"
    )


def test_objects_are_split_sent_and_assembled_in_order(bench: Bench) -> None:
    bench.put("in/a.csv", b"1,2\n1,2,3\n\n1\n")
    bench.put("in/deep/b.csv", b"1\n1,2")
    job = transform(bench, BatchStrategy="MultiRecord")
    assert job["TransformJobStatus"] == "Completed", job
    assert job["TransformStartTime"] <= job["TransformEndTime"]
    assert bench.keys("out/") == ["out/a.csv.out", "out/deep/b.csv.out"]
    assert bench.get("s3://bench/out/a.csv.out") == b"2,3\n3,3\n1,3\n"
    assert bench.get("s3://bench/out/deep/b.csv.out") == b"1,2\n2,2\n"
    single = transform(bench, "single", BatchStrategy="SingleRecord", MaxConcurrentTransforms=4)
    assert single["TransformJobStatus"] == "Completed"
    assert bench.get("s3://bench/out/a.csv.out") == b"2,1\n3,1\n1,1\n"


def test_whole_objects_are_sent_as_they_are(bench: Bench) -> None:
    bench.put("in/a.csv", b"1,2\n\n1\n")
    transform(bench, split="None", TransformOutput={"S3OutputPath": "s3://bench/out/"})
    assert bench.get("s3://bench/out/a.csv.out") == b"2,3\n1,3\n1,3"


@pytest.mark.slow
def test_packed_objects_are_unpacked(bench: Bench) -> None:
    bench.put("in/a.gz", gzip.compress(b"1,2\n1\n"))
    source = {**request()["TransformInput"], "CompressionType": "Gzip"}
    transform(bench, TransformInput=source)
    assert bench.get("s3://bench/out/a.gz.out") == b"2,2\n1,2\n"


@pytest.mark.slow
def test_payload_is_limited(bench: Bench) -> None:
    line = b"1," * 300_000 + b"1\n"
    bench.put("in/a.csv", line * 3)
    assert transform(bench, MaxPayloadInMB=1)["TransformJobStatus"] == "Completed"
    assert bench.get("s3://bench/out/a.csv.out") == b"300001,1\n" * 3
    job = transform(bench, "whole", split="None", MaxPayloadInMB=1)
    assert job["TransformJobStatus"] == "Failed"
    assert "s3://bench/in/a.csv: the object, with SplitType None, has" in job["FailureReason"]


def test_container_is_told_what_the_request_says_and_may_say_the_rest(bench: Bench) -> None:
    serve(
        bench,
        """
        shown = [os.environ.get(name, "-") for name in (
            "SAGEMAKER_BATCH", "SAGEMAKER_BATCH_STRATEGY", "SAGEMAKER_MAX_PAYLOAD_IN_MB",
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "COLOR", "SIZE")]
        def get(self):
            if self.path == "/ping":
                return self.answer(200)
            time.sleep(3 * (os.environ["SIZE"] == "job"))  # a busy machine
            told = {"MaxConcurrentTransforms": 2, "BatchStrategy": "SINGLE_RECORD"}
            self.answer(200, json.dumps(told).encode())
        Handler.do_GET = get
        def invoke(self, body):
            lines = len(body.splitlines())
            self.answer(200, f"{lines} {self.headers['Accept']} {' '.join(shown)}".encode())
        """,
    )
    bench.put("in/a.csv", b"1\n2\n")
    output = {"S3OutputPath": "s3://bench/out", "Accept": "text/plain", "AssembleWith": "Line"}
    transform(bench, TransformOutput=output, Environment={"SIZE": "job"})
    line = b"1 text/plain true - - - model job\n"
    assert bench.get("s3://bench/out/a.csv.out") == line * 2
    told = {"BatchStrategy": "MultiRecord", "MaxPayloadInMB": 5, "MaxConcurrentTransforms": 0}
    transform(bench, "told", TransformOutput=output, **told)
    assert bench.get("s3://bench/out/a.csv.out") == (
        b"2 text/plain true MULTI_RECORD 5 - model model\n"
    )


@pytest.mark.slow
def test_unlimited_payloads_are_chunked(bench: Bench) -> None:
    serve(
        bench,
        """
        def post(self):
            sizes = []
            while size := int(self.rfile.readline(), 16):
                sizes.append(len(self.rfile.read(size)))
                self.rfile.readline()
            self.rfile.readline()
            self.answer(200, f"{self.headers['Transfer-Encoding']} {sum(sizes)}".encode())
        Handler.do_POST = post
        invoke = None
        """,
    )
    bench.put("in/a.csv", b"12345")
    transform(bench, split="None", MaxPayloadInMB=0)
    assert bench.get("s3://bench/out/a.csv.out") == b"chunked 5\n"


def test_failed_object_fails_the_job_and_keeps_the_others(bench: Bench) -> None:
    bench.put("in/a.csv", b"1,2\n")
    bench.put("in/b.csv", b"1\nboom\n")
    bench.put("in/c.csv", b"1\n")
    job = transform(bench, BatchStrategy="SingleRecord")
    assert job["TransformJobStatus"] == "Failed"
    problem = "s3://bench/in/b.csv: Bad HTTP status received from algorithm: 400: no booms"
    assert job["FailureReason"] == f"AlgorithmError: {problem}"
    assert bench.keys("out/") == ["out/a.csv.out", "out/c.csv.out"]


@pytest.mark.slow
def test_what_may_pass_is_asked_again(bench: Bench, tmp_path: Path) -> None:
    serve(
        bench,
        f"""
        seen = pathlib.Path({str(tmp_path / "seen")!r})
        def invoke(self, body):
            tries = len(seen.read_text()) if seen.exists() else 0
            seen.write_text("x" * (tries + 1))
            self.answer(200 if tries == 1 else 500, b"answer %d" % tries)
        """,
    )
    bench.put("in/a.csv", b"1\n")
    assert transform(bench)["TransformJobStatus"] == "Completed"
    assert bench.get("s3://bench/out/a.csv.out") == b"answer 1\n"
    job = transform(bench, "never", ModelClientConfig={"InvocationsMaxRetries": 0})
    assert "algorithm: 500: answer 2" in job["FailureReason"]


@pytest.mark.slow
def test_answer_that_takes_too_long_fails(bench: Bench) -> None:
    serve(bench, "def invoke(self, body): time.sleep(30)")
    bench.put("in/a.csv", b"1\n")
    client = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}
    job = transform(bench, ModelClientConfig=client)
    assert "no answer within 1 s" in job["FailureReason"]


def test_program_that_cannot_serve_fails_the_job_with_its_last_lines(bench: Bench) -> None:
    bench.put("in/a.csv", b"1\n")
    bench.program("serve", 'sys.exit("no such model here")')
    reason = transform(bench)["FailureReason"]
    assert reason.startswith("AlgorithmError: ")
    assert "no such model here" in reason
    assert bench.lines("/aws/sagemaker/TransformJobs", "job/") == ["no such model here"] * 2


@pytest.mark.slow
def test_program_that_ends_on_a_record_is_asked_anew_and_then_named(bench: Bench) -> None:
    serve(bench, "def invoke(self, body): os._exit(3) if b'boom' in body else self.answer(200)")
    bench.put("in/a.csv", b"1\n")
    bench.put("in/b.csv", b"boom\n")
    reason = transform(bench)["FailureReason"]
    assert reason == "AlgorithmError: s3://bench/in/b.csv: the program ended with exit code 3"
    assert bench.keys("out/") == ["out/a.csv.out"]


@pytest.mark.slow
def test_nothing_to_transform_fails(bench: Bench) -> None:
    assert "no S3 objects found under s3://bench/in/" in transform(bench)["FailureReason"]


def test_rows_are_filtered_and_joined(bench: Bench) -> None:
    bench.put("in/a.csv", b'id1,1,"x,y"\nid2,2,z\n')
    processing = {"InputFilter": "$[1:2]", "JoinSource": "Input", "OutputFilter": "$[0,2,-2]"}
    job = transform(bench, DataProcessing=processing)
    assert job["TransformJobStatus"] == "Completed", job
    assert job["DataProcessing"] == processing
    assert bench.get("s3://bench/out/a.csv.out") == b'id1,"x,y",1\nid2,z,1\n'


def test_stopped_job_keeps_nothing(bench: Bench) -> None:
    serve(bench, "def invoke(self, body): print('asked'); time.sleep(60)")
    bench.put("in/a.csv", b"1\n")
    bench.sagemaker.create_transform_job(**request())
    bench.await_line("/aws/sagemaker/TransformJobs", "asked")
    (summary,) = bench.sagemaker.list_transform_jobs(StatusEquals="InProgress")[
        "TransformJobSummaries"
    ]
    assert summary["TransformJobName"] == "job"
    bench.sagemaker.stop_transform_job(TransformJobName="job")
    assert settled(bench)["TransformJobStatus"] == "Stopped"
    assert bench.keys("out/") == []
    with pytest.raises(ClientError, match="transform job is in status Stopped"):
        bench.sagemaker.stop_transform_job(TransformJobName="job")


@pytest.mark.slow
def test_unfinished_job_runs_again_with_the_next_platform(tmp_path: Path) -> None:
    programs, folder = tmp_path / "programs", tmp_path / "platform"
    for again in (False, True):
        platform = Platform(Settings(folder, port=0, images=images(programs)))
        bench = Bench.__new__(Bench)
        with running(platform):
            Bench.__init__(bench, RunningPlatform(platform), programs)
            if not again:
                serve(bench, "def invoke(self, body): print('asked'); time.sleep(60)")
                model(bench, "one")
                bench.put("in/a.csv", b"1,2\n")
                bench.sagemaker.create_transform_job(**request())
                bench.await_line("/aws/sagemaker/TransformJobs", "asked")
                serve(bench, COUNT)
            else:
                assert settled(bench)["TransformJobStatus"] == "Completed"
                assert bench.get("s3://bench/out/a.csv.out") == b"2,1\n"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"ModelName": "no"}, 'Could not find model "arn:aws'),
    ({"split": "RecordIO"}, "TransformInput.SplitType: the local platform has None or Line"),
    ({"MaxPayloadInMB": 101}, "is more than 100 MB"),
    (
        {"MaxPayloadInMB": 30, "MaxConcurrentTransforms": 4},
        "MaxPayloadInMB 30 * MaxConcurrentTransforms 4 is more than 100 MB",
    ),
    ({"DataProcessing": {"InputFilter": "$..x"}}, "'$..x': expected $, .name"),
    (
        {"DataCaptureConfig": {"DestinationS3Uri": "s3://bench/x"}},
        "DataCaptureConfig: the local platform has none",
    ),
]


def test_what_cannot_run_is_refused_by_name(bench: Bench) -> None:
    for members, problem in REFUSED:
        with pytest.raises(ClientError) as error:
            bench.sagemaker.create_transform_job(**request(**members))
        assert error.value.response["Error"]["Code"] == "ValidationException"
        assert problem in error.value.response["Error"]["Message"]


def test_job_names_are_given_once_and_known(bench: Bench) -> None:
    bench.put("in/a.csv", b"1\n")
    transform(bench)
    with pytest.raises(ClientError, match=r"ResourceInUse.*Job name must be unique"):
        transform(bench)
    for operation in (bench.sagemaker.describe_transform_job, bench.sagemaker.stop_transform_job):
        with pytest.raises(ClientError, match="Could not find requested job with name: no"):
            operation(TransformJobName="no")
    arn = bench.sagemaker.describe_transform_job(TransformJobName="job")["TransformJobArn"]
    bench.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    assert bench.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    transform(bench, "job-2")
    found = bench.sagemaker.list_transform_jobs()["TransformJobSummaries"]
    assert [job["TransformJobName"] for job in found] == ["job-2", "job"]
