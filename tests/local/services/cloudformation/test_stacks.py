"""The life of stacks: order, changes, replacement, failure, removal."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boostline.local.services.cloudformation import engine
from boostline.local.services.cloudformation.records import Stacks
from tests.conftest import RunningPlatform
from tests.local.services.cloudformation.stacks_bench import CAPABILITIES, Stack, bucket, template

LOG: dict[str, Any] = {"Type": "AWS::Logs::LogGroup", "Properties": {}}


@pytest.fixture
def stack(shared_platform: RunningPlatform, request: pytest.FixtureRequest) -> Stack:
    return Stack(shared_platform, re.sub("[^a-z]+", "-", request.node.name.lower())[:60])


def buckets(stack: Stack) -> set[str]:
    found = stack.running.client("s3").list_buckets()["Buckets"]
    return {each["Name"] for each in found}


def plan(**members: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::ApiGateway::UsagePlan",
        "Properties": {"UsagePlanName": "plan", **members},
    }


def key(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::ApiGateway::ApiKey", "Properties": properties}


BAD = bucket("Not_A_Bucket")  # S3 refuses the name


def test_a_step_whose_end_could_not_be_noted_is_done_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the disk is full for a moment."""
    tell, full = Stacks.tell, [True]

    def once(self: Stacks, of: dict[str, Any], status: str, reason: str) -> None:
        if status == "CREATE_COMPLETE" and full:
            full.clear()
            raise sqlite3.OperationalError("database or disk is full")
        tell(self, of, status, reason)

    monkeypatch.setattr(Stacks, "tell", once)
    assert stack.create(template({"B": bucket()})) == "CREATE_COMPLETE"
    assert not full
    assert len(buckets(stack) & {*stack.physical().values()}) == 1


def test_resources_come_in_the_order_of_their_references_and_go_in_reverse(stack: Stack) -> None:
    policy = {"Statement": [{"Effect": "Deny", "Resource": {"Fn::GetAtt": ["Last", "Arn"]}}]}
    body = template(
        {
            "First": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {"Bucket": {"Ref": "Mid"}, "PolicyDocument": policy},
            },
            "Mid": bucket(DependsOn="Last"),
            "Last": bucket(),
        }
    )
    assert stack.create(body) == "CREATE_COMPLETE"
    made = [name for name, status in stack.events() if status == "CREATE_COMPLETE"]
    assert made == ["Last", "Mid", "First", stack.name]
    names = stack.physical()
    assert names["Last"].startswith(stack.name[:20])
    held = stack.running.client("s3").get_bucket_policy(Bucket=names["Mid"])["Policy"]
    assert json.loads(held)["Statement"][0]["Resource"] == f"arn:aws:s3:::{names['Last']}"
    stack_id = stack.described()["StackId"]
    assert stack.delete() == "DELETE_COMPLETE"
    gone = [name for name, status in stack.events(stack_id) if status == "DELETE_COMPLETE"]
    assert gone == ["First", "Mid", "Last", stack.name]
    assert not buckets(stack) & set(names.values())
    with pytest.raises(ClientError, match=f"Stack with id {stack.name} does not exist"):
        stack.described()
    stack.client.delete_stack(StackName=stack.name)


