from __future__ import annotations

import json
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
    training,
)
from tests.local.services.sagemaker_bench import ROLE, Bench


@pytest.fixture
def bench(bench: Bench) -> Bench:
    return prepare(bench)


def test_execution_from_data_to_a_registered_package(bench: Bench) -> None:
    pipeline = create(bench, definition())
    execution = run(bench, Approval="Approved")
    found = steps(bench, execution)
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution
    assert list(found) == ["Register", "Gate", "Evaluate", "Train", "Process"]
    assert {step["StepStatus"] for step in found.values()} == {"Succeeded"}
    assert all(step["StartTime"] <= step["EndTime"] for step in found.values())
    assert found["Gate"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    job = found["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    number = execution["PipelineExecutionArn"].rpartition("/")[2]
    assert execution["PipelineExecutionArn"] == f"{pipeline}/execution/{number}"
    assert job.startswith(f"pipelines-{number}-Train-")
    package = bench.sagemaker.describe_model_package(
        ModelPackageName=found["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    assert package["ModelPackageVersion"] == 1
    assert package["ModelApprovalStatus"] == "Approved"
    data = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert data == f"s3://bench/models/{job}/output/model.tar.gz"
    assert bench.keys(f"train/{number}") == [f"train/{number}/train.csv"]


def test_gate_that_does_not_hold_ends_with_the_message_of_its_fail_step(bench: Bench) -> None:
    create(bench, definition())
    execution = run(bench, Bound="9.5")
    found = steps(bench, execution)
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert "TooShort: length 9 is below 9.5" in execution["FailureReason"]
    assert found["TooShort"]["FailureReason"] == "length 9 is below 9.5"
    assert found["TooShort"]["Metadata"]["Fail"]["ErrorMessage"] == "length 9 is below 9.5"
    assert found["Gate"]["Metadata"]["Condition"]["Outcome"] == "False"
    assert "Register" not in found
    assert bench.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("metrics.absent.value", "there is no 'absent', but length, nan, text"),
        ("metrics.nan", "is nan, not a finite number"),
        ("metrics.text", "is '1', not a finite number"),
        ("metrics.length", "not a finite number"),
    ],
)
def test_metric_that_is_no_number_fails_the_gate(bench: Bench, path: str, what: str) -> None:
    create(bench, definition(path))
    execution = run(bench)
    gate = steps(bench, execution)["Gate"]
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert gate["StepStatus"] == "Failed"
    assert what in gate["FailureReason"]
    assert f"{path!r}" in gate["FailureReason"]
    assert "evaluation.json" in gate["FailureReason"]
    assert bench.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_step_whose_job_fails_starts_nothing_after_it(bench: Bench) -> None:
    bench.program("train", 'sys.exit("no way to fit this")')
    create(bench, definition())
    execution = run(bench)
    found = steps(bench, execution)
    assert set(found) == {"Process", "Train"}
    assert found["Train"]["StepStatus"] == "Failed"
    assert "no way to fit this" in found["Train"]["FailureReason"]
    assert execution["FailureReason"].startswith("Step failure: One or multiple steps failed.")


def with_training(**changes: Any) -> str:
    step = training()
    step["Arguments"] |= changes
    text = json.loads(definition())
    text["Steps"][2] = step
    return json.dumps(text)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"ResourceConfig": {**CLUSTER, "InstanceType": "ml.huge"}},
            "step Train: CreateTrainingJob: 1 validation error detected: Value 'ml.huge' at",
        ),
        (
            {"ResourceConfig": {**CLUSTER, "InstanceCount": 2}},
            "step Train: ResourceConfig.InstanceCount: the local platform has 1; found 2",
        ),
        (
            {"AlgorithmSpecification": {"TrainingImage": "other", "TrainingInputMode": "File"}},
            "step Train: no local program stands for the image 'other'",
        ),
        (
            {
                "ResourceConfig": {**CLUSTER, "InstanceCount": get("Parameters.Rounds")},
                "AlgorithmSpecification": {"TrainingImage": "other", "TrainingInputMode": "File"},
            },
            "step Train: no local program stands for the image 'other'",
        ),
        ({"Rounds": 1}, "Value '1' at 'rounds' failed to satisfy constraint: Member must be one"),
    ],
)
def test_request_that_cannot_be_is_refused_with_its_step(
    bench: Bench, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ClientError, match="ValidationException") as error:
        create(bench, with_training(**changes))
    assert problem in str(error.value)


