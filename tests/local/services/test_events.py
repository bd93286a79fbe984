"""Events: from an approval to the command that stands for a target."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boostline.local.platform import Platform, Settings
from boostline.local.services.events.delivery import DELIVERY
from boostline.local.services.events.patterns import BadPattern, matches, read
from boostline.local.store.events import RULE
from boostline.local.wire import server
from tests.conftest import RunningPlatform, start
from tests.local.services.sagemaker_bench import Bench

ARN = "arn:aws:codepipeline:us-east-1:000000000000:churn-delivery"
# As the project's template has it.
APPROVED = {
    "source": ["aws.sagemaker"],
    "detail-type": ["SageMaker Model Package State Change"],
    "detail": {
        "ModelPackageGroupName": ["churn"],
        "ModelApprovalStatus": ["Approved"],
        "UpdatedModelPackageFields": ["ModelApprovalStatus"],
    },
}
# Keeps what it reads, in a file of its own; tells if another of its kind runs at the same time.
COMMAND = """
import os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
(folder / "runs").mkdir(exist_ok=True)
print("alone" if not list(folder.glob("busy")) else "not alone", os.environ["BOOSTLINE_DIR"])
(folder / "busy").touch()
(folder / "runs" / str(os.getpid())).write_text(sys.stdin.read())
(folder / "busy").unlink()
sys.exit(3)
"""
# Waits to be ended the first time, and writes what it reads the second time.
ENDLESS = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
begun = folder / "begun"
if begun.exists():
    (folder / "again.part").write_text(sys.stdin.read())
    (folder / "again.part").rename(folder / "again")
else:
    begun.touch()
    time.sleep(600)
"""
# A platform that is killed while it delivers.
KILLED = """
import json, os, sys
from pathlib import Path
from boostline.local.platform import Platform, Settings
from boostline.local.wire.server import running
folder, line = Path(sys.argv[1]), tuple(sys.argv[2:])
platform = Platform(Settings(folder / "platform", port=0, targets={"*": line}))
with running(platform):
    call = platform.call
    call("events", "PutRule", {"Name": "any", "EventPattern": '{"source": ["mine"]}'})
    call("events", "PutTargets", {"Rule": "any", "Targets": [{"Id": "t", "Arn": "arn"}]})
    entry = {"Source": "mine", "DetailType": "d", "Detail": '{"number": 7}'}
    call("events", "PutEvents", {"Entries": [entry]})
    while not (folder / "begun").exists():
        pass
    os._exit(9)
"""


def line(tmp_path: Path, program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program, str(tmp_path))


@pytest.fixture
def settings(tmp_path: Path) -> Mapping[str, Any]:
    targets = {
        "arn:aws:codepipeline:*": line(tmp_path, COMMAND),
        "*:api-destination/gone": ("/no/such/program",),
    }
    return {"targets": targets, "deliveries": 2}


@pytest.fixture
def bench(platform: RunningPlatform, tmp_path: Path) -> Bench:
    return Bench(platform, tmp_path)


def rule(
    running: RunningPlatform, pattern: Mapping[str, Any], name: str = "rule", **target: Any
) -> Any:
    events = running.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": ARN, **target}])
    return events


def runs(tmp_path: Path) -> list[Any]:
    return [json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*")]


def lines(bench: Bench, name: str = "rule") -> list[str]:
    return bench.lines(f"/aws/events/{name}", "t/")


def test_an_approval_and_nothing_else_runs_the_declared_command(
    bench: Bench, tmp_path: Path
) -> None:
    rule(bench.running, APPROVED)
    client = bench.sagemaker
    for group in ("churn", "other"):
        client.create_model_package_group(ModelPackageGroupName=group)
    arns = [
        client.create_model_package(ModelPackageGroupName=group, ModelPackageDescription="one")[
            "ModelPackageArn"
        ]
        for group in ("churn", "other")
    ]
    for arn in arns:
        client.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"a": "b"})
        client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
        client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
        client.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"a": "c"})
    bench.until(lambda: lines(bench).count("exit code 3") == 2)
    first, second = runs(tmp_path)  # twice, as AWS may send it
    assert first == second
    assert first["source"] == "aws.sagemaker"
    assert first["detail-type"] == "SageMaker Model Package State Change"
    assert (first["account"], first["region"]) == ("000000000000", "us-east-1")
    assert first["resources"] == [arns[0]]
    detail = first["detail"]
    assert detail["ModelPackageVersion"] == 1
    assert detail["UpdatedModelPackageFields"] == ["ModelApprovalStatus"]
    assert detail["CreationTime"].endswith("Z")
    assert "LastVersion" not in detail
    told = lines(bench)
    assert told.count(f"alone {bench.running.settings.folder}") == 2
    assert told[0].startswith(f"{ARN}: ")