def test_what_changes_is_changed_and_what_is_named_anew_is_another(stack: Stack) -> None:
    tagged = bucket("changes-one", Properties={"Tags": [{"Key": "a", "Value": "1"}]})
    sections: dict[str, Any] = {"Outputs": {"Name": {"Value": {"Ref": "B"}}}}
    assert stack.create(template({"B": tagged, "P": plan()}, **sections)) == "CREATE_COMPLETE"
    before = stack.physical()
    throttled = plan(
        Throttle={"RateLimit": 5, "BurstLimit": "7"}, Quota={"Limit": 9, "Period": "DAY"}
    )
    assert stack.update(template({"B": bucket("changes-one"), "P": throttled}, **sections)) == (
        "UPDATE_COMPLETE"
    )
    assert stack.physical() == before
    gateway = stack.running.client("apigateway")
    found = gateway.get_usage_plan(usagePlanId=before["P"])
    assert found["throttle"] == {"rateLimit": 5.0, "burstLimit": 7}
    assert found["quota"] == {"limit": 9, "period": "DAY"}
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        stack.running.client("s3").get_bucket_tagging(Bucket="changes-one")

    body = template({"B": bucket("changes-two"), "P": plan()}, **sections)
    assert stack.update(body) == "UPDATE_COMPLETE"
    assert stack.outputs() == {"Name": "changes-two"}
    assert "quota" not in gateway.get_usage_plan(usagePlanId=before["P"])
    assert {"changes-one", "changes-two"} & buckets(stack) == {"changes-two"}
    order = [event for event in stack.events() if event[0] == "B"][-4:]
    assert order == [
        ("B", "CREATE_IN_PROGRESS"),
        ("B", "CREATE_COMPLETE"),
        ("B", "DELETE_IN_PROGRESS"),
        ("B", "DELETE_COMPLETE"),
    ]
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stack.update(body)


def test_a_change_that_fails_comes_back_to_what_was(stack: Stack) -> None:
    first = {"B": bucket("returns-one"), "P": plan(Throttle={"RateLimit": 1, "BurstLimit": 1})}
    assert stack.create(template(first)) == "CREATE_COMPLETE"
    before = stack.physical()
    second = {
        "B": bucket("returns-two"),
        "P": plan(Throttle={"RateLimit": 2, "BurstLimit": 2}),
        "New": key(),
        "Bad": {**BAD, "DependsOn": ["B", "P", "New"]},
    }
    assert stack.update(template(second)) == "UPDATE_ROLLBACK_COMPLETE"
    assert "The specified bucket is not valid" in stack.reasons("Bad")
    assert "failed to create: [Bad]" in stack.reasons(stack.name)
    assert stack.physical() == before
    gateway = stack.running.client("apigateway")
    throttle = gateway.get_usage_plan(usagePlanId=before["P"])["throttle"]
    assert throttle == {"rateLimit": 1.0, "burstLimit": 1}
    assert gateway.get_api_keys()["items"] == []
    assert {"returns-one", "returns-two"} & buckets(stack) == {"returns-one"}
    statuses = [status for name, status in stack.events() if name == stack.name]
    assert statuses[-5:] == [
        "CREATE_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    assert stack.update(template({"B": bucket("returns-one")})) == "UPDATE_COMPLETE"
    assert stack.physical() == {"B": "returns-one"}


@pytest.mark.parametrize(("last", "begun"), [("B", {"A", "B"}), ("C", {"A", "B", "C"})])
def test_an_update_that_is_cancelled_begins_nothing_more_and_comes_back(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, last: str, begun: set[str]
) -> None:
    assert stack.create(template({"A": bucket("cancelled-a")})) == "CREATE_COMPLETE"
    note = Stacks.note

    def note_and_cancel(stacks: Stacks, record: dict[str, Any], *status: str) -> None:
        note(stacks, record, *status)
        if record["LogicalResourceId"] == last and record["ResourceStatus"] == "CREATE_COMPLETE":
            stack.client.cancel_update_stack(StackName=stack.name)

    monkeypatch.setattr(Stacks, "note", note_and_cancel)
    monkeypatch.setattr(engine, "PATIENCE", 0)
    second = {"B": bucket("cancelled-b"), "C": bucket("cancelled-c", DependsOn="B")}
    body = template({"A": bucket("cancelled-a"), **second})
    assert stack.update(body) == "UPDATE_ROLLBACK_COMPLETE", stack.events()
    assert {name for name, _ in stack.events()} - {stack.name} == begun
    assert stack.physical() == {"A": "cancelled-a"}
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_first_failure_leaves_nothing(stack: Stack) -> None:
    body = template({"B": bucket("first-failure"), "Bad": {**BAD, "DependsOn": "B"}})
    assert stack.create(body) == "ROLLBACK_COMPLETE"
    assert "first-failure" not in buckets(stack)
    with pytest.raises(ClientError, match="already exists"):
        stack.create(body)
    assert stack.delete() == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("DisableRollback", True),
        ("EnableTerminationProtection", True),
        ("TimeoutInMinutes", 5),
        ("NotificationARNs", ["arn:aws:sns:us-east-1:000000000000:told"]),
        ("RoleARN", "arn:aws:iam::000000000000:role/deployer"),
    ],
)
def test_what_is_not_here_is_refused(stack: Stack, member: str, value: Any) -> None:
    with pytest.raises(ClientError, match=f"does not have {member} here"):
        stack.create(template({"A": LOG}), **{member: value})