def test_request_that_the_parameters_spoil_is_refused_at_the_start(bench: Bench) -> None:
    count = {**CLUSTER, "InstanceCount": get("Parameters.Rounds")}
    create(bench, with_training(ResourceConfig=count))
    with pytest.raises(
        ClientError, match=r"step Train: ResourceConfig.InstanceCount: the local platform has 1"
    ):
        run(bench)
    assert run(bench, Rounds="1", Bound="1")["PipelineExecutionStatus"] == "Succeeded"


def test_parameters_are_checked_at_the_start(bench: Bench) -> None:
    create(bench, definition())
    for given, problem in [
        ({"Nobody": "1"}, "Unknown pipeline parameter 'Nobody'; there are: Rounds, Bound"),
        ({"Rounds": "many"}, "'Rounds': 'many' is not of type Integer"),
        ({"Approval": "Maybe"}, "'Approval': 'Maybe' is not one of"),
    ]:
        with pytest.raises(ClientError, match="ValidationException") as error:
            run(bench, **given)
        assert problem in str(error.value)
    assert (
        bench.sagemaker.list_pipeline_executions(PipelineName="pipe")["PipelineExecutionSummaries"]
        == []
    )


def test_parameters_of_an_execution_are_listed_with_their_defaults(bench: Bench) -> None:
    create(bench, definition())
    execution = run(bench, Rounds="2")
    listed = bench.sagemaker.list_pipeline_parameters_for_execution(
        PipelineExecutionArn=execution["PipelineExecutionArn"]
    )["PipelineParameters"]
    assert {pair["Name"]: pair["Value"] for pair in listed} == {
        "Rounds": "2",
        "Bound": "5.0",
        "Approval": "PendingManualApproval",
    }


def test_pipeline_is_described_updated_listed_and_deleted(bench: Bench) -> None:
    client = bench.sagemaker
    arn = create(bench, definition())
    with pytest.raises(ClientError, match=r"ValidationException.*already exists"):
        create(bench, definition())
    uri = bench.put("definition.json", definition(Metadata={"second": True}).encode())
    client.update_pipeline(
        PipelineName="pipe",
        PipelineDescription="second",
        PipelineDefinitionS3Location={"Bucket": "bench", "ObjectKey": uri.rpartition("/")[2]},
    )
    for name in ("pipe", arn):
        found = client.describe_pipeline(PipelineName=name)
        assert found["PipelineArn"] == arn
        assert found["PipelineDescription"] == "second"
        assert json.loads(found["PipelineDefinition"])["Metadata"] == {"second": True}
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "churn"}]
    (summary,) = client.list_pipelines(PipelineNamePrefix="pi")["PipelineSummaries"]
    assert summary["PipelineName"] == "pipe"
    assert client.list_pipelines(PipelineNamePrefix="x")["PipelineSummaries"] == []
    client.delete_pipeline(PipelineName="pipe")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        client.describe_pipeline(PipelineName="pipe")


def test_token_makes_a_start_and_a_create_idempotent(bench: Bench) -> None:
    token = "t" * 32
    arns = {
        bench.sagemaker.create_pipeline(
            PipelineName="pipe",
            PipelineDefinition=definition(),
            RoleArn=ROLE,
            ClientRequestToken=token,
        )["PipelineArn"]
        for _ in range(2)
    }
    assert len(arns) == 1
    started = {
        bench.sagemaker.start_pipeline_execution(PipelineName="pipe", ClientRequestToken=token)[
            "PipelineExecutionArn"
        ]
        for _ in range(2)
    }
    assert len(started) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ("[" * 5000, "nested more than 200 deep"),
        (definition(Metadata=json.loads('{"a":' * 300 + "1" + "}" * 300)), "more than 200 deep"),
        (definition(Steps=[]), "a pipeline needs at least one step"),
        (
            definition(Steps=[{"Name": "T", "Type": "Tuning", "Arguments": {}}]),
            "step T: type 'Tuning' does not run here",
        ),
        (
            definition(Steps=[training()]),
            "step Train: there is no step 'Process' to depend on",
        ),
    ],
)
def test_definition_that_cannot_run_is_refused(bench: Bench, text: str, problem: str) -> None:
    with pytest.raises(ClientError, match="ValidationException") as error:
        create(bench, text)
    assert problem in str(error.value)