def test_a_command_that_fails_is_told_at_the_terminal(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    events = rule(bench.running, {"source": ["mine"]})
    gone = {"Id": "gone", "Arn": "arn:aws:events:x:api-destination/gone"}
    events.put_targets(Rule="rule", Targets=[gone])
    events.put_events(Entries=[{"Source": "mine", "DetailType": "A", "Detail": "{}"}])
    bench.until(lambda: lines(bench).count("exit code 3") == 2)
    bench.until(lambda: bench.lines("/aws/events/rule", "gone/").count("exit code 127") == 2)
    assert "exit code 3; its lines are in log group /aws/events/rule" in caplog.text
    assert "/no/such/program: exit code 127" in caplog.text


def test_executions_and_their_steps_tell_how_they_end(bench: Bench, tmp_path: Path) -> None:
    rule(bench.running, {"detail": {"currentPipelineExecutionStatus": ["Failed"]}})
    rule(bench.running, {"detail": {"currentStepStatus": ["Failed"]}}, "steps")
    fail = {"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "enough"}}
    definition = {"Version": "2020-12-01", "Parameters": [], "Steps": [fail]}
    bench.sagemaker.create_pipeline(
        PipelineName="ends",
        ClientRequestToken="a" * 32,
        RoleArn="arn:aws:iam::000000000000:role/any",
        PipelineDefinition=json.dumps(definition),
    )
    arn = bench.sagemaker.start_pipeline_execution(
        PipelineName="ends", ClientRequestToken="b" * 32
    )["PipelineExecutionArn"]
    bench.until(lambda: lines(bench).count("exit code 3") == 2)
    bench.until(lambda: lines(bench, "steps").count("exit code 3") == 2)
    found = {event["detail-type"]: event["detail"] for event in runs(tmp_path)}
    step = found["SageMaker Model Building Pipeline Execution Step Status Change"]
    assert (step["stepName"], step["stepType"]) == ("End", "Fail")
    assert (step["previousStepStatus"], step["failureReason"]) == ("Starting", "enough")
    assert step["metadata"] == {"fail": {"errorMessage": "enough"}}
    whole = found["SageMaker Model Building Pipeline Execution Status Change"]
    assert whole["previousPipelineExecutionStatus"] == "Executing"
    assert whole["executionEndTime"].endswith("Z")
    assert step["pipelineExecutionArn"] == whole["pipelineExecutionArn"] == arn


def test_what_a_target_gets_is_made_by_its_transformer(bench: Bench, tmp_path: Path) -> None:
    template = '{"type": "<kind> of <group>", "group": <group>, "version": <version>, "no": <no>}'
    paths = {
        "kind": "$.detail-type",
        "group": "$.detail.groups[1]",
        "version": "$.detail.version",
        "no": "$.detail.nothing",
    }
    transformer = {"InputPathsMap": paths, "InputTemplate": template}
    events = rule(bench.running, {"source": ["mine"]}, InputTransformer=transformer)
    entry = {
        "Source": "mine",
        "DetailType": "A",
        "Detail": '{"version": 3, "groups": ["b", "\\"c"]}',
    }
    sent = events.put_events(Entries=[entry, {**entry, "Source": "other"}])
    assert sent["FailedEntryCount"] == 0
    bench.until(lambda: lines(bench).count("exit code 3") == 2)
    expected = {"type": 'A of "c', "group": '"c', "version": 3, "no": None}
    assert runs(tmp_path) == [expected, expected]


def test_a_target_without_a_command_is_told(bench: Bench) -> None:
    events = rule(bench.running, {"source": ["mine"]}, Arn="arn:aws:events:x:api-destination/a")
    events.put_events(Entries=[{"Source": "mine", "DetailType": "A", "Detail": "{}"}])
    bench.until(lambda: len(lines(bench)) == 2)
    assert "boostline up --on-event 'arn:aws:events:x:api-destination/a=COMMAND'" in lines(bench)[0]


def test_a_disabled_rule_matches_nothing(bench: Bench) -> None:
    events = rule(bench.running, {"source": ["mine"]})
    entry = {"Source": "mine", "DetailType": "A", "Detail": "{}"}
    call = bench.running.platform.call
    with bench.running.platform.database.transaction():  # what is sent waits in the queue
        call("events", "DisableRule", {"Name": "rule"})
        call("events", "PutEvents", {"Entries": [entry]})
        call("events", "EnableRule", {"Name": "rule"})
    last = events.put_events(Entries=[entry])["Entries"][0]["EventId"]
    bench.until(lambda: lines(bench).count("exit code 3") == 2)
    streams = bench.running.platform.logs.streams("/aws/events/rule")
    assert list(streams) == [f"t/{last}"]


@pytest.mark.slow
def test_what_was_accepted_is_delivered_after_a_kill(tmp_path: Path) -> None:
    command = line(tmp_path, ENDLESS)
    platform = [sys.executable, "-c", KILLED, str(tmp_path), *command]
    assert subprocess.run(platform, check=False).returncode == 9
    for running in start(tmp_path / "platform", targets={"*": command}):
        Bench(running, tmp_path).until((tmp_path / "again").exists)
        assert json.loads((tmp_path / "again").read_text())["detail"] == {"number": 7}


def test_what_is_told_as_done_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform that is told to end when a delivery has said its last line."""
    settings = Settings(tmp_path / "platform", port=0, targets={"*": line(tmp_path, COMMAND)})
    platform, told = Platform(settings), threading.Event()
    append = platform.logs.append

    def tell(group: str, stream: str, messages: list[str]) -> None:
        append(group, stream, messages)
        if messages == ["exit code 3"]:
            told.set()
            platform.events.arrived.wait(60)  # which the end sets

    monkeypatch.setattr(platform.logs, "append", tell)
    entry = {"Source": "mine", "DetailType": "d", "Detail": "{}"}
    with server.running(platform):
        platform.call("events", "PutRule", {"Name": "any", "EventPattern": '{"source": ["mine"]}'})
        target = {"Id": "t", "Arn": "arn"}
        platform.call("events", "PutTargets", {"Rule": "any", "Targets": [target]})
        platform.call("events", "PutEvents", {"Entries": [entry]})
        assert told.wait(60)
    after = Platform(settings)
    left = after.resources.list(DELIVERY)
    after.stop()
    assert left == []


def test_rules_and_their_targets(bench: Bench) -> None:
    events = rule(bench.running, APPROVED)
    found = events.describe_rule(Name="rule")
    assert found["Arn"] == "arn:aws:events:us-east-1:000000000000:rule/rule"
    assert (json.loads(found["EventPattern"]), found["State"]) == (APPROVED, "ENABLED")
    events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["b"]}), State="DISABLED")
    assert [r["State"] for r in events.list_rules(NamePrefix="ru")["Rules"]] == ["DISABLED"]
    assert [t["Id"] for t in events.list_targets_by_rule(Rule="rule")["Targets"]] == ["t"]
    with pytest.raises(ClientError, match="since it has targets"):
        events.delete_rule(Name="rule")
    events.remove_targets(Rule="rule", Ids=["t"])
    events.delete_rule(Name="rule")
    events.delete_rule(Name="rule")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        events.describe_rule(Name="rule")


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("put_rule", {"Name": "r", "EventPattern": "{"}, "InvalidEventPatternException"),
    ("put_rule", {"Name": "r", "EventPattern": "[" * 4000}, "more than 200 deep"),
    ("put_rule", {"Name": "r", "ScheduleExpression": "rate(1 day)"}, "ScheduleExpression"),
    ("put_rule", {"Name": "r", "EventPattern": "{}", "EventBusName": "b"}, "Event bus b"),
    ("put_targets", {"Rule": "no", "Targets": [{"Id": "t", "Arn": ARN}]}, "Rule no does not"),
    ("enable_rule", {"Name": "no"}, "ResourceNotFoundException"),
    (
        "put_targets",
        {"Rule": "rule", "Targets": [{"Id": str(n), "Arn": ARN} for n in range(5)]},
        "LimitExceededException",
    ),
    (
        "put_targets",
        {"Rule": "rule", "Targets": [{"Id": "t", "Arn": ARN, "Input": "1", "InputPath": "$"}]},
        "only one of",
    ),
    (
        "put_targets",
        {
            "Rule": "rule",
            "Targets": [{"Id": "t", "Arn": ARN, "InputTransformer": {"InputTemplate": '"<a>"'}}],
        },
        "<a>, which InputPathsMap does not define",
    ),
]


def test_what_eventbridge_refuses_is_refused(bench: Bench) -> None:
    events = rule(bench.running, APPROVED)
    for operation, request, problem in REFUSED:
        with pytest.raises(ClientError) as error:
            getattr(events, operation)(**request)
        assert problem in str(error.value)
    entries = [
        {"Source": "aws.mine", "DetailType": "A", "Detail": "{}"},
        {"Source": "mine", "DetailType": "A", "Detail": "[]"},
        {"Source": "mine", "Detail": "{}"},
        {"Source": "mine", "DetailType": "A", "Detail": '{"a":' * 5000},
    ]
    answer = events.put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 4
    assert [entry["ErrorCode"] for entry in answer["Entries"]] == [
        *("NotAuthorizedForSourceException", "MalformedDetail", "InvalidArgument"),
        "MalformedDetail",
    ]


def test_a_request_that_is_refused_sends_none_of_its_events(bench: Bench) -> None:
    events = rule(bench.running, {"source": ["mine"]})
    entry = {"Source": "mine", "DetailType": "A", "Detail": "{}"}
    with pytest.raises(ClientError, match="Event bus other does not exist"):
        events.put_events(Entries=[entry, {**entry, "EventBusName": "other"}])
    last = events.put_events(Entries=[entry])["Entries"][0]["EventId"]
    bench.until(lambda: lines(bench).count("exit code 3") == 2)
    streams = bench.running.platform.logs.streams("/aws/events/rule")
    assert list(streams) == [f"t/{last}"]


def test_a_rule_that_cannot_be_read_holds_up_no_other(bench: Bench) -> None:
    deep = {"Name": "deep", "State": "ENABLED", "Targets": []}
    deep["EventPattern"] = '{"a":' * 380 + '["b"]' + "}" * 380
    bench.running.platform.resources.put(RULE, "deep", deep)
    events = rule(bench.running, {"source": ["mine"]})
    events.put_events(Entries=[{"Source": "mine", "DetailType": "A", "Detail": '{"a": 1}'}])
    bench.until(lambda: lines(bench).count("exit code 3") == 2)


def test_a_rule_that_is_put_again_stays_in_its_place(bench: Bench) -> None:
    events = rule(bench.running, APPROVED, "first")
    rule(bench.running, APPROVED, "second")
    rule(bench.running, {"source": ["mine"]}, "first")
    assert [each["Name"] for each in events.list_rules()["Rules"]] == ["first", "second"]


EVENT = {"a": "Text", "n": 5, "t": True, "list": ["x", "y"], "in": {"b": None}}
# Patterns that match the event, and such that do not.
YES: list[Any] = [
    {"a": ["no", "Text"]},
    {"n": [5]},
    {"list": ["y"]},
    {"in": {"b": [None]}},
]
NO: list[Any] = [
    {"a": ["text"]},
    {"n": [True]},
    {"t": [1]},
    {"none": ["x"]},
    {"none": [None]},
    {"a": {"b": ["x"]}},
    {"in": ["b"]},
    {"a": ["Text"], "n": [6]},
]
BAD: list[tuple[str, str]] = [
    ("no", "it is not JSON"),
    ("NaN", "NaN is no number"),
    ('{"a":' * 300 + '["b"]' + "}" * 300, "nested more than 200 deep"),
    ("[]", "must be an object"),
    ("{}", "not empty"),
    ('{"a": "b"}', '"a" must be an object or an array'),
    ('{"a": []}', "not empty"),
    ('{"in": {"a": []}}', "not empty"),
    ('{"a": [["b"]]}', "no value"),
    ('{"a": ["b", {"prefix": "b"}]}', '{"prefix": "b"} is no value'),
    ('{"$or": [{"a": ["b"]}]}', "the local platform compares values"),
]


@pytest.mark.parametrize("pattern", YES)
def test_patterns_that_match(pattern: Any) -> None:
    assert matches(read(json.dumps(pattern)), EVENT)


@pytest.mark.parametrize("pattern", NO)
def test_patterns_that_do_not_match(pattern: Any) -> None:
    assert not matches(read(json.dumps(pattern)), EVENT)


@pytest.mark.parametrize(("text", "problem"), BAD)
def test_patterns_that_are_refused(text: str, problem: str) -> None:
    with pytest.raises(BadPattern, match=problem):
        read(text)