def test_a_stack_that_is_there_is_not_created_again(stack: Stack) -> None:
    """Neither is one that has only been planned, nor one of two at once made twice."""
    body = template({"A": LOG})
    stack.change_set(body, kind="CREATE")
    with pytest.raises(stack.client.exceptions.AlreadyExistsException):
        stack.create(body)
    assert stack.described()["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert stack.delete() == "DELETE_COMPLETE"

    def create(_: int) -> bool:
        try:
            stack.create(body)
        except stack.client.exceptions.AlreadyExistsException:
            return False
        return True

    with ThreadPoolExecutor(4) as executor:
        assert sorted(executor.map(create, range(4))) == [False, False, False, True]
    with pytest.raises(stack.client.exceptions.AlreadyExistsException):
        stack.create(body)


def test_a_stack_tells_its_times_and_the_capabilities_it_was_given(stack: Stack) -> None:
    assert stack.create(template({"A": LOG})) == "CREATE_COMPLETE"
    made = stack.described()
    assert made["Capabilities"] == CAPABILITIES
    assert "LastUpdatedTime" not in made
    assert stack.update(template({"A": LOG, "B": LOG})) == "UPDATE_COMPLETE"
    changed = stack.described()
    assert changed["LastUpdatedTime"] > changed["CreationTime"]
    assert "DeletionTime" not in changed
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.described(made["StackId"])["DeletionTime"] > changed["LastUpdatedTime"]


def test_what_stacks_of_ones_own_put_out(stack: Stack) -> None:
    asked = {
        "B": (bucket("put-out"), "RegionalDomainName", "put-out.s3.us-east-1.amazonaws.com"),
        "L": (LOG | {"Properties": {"LogGroupName": "out"}}, "Arn", "log-group:out:*"),
        "P": (
            {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "out"}},
            "PolicyArn",
            "arn:aws:iam::000000000000:policy/out",
        ),
        "G": (
            {
                "Type": "AWS::SageMaker::ModelPackageGroup",
                "Properties": {"ModelPackageGroupName": "out"},
            },
            "ModelPackageGroupArn",
            "model-package-group/out",
        ),
    }
    outputs = {name: {"Value": {"Fn::GetAtt": [name, one[1]]}} for name, one in asked.items()}
    resources = {name: one[0] for name, one in asked.items()}
    assert stack.create(template(resources, Outputs=outputs)) == "CREATE_COMPLETE"
    for name, (_, _, end) in asked.items():
        assert stack.outputs()[name].endswith(end)


