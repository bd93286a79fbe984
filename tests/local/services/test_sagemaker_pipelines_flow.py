"""Steps that are done again, side by side, by themselves, and those that are no jobs."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boostline.contracts.pipeline import get
from tests.local.services.pipelines_bench import (
    CLUSTER,
    create,
    definition,
    prepare,
    processing,
    run,
    steps,
)
from tests.local.services.sagemaker_bench import ROLE, Bench, client, image

pytestmark = pytest.mark.slow

FUNCTION = """
def handler(event, context):
    if event.get("fails"):
        raise ValueError("no " + event["fails"])
    return {"sum": event["a"] + event["b"], "big": event["a"] > 2, "text": "t", "half": 0.5}
"""


@pytest.fixture
def bench(bench: Bench) -> Bench:
    return prepare(bench)


def only(*steps: dict[str, Any]) -> str:
    return definition(Steps=list(steps))


def retries(*kinds: str, **members: Any) -> dict[str, Any]:
    policy = {"ExceptionType": list(kinds), "IntervalSeconds": 0, "BackoffRate": 1.0, **members}
    return {"RetryPolicies": [policy]}


def broken_store(bench: Bench, *, for_ever: bool) -> None:
    """Write a program whose outputs cannot be stored at the first attempt, or at any."""
    incoming = bench.running.platform.folder / "blobs/incoming"
    bench.program(
        "other",
        f"""
        incoming = pathlib.Path({str(incoming)!r})
        (base / "processing/output/made/file").write_text("made")
        if incoming.exists():
            incoming.rename(incoming.with_name("moved"))
        elif not {for_ever}:
            incoming.with_name("moved").rename(incoming)
        """,
    )


def test_failure_of_the_platform_is_tried_again_as_the_policy_says(bench: Bench) -> None:
    broken_store(bench, for_ever=False)
    again = retries("SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", MaxAttempts=2)
    create(bench, only(processing("Step", "other", {}, {"made": "made"}, **again)))
    step = steps(bench, run(bench))["Step"]
    assert step["StepStatus"] == "Succeeded"
    assert step["AttemptCount"] == 2
    jobs = bench.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
    assert [job["ProcessingJobStatus"] for job in jobs] == ["Failed", "Completed"]
    assert jobs[1]["ProcessingJobArn"] == step["Metadata"]["ProcessingJob"]["Arn"]


def test_attempts_come_to_an_end(bench: Bench) -> None:
    broken_store(bench, for_ever=True)
    again = retries("SageMaker.JOB_INTERNAL_ERROR", MaxAttempts=1)
    create(bench, only(processing("Step", "other", {}, {"made": "made"}, **again)))
    step = steps(bench, run(bench))["Step"]
    assert step["StepStatus"] == "Failed"
    assert step["AttemptCount"] == 2
    assert step["FailureReason"].startswith("InternalServerError: the outputs could not be stored")


def test_programs_own_failure_is_not_tried_again(bench: Bench) -> None:
    bench.program("other", 'sys.exit("wrong")')
    kinds = ("SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "Step.SERVICE_FAULT")
    create(bench, only(processing("Step", "other", {}, {}, **retries(*kinds))))
    assert steps(bench, run(bench))["Step"]["AttemptCount"] == 1


def test_stop_ends_the_wait_for_the_next_attempt(bench: Bench) -> None:
    broken_store(bench, for_ever=True)
    again = retries("SageMaker.JOB_INTERNAL_ERROR", IntervalSeconds=3600)
    create(bench, only(processing("Step", "other", {}, {"made": "made"}, **again)))
    arn = bench.sagemaker.start_pipeline_execution(PipelineName="pipe")["PipelineExecutionArn"]
    execution = {"PipelineExecutionArn": arn}
    bench.until(lambda: steps(bench, execution).get("Step", {}).get("AttemptCount") == 2)
    bench.sagemaker.stop_pipeline_execution(**execution)
    found = bench.settled(
        lambda: bench.sagemaker.describe_pipeline_execution(**execution), "PipelineExecutionStatus"
    )
    assert found["PipelineExecutionStatus"] == "Stopped"


def test_retry_goes_on_from_what_has_succeeded(bench: Bench) -> None:
    bench.program("train", 'sys.exit("no memory left")')
    create(bench, definition())
    first = run(bench)
    before = steps(bench, first)
    assert before["Train"]["StepStatus"] == "Failed"
    prepare(bench)
    arn = {"PipelineExecutionArn": first["PipelineExecutionArn"]}
    for _ in range(2):  # the token makes it once
        answer = bench.sagemaker.retry_pipeline_execution(
            **arn,
            ClientRequestToken="t" * 32,
            ParallelismConfiguration={"MaxParallelExecutionSteps": 1},
        )
        assert answer["PipelineExecutionArn"] == first["PipelineExecutionArn"]
    second = bench.settled(
        lambda: bench.sagemaker.describe_pipeline_execution(**arn), "PipelineExecutionStatus"
    )
    after = steps(bench, second)
    assert second["PipelineExecutionStatus"] == "Succeeded", second
    assert "FailureReason" not in second
    assert after["Process"] == before["Process"]
    assert after["Train"]["Metadata"] != before["Train"]["Metadata"]
    assert {"Register", "Gate"} < set(after)
    with pytest.raises(ClientError, match="is Succeeded: only one that is Failed or Stopped"):
        bench.sagemaker.retry_pipeline_execution(**arn, ClientRequestToken="u" * 32)


def test_execution_that_ended_in_a_fail_step_cannot_be_retried(bench: Bench) -> None:
    create(bench, definition())
    arn = run(bench, Bound="99")["PipelineExecutionArn"]
    with pytest.raises(ClientError, match="ended in its Fail step TooShort"):
        bench.sagemaker.retry_pipeline_execution(
            PipelineExecutionArn=arn, ClientRequestToken="t" * 32
        )


@pytest.mark.parametrize("where", ["pipeline", "execution"])
def test_no_more_steps_run_side_by_side_than_allowed(bench: Bench, where: str) -> None:
    busy = bench.programs / "busy"
    busy.mkdir()
    bench.program(
        "other",
        f"""
        busy = pathlib.Path({str(busy)!r})
        (busy / str(os.getpid())).touch()
        time.sleep(0.1)
        count = len(list(busy.iterdir()))
        (busy / str(os.getpid())).unlink()
        sys.exit(count > 2)
        """,
    )
    made = [processing(name, "other", {}, {}) for name in "ABCDEF"]
    limit = {"ParallelismConfiguration": {"MaxParallelExecutionSteps": 2}}
    create(bench, only(*made))
    if where == "pipeline":
        bench.sagemaker.update_pipeline(PipelineName="pipe", **limit)
    arn = bench.sagemaker.start_pipeline_execution(
        PipelineName="pipe", **(limit if where == "execution" else {})
    )
    execution = bench.settled(
        lambda: bench.sagemaker.describe_pipeline_execution(
            PipelineExecutionArn=arn["PipelineExecutionArn"]
        ),
        "PipelineExecutionStatus",
    )
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution
    assert execution["ParallelismConfiguration"] == limit["ParallelismConfiguration"]


def selective(bench: Bench, source: str, *names: str, **parameters: str) -> dict[str, Any]:
    config: dict[str, Any] = {"SelectedSteps": [{"StepName": name} for name in names]}
    if source:
        config["SourcePipelineExecutionArn"] = source
    arn = bench.sagemaker.start_pipeline_execution(
        PipelineName="pipe",
        SelectiveExecutionConfig=config,
        PipelineParameters=[{"Name": n, "Value": v} for n, v in parameters.items()],
    )["PipelineExecutionArn"]
    return bench.settled(
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        "PipelineExecutionStatus",
    )


def test_selected_steps_run_with_the_results_of_an_earlier_execution(bench: Bench) -> None:
    create(bench, definition())
    source = run(bench)
    arn, before = source["PipelineExecutionArn"], steps(bench, source)
    found = selective(bench, arn, "Train", "Evaluate", Rounds="1")
    after = steps(bench, found)
    assert found["PipelineExecutionStatus"] == "Succeeded", found
    assert found["SelectiveExecutionConfig"]["SourcePipelineExecutionArn"] == arn
    assert set(after) == {"Process", "Train", "Evaluate"}
    assert after["Process"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": arn}
    assert after["Process"]["Metadata"] == before["Process"]["Metadata"]
    assert "SelectiveExecutionResult" not in after["Train"]
    assert after["Train"]["Metadata"] != before["Train"]["Metadata"]
    gate = selective(bench, found["PipelineExecutionArn"], "Gate", "TooShort")
    reason = steps(bench, gate)["TooShort"]["FailureReason"]
    assert reason == "length 3 is below 5.0"
    alone = selective(bench, "", "Process", "Process")
    assert set(steps(bench, alone)) == {"Process"}


@pytest.mark.parametrize(
    ("names", "source", "problem"),
    [
        (["Nobody"], True, "the pipeline has no step 'Nobody'"),
        (["Process", "Evaluate"], True, "step Train lies between Process and Evaluate: select it"),
        (["Train"], False, "need the results of Process: SourcePipelineExecutionArn"),
        (["Gate"], True, "step Evaluate did not succeed"),
    ],
)
def test_steps_that_cannot_run_by_themselves_are_refused(
    bench: Bench, names: list[str], source: bool, problem: str
) -> None:
    bench.program("evaluate", "sys.exit(1)")
    create(bench, definition())
    arn = run(bench)["PipelineExecutionArn"] if source else ""
    with pytest.raises(ClientError, match="ValidationException") as error:
        selective(bench, arn, *names)
    assert problem in str(error.value)


def function(bench: Bench) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("function.py", FUNCTION)
    made = client(bench.running, "lambda").create_function(
        FunctionName="add",
        Runtime="python3.11",
        Role=ROLE,
        Handler="function.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    return str(made["FunctionArn"])


def call(arn: Any, event: dict[str, Any], *outputs: tuple[str, str]) -> dict[str, Any]:
    named = [{"OutputName": name, "OutputType": kind} for name, kind in outputs]
    return {
        "Name": "Add",
        "Type": "Lambda",
        "FunctionArn": arn,
        "Arguments": event,
        "OutputParameters": named,
    }


def test_function_answers_and_later_steps_read_its_outputs(bench: Bench) -> None:
    arn = function(bench)
    outputs = [("sum", "Integer"), ("big", "Boolean"), ("text", "String"), ("half", "Float")]
    add = call(arn, {"a": get("Parameters.Rounds"), "b": 4}, *outputs)
    conditions = [
        {
            "Type": "Equals",
            "LeftValue": get(f"Steps.Add.OutputParameters['{name}']"),
            "RightValue": v,
        }
        for name, v in {"sum": 7, "big": True, "text": "t", "half": 0.5}.items()
    ]
    gate = {"Name": "Gate", "Type": "Condition", "Arguments": {"Conditions": conditions}}
    cache = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    create(bench, only(gate, add | cache))
    for hit in (False, True):
        found = steps(bench, run(bench))
        assert found["Gate"]["Metadata"]["Condition"]["Outcome"] == "True", found
        assert ("CacheHitResult" in found["Add"]) is hit
        metadata = found["Add"]["Metadata"]["Lambda"]
        assert metadata["Arn"] == arn
        assert metadata["OutputParameters"][0] == {"Name": "sum", "Value": "7"}


@pytest.mark.parametrize(
    ("event", "output", "problem"),
    [
        ({"fails": "luck"}, ("sum", "Integer"), "ValueError"),
        ({"a": 1, "b": 2}, ("other", "String"), "shall return 'other' of type String; it returned"),
        ({"a": 1, "b": 2}, ("text", "Integer"), "shall return 'text' of type Integer; it returned"),
    ],
)
def test_function_that_fails_or_answers_otherwise_fails_its_step(
    bench: Bench, event: dict[str, Any], output: tuple[str, str], problem: str
) -> None:
    create(bench, only(call(function(bench), event, output)))
    assert problem in steps(bench, run(bench))["Add"]["FailureReason"]


def test_model_is_made_and_transforms(bench: Bench) -> None:
    bench.program(
        "serve",
        """
        Handler.invoke = lambda self, body: self.answer(200, body.upper())
        run()
        """,
        serves=True,
    )
    bench.put("rows/a.csv", b"a,b\nc,d\n")
    whole = json.loads(definition())
    model = {
        "Name": "Model",
        "Type": "Model",
        "Arguments": {
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {
                "Image": image("serve"),
                "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts"),
            },
        },
    }
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bench/rows/"}}
    transform = {
        "Name": "Transform",
        "Type": "Transform",
        "CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"},
        "Arguments": {
            "ModelName": get("Steps.Model.ModelName"),
            "TransformInput": {"DataSource": source, "ContentType": "text/csv"},
            "MaxPayloadInMB": get("Parameters.Rounds"),
            "TransformOutput": {"S3OutputPath": "s3://bench/scored"},
            "TransformResources": {"InstanceType": CLUSTER["InstanceType"], "InstanceCount": 1},
        },
    }
    whole["Steps"] = [transform, model, *whole["Steps"][2:]]
    create(bench, json.dumps(whole))
    for hit in (False, True):
        execution = run(bench)
        found = steps(bench, execution)
        assert execution["PipelineExecutionStatus"] == "Succeeded", execution
        name = found["Model"]["Metadata"]["Model"]["Arn"].rpartition("/")[2]
        assert name.startswith("pipelines-")
        # Another model of the same content.
        assert ("CacheHitResult" in found["Transform"]) is hit
        assert "TransformJob" in found["Transform"]["Metadata"]
    assert bench.get("s3://bench/scored/a.csv.out") == b"A,B\nC,D\n"