def test_stopped_execution_stops_its_job_and_starts_no_more(bench: Bench) -> None:
    bench.program("train", 'print("ready", flush=True); signal.pause()')
    create(bench, definition())
    arn = bench.sagemaker.start_pipeline_execution(PipelineName="pipe")["PipelineExecutionArn"]
    bench.await_line("/aws/sagemaker/TrainingJobs", "ready")
    with pytest.raises(ClientError, match="ConflictException"):
        bench.sagemaker.delete_pipeline(PipelineName="pipe")
    bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    execution = bench.settled(
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        "PipelineExecutionStatus",
    )
    found = steps(bench, execution)
    assert execution["PipelineExecutionStatus"] == "Stopped"
    assert {name: step["StepStatus"] for name, step in found.items()} == {
        "Process": "Succeeded",
        "Train": "Stopped",
    }
    job = found["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    assert bench.trained(job)["TrainingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="only one that is Executing or Stopping can"):
        bench.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_independent_steps_run_side_by_side(bench: Bench) -> None:
    meeting = bench.programs / "meeting"
    meeting.mkdir(parents=True)
    bench.program(
        "other",
        f"""
        meeting = pathlib.Path({str(meeting)!r})
        (meeting / os.environ["MINE"]).touch()
        deadline = time.monotonic() + 120
        while len(list(meeting.iterdir())) < 2:
            assert time.monotonic() < deadline, "the other one never came"
            time.sleep(0.01)
        """,
    )
    both = [processing(name, "other", {}, {}) for name in ("A", "B")]
    for step in both:
        step["Arguments"]["Environment"] = {"MINE": step["Name"]}
    after = processing("C", "other", {}, {}, DependsOn=["A", "B"])
    after["Arguments"]["Environment"] = {"MINE": get("Steps.A.ProcessingJobName")}
    create(bench, definition(Steps=[after, *both]))
    execution = run(bench)
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution
    assert next(iter(steps(bench, execution))) == "C"


def test_failure_lets_running_steps_finish_and_starts_no_more(bench: Bench) -> None:
    bench.program(
        "other",
        """
        import boto3
        if os.environ["MINE"] == "Fails":
            sys.exit(1)
        client = boto3.client("sagemaker")
        (execution,) = client.list_pipeline_executions(PipelineName="pipe")[
            "PipelineExecutionSummaries"
        ]
        def failed():  # the step: it is told after its job
            steps = client.list_pipeline_execution_steps(
                PipelineExecutionArn=execution["PipelineExecutionArn"]
            )["PipelineExecutionSteps"]
            return "Failed" in [step["StepStatus"] for step in steps]
        deadline = time.monotonic() + 120
        while not failed():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        """,
    )
    made = [processing(name, "other", {}, {}) for name in ("Fails", "Lasts", "After")]
    for step in made:
        step["Arguments"]["Environment"] = {"MINE": step["Name"]}
    made[2]["DependsOn"] = ["Lasts"]
    create(bench, definition(Steps=made))
    execution = run(bench)
    assert execution["PipelineExecutionStatus"] == "Failed"
    found = {name: step["StepStatus"] for name, step in steps(bench, execution).items()}
    assert found == {"Fails": "Failed", "Lasts": "Succeeded"}


def test_executions_are_listed_newest_first(bench: Bench) -> None:
    create(bench, definition())
    first, second = (run(bench, Bound="99")["PipelineExecutionArn"] for _ in range(2))
    listed = bench.sagemaker.list_pipeline_executions(PipelineName="pipe")
    found = listed["PipelineExecutionSummaries"]
    assert [summary["PipelineExecutionArn"] for summary in found] == [second, first]
    assert found[0]["PipelineExecutionStatus"] == "Failed"
    assert "TooShort" in found[0]["PipelineExecutionFailureReason"]
    text = bench.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=first)
    assert json.loads(text["PipelineDefinition"]) == json.loads(definition())
    with pytest.raises(ClientError, match="ResourceNotFound"):
        bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=first + "x")