def test_a_function_may_stand_in_the_template(stack: Stack) -> None:
    def function(source: str) -> str:
        properties = {
            "Code": {"ZipFile": source},
            "Handler": "index.handler",
            "Role": "arn:aws:iam::000000000000:role/any",
            "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        }
        return template({"F": {"Type": "AWS::Lambda::Function", "Properties": properties}})

    def answer() -> Any:
        found = stack.running.client("lambda").invoke(FunctionName=stack.physical()["F"])
        return json.load(found["Payload"])

    assert stack.create(function("def handler(event, context): return 1")) == "CREATE_COMPLETE"
    assert answer() == 1
    assert stack.update(function("def handler(event, context): return 2")) == "UPDATE_COMPLETE"
    assert answer() == 2


def test_a_resource_that_has_its_name_from_the_template_is_not_replaced(stack: Stack) -> None:
    def role(**properties: str) -> str:
        return template({"R": {"Type": "AWS::IAM::Role", "Properties": properties}})

    assert stack.create(role(RoleName="kept")) == "CREATE_COMPLETE"
    assert stack.update(role(RoleName="kept", Path="/x/")) == "UPDATE_ROLLBACK_COMPLETE"
    assert "a custom-named resource requires replacing. Rename kept" in stack.reasons("R")
    assert stack.update(role(RoleName="other", Path="/x/")) == "UPDATE_COMPLETE"
    assert stack.physical() == {"R": "other"}


def test_what_is_retained_stays(stack: Stack) -> None:
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    assert stack.create(template({"B": bucket("retained-one")})) == "CREATE_COMPLETE"
    assert stack.update(template({"B": bucket("retained-one", **kept)})) == "UPDATE_COMPLETE"
    assert stack.update(template({"B": bucket("retained-two", **kept)})) == "UPDATE_COMPLETE"
    assert stack.delete() == "DELETE_COMPLETE"
    assert {"retained-one", "retained-two"} <= buckets(stack)


def test_a_removal_that_fails_says_why_and_can_be_tried_again(stack: Stack) -> None:
    assert stack.create(template({"B": bucket("full")})) == "CREATE_COMPLETE"
    stack.running.client("s3").put_object(Bucket="full", Key="a", Body=b"x")
    assert stack.delete() == "DELETE_FAILED"
    assert "BucketNotEmpty" in stack.reasons("B")
    assert "failed to delete: [B]" in stack.described()["StackStatusReason"]
    stack_id = stack.described()["StackId"]
    stack.running.client("s3").delete_object(Bucket="full", Key="a")
    stack.client.delete_stack(StackName=stack.name)
    assert stack.settled(stack_id) == "DELETE_COMPLETE"
    assert "full" not in buckets(stack)


def test_change_sets_tell_what_would_happen_and_do_it(stack: Stack) -> None:
    first = template({"B": bucket("sets-one"), "K": key()})
    shown = stack.change_set(first, kind="CREATE")
    assert stack.described()["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert [each["ResourceChange"]["Action"] for each in shown["Changes"]] == ["Add", "Add"]
    with pytest.raises(ClientError, match="AlreadyExistsException"):
        stack.change_set(first, kind="CREATE")
    stack.client.execute_change_set(ChangeSetName="changes", StackName=stack.name)
    assert stack.settled() == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="already exists and cannot be created again"):
        stack.change_set(first, kind="CREATE")

    empty = stack.change_set(first)
    assert (empty["Status"], empty["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "The submitted information didn't contain changes." in empty["StatusReason"]
    with pytest.raises(ClientError, match="InvalidChangeSetStatus"):
        stack.client.execute_change_set(ChangeSetName="changes", StackName=stack.name)
    stack.client.delete_change_set(ChangeSetName="changes", StackName=stack.name)

    sections = {"Outputs": {"O": {"Value": "only an output"}}}
    output = stack.change_set(template({"B": bucket("sets-one"), "K": key()}, **sections))
    assert (output["Status"], output["Changes"]) == ("CREATE_COMPLETE", [])
    stack.client.execute_change_set(ChangeSetName="changes", StackName=stack.name)
    assert stack.settled() == "UPDATE_COMPLETE"
    assert stack.outputs() == {"O": "only an output"}

    changed = stack.change_set(template({"B": bucket("sets-two")}))
    found = [each["ResourceChange"] for each in changed["Changes"]]
    assert [(each["Action"], each["LogicalResourceId"]) for each in found] == [
        ("Modify", "B"),
        ("Remove", "K"),
    ]
    assert found[0]["Replacement"] == "True"
    assert buckets(stack) & {"sets-one", "sets-two"} == {"sets-one"}


def test_of_updates_at_once_each_is_made_or_told_that_another_is(stack: Stack) -> None:
    sections = {"Parameters": {"P": {"Type": "String"}}, "Outputs": {"O": {"Value": {"Ref": "P"}}}}
    body = template({"K": key()}, **sections)
    assert stack.create(body, {"P": "0"}) == "CREATE_COMPLETE"
    begin = threading.Barrier(4)

    def update(number: int) -> str:
        begin.wait()
        try:
            stack.client.update_stack(**stack.ask(body, {"P": str(number)}))
        except ClientError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as threads:
        for turn in range(5):
            said = list(threads.map(update, range(4 * turn + 1, 4 * turn + 5)))
            assert "" in said
            assert all("state and can not be updated" in each for each in said if each), said
            assert stack.settled() == "UPDATE_COMPLETE"


def test_values_that_are_not_given_again_stay(stack: Stack) -> None:
    sections = {"Parameters": {"Name": {"Type": "String"}}}
    body = template({"B": bucket(Properties={"BucketName": {"Ref": "Name"}})}, **sections)
    assert stack.create(body, {"Name": "stays"}) == "CREATE_COMPLETE"
    same = [{"ParameterKey": "Name", "UsePreviousValue": True}]
    stack.client.update_stack(
        StackName=stack.name,
        TemplateBody=body,
        Parameters=same,
        Tags=[{"Key": "team", "Value": "a"}],
    )
    assert stack.settled() == "UPDATE_COMPLETE"
    assert stack.physical() == {"B": "stays"}
    tags = stack.running.client("s3").get_bucket_tagging(Bucket="stays")["TagSet"]
    assert tags == stack.described()["Tags"] == [{"Key": "team", "Value": "a"}]


def test_a_function_is_changed_in_place_and_back_to_its_defaults(stack: Stack) -> None:
    lambda_, s3 = stack.running.client("lambda"), stack.running.client("s3")
    s3.create_bucket(Bucket="function-code")

    def function(code: str, **properties: Any) -> str:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            program = f"def handler(event, context): return {code}"
            archive.writestr(zipfile.ZipInfo("index.py"), program)
        s3.put_object(Bucket="function-code", Key=code, Body=content.getvalue())
        given = {
            "Code": {"S3Bucket": "function-code", "S3Key": code},
            "Handler": "index.handler",
            "Role": "arn:aws:iam::000000000000:role/any",
            "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
            "VpcConfig": {"SubnetIds": ["subnet-1"]},
        }
        return template({"F": {"Type": "AWS::Lambda::Function", "Properties": given | properties}})

    def answer() -> tuple[Any, dict[str, Any]]:
        name = stack.physical()["F"]
        found = lambda_.get_function_configuration(FunctionName=name)
        return json.load(lambda_.invoke(FunctionName=name)["Payload"]), found

    assert stack.create(function("1")) == "CREATE_COMPLETE"
    assert "recorded: no local effect: VpcConfig" in stack.reasons("F")
    first, before = answer()
    environment = {"Variables": {"AB": 1}}
    assert stack.update(function("2", Timeout="9", Environment=environment)) == "UPDATE_COMPLETE"
    second, changed = answer()
    assert (first, second) == (1, 2)
    assert changed["Timeout"] == 9
    assert changed["Environment"] == {"Variables": {"AB": "1"}}
    assert stack.update(function("2")) == "UPDATE_COMPLETE"
    _, after = answer()
    assert {"Timeout": 3, "CodeSha256": changed["CodeSha256"]}.items() <= after.items()
    assert after["Environment"] == before["Environment"] == {"Variables": {}}
    assert stack.update(function("2", Runtime="python2.7")) == "UPDATE_ROLLBACK_COMPLETE"
    assert answer()[0] == 2


def test_a_stage_is_changed_by_patches(stack: Stack) -> None:
    gateway = stack.running.client("apigateway")
    log = "arn:aws:logs:us-east-1:000000000000:log-group:"

    def api(**properties: Any) -> str:
        body = {"openapi": "3.0.1", "info": {"title": "a", "version": "1"}, "paths": {}}
        of = {"RestApiId": {"Ref": "R"}}
        stage = {**of, "StageName": "live", "DeploymentId": {"Ref": "D"}, **properties}
        kind = "AWS::ApiGateway::"
        return template(
            {
                "A": {"Type": f"{kind}Account", "Properties": {"CloudWatchRoleArn": log}},
                "R": {"Type": f"{kind}RestApi", "Properties": {"Body": body}},
                "D": {"Type": f"{kind}Deployment", "Properties": of},
                "S": {"Type": f"{kind}Stage", "Properties": stage},
            }
        )

    def shown() -> dict[str, Any]:
        found = gateway.get_stage(restApiId=stack.physical()["R"], stageName="live")
        names = ("accessLogSettings", "methodSettings", "tracingEnabled")
        return {name: found[name] for name in names if name in found}

    every = {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": "2.5"}
    every["MetricsEnabled"] = "true"
    first = api(
        AccessLogSetting={"DestinationArn": f"{log}one", "Format": "$context.requestId"},
        MethodSettings=[every],
        TracingEnabled=True,
    )
    assert stack.create(first) == "CREATE_COMPLETE", stack.events()
    assert gateway.get_account()["cloudwatchRoleArn"] == log
    assert shown() == {
        "accessLogSettings": {"destinationArn": f"{log}one", "format": "$context.requestId"},
        "methodSettings": {"*/*": {"throttlingRateLimit": 2.5, "metricsEnabled": True}},
        "tracingEnabled": True,
    }
    second = api(MethodSettings=[every | {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 7}])
    assert stack.update(second) == "UPDATE_COMPLETE", stack.events()
    settings = {"throttlingRateLimit": 5, "throttlingBurstLimit": 7, "metricsEnabled": True}
    assert shown() == {"methodSettings": {"*/*": settings}, "tracingEnabled": False}
    assert stack.update(api()) == "UPDATE_COMPLETE", stack.events()
    assert shown() == {"methodSettings": {}, "tracingEnabled": False}
    one = {"ResourcePath": "/a/b", "HttpMethod": "GET", "LoggingLevel": "INFO"}
    assert stack.update(api(MethodSettings=[one])) == "UPDATE_ROLLBACK_COMPLETE"
    assert "no 'replace' of '/~1a~1b/GET/logging/loglevel'" in stack.reasons("S")
    wrong = {"DestinationArn": f"{log}one:*", "Format": "$context.requestId"}
    assert stack.update(api(AccessLogSetting=wrong)) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Invalid patch value" in stack.reasons("S")


def test_a_recorded_resource_needs_what_its_references_are_made_of(stack: Stack) -> None:
    provider = {"Type": "AWS::IAM::OIDCProvider", "Properties": {}}
    assert stack.create(template({"P": provider})) == "ROLLBACK_COMPLETE"
    assert "required key [Host] not found" in stack.reasons("P")


def test_resources_without_local_effect_say_so(stack: Stack) -> None:
    assert stack.create(template({"B": bucket("found-one"), "A": LOG})) == "CREATE_COMPLETE"
    listed = stack.client.describe_stack_resources(StackName=stack.name)["StackResources"]
    assert {each["ResourceStatus"] for each in listed} == {"CREATE_COMPLETE"}
    said = {each["LogicalResourceId"]: each.get("ResourceStatusReason") for each in listed}
    assert said == {"B": None, "A": "recorded: no local effect"}


def test_many_plans_of_a_name_at_once_are_of_one_stack(stack: Stack) -> None:
    def planned(number: int) -> str:
        made = stack.client.create_change_set(
            StackName=stack.name,
            ChangeSetName=f"plan-{number}",
            ChangeSetType="CREATE",
            TemplateBody=template({"Log": LOG}),
        )
        return str(made["StackId"])

    with ThreadPoolExecutor(8) as executor:
        assert len(set(executor.map(planned, range(8)))) == 1
