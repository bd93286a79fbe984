"""The templates of `infra/`: nothing that any check finds, and the checks find what is wrong."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable

import pytest

from tests.infra import checks, iam, requests, schemas
from tests.infra.cases import CASES, DOCUMENT
from tests.infra.rendering import INFRA, NAMES, Json, load, render

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
LARGEST_BODY = 51_200
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LARGEST = {"managed policy": 6_144, "policies of a role": 10_240, "trust": 2_048}


@pytest.mark.parametrize("name", NAMES)
def test_cfn_lint_has_nothing_to_say(name: str) -> None:
    assert list(checks.linted((INFRA / f"{name}.yaml").read_text())) == []


@pytest.mark.parametrize("name", NAMES)
def test_all_other_checks_hold(name: str) -> None:
    assert list(checks.cheap(name, load(name))) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_sent_as_it_is(name: str) -> None:
    assert len((INFRA / f"{name}.yaml").read_bytes()) <= LARGEST_BODY


@pytest.mark.parametrize(("name", "case"), [(name, case) for name in NAMES for case in CASES[name]])
def test_policies_are_no_longer_than_iam_takes(name: str, case: str) -> None:
    rendered = render(load(name), CASES[name][case], DOCUMENT)
    for one in rendered.of("IAM::ManagedPolicy"):
        assert _length(one.properties["PolicyDocument"]) <= LARGEST["managed policy"]
    for one in rendered.of("IAM::Role"):
        assert _length(one.properties["AssumeRolePolicyDocument"]) <= LARGEST["trust"]
        documents = [policy["PolicyDocument"] for policy in one.properties.get("Policies", [])]
        assert sum(map(_length, documents)) <= LARGEST["policies of a role"]


def test_the_longest_names_are_still_names() -> None:
    longest = {**CASES["serving"]["everything"], "Project": "a" * 32, "Stage": "b" * 20}
    rendered = render(load("serving"), longest, DOCUMENT)
    assert list(requests.problems(rendered)) == []


def test_the_document_calls_the_api_as_the_template_does() -> None:
    rendered = render(load("serving"), CASES["serving"]["defaults"], DOCUMENT)
    api = rendered.resources["Api"].properties
    assert api["Body"]["info"]["title"] == api["Name"]


def _length(document: Json) -> int:
    text = "".join(json.dumps(document).split())
    return len(text) + 11 * text.count("arn:aws:")  # as in aws-us-gov and its regions


Fault = Callable[[Json], object]
# Faults of values, which no linter finds and the mechanical mutations do not make.
FAULTS: dict[str, tuple[str, Fault]] = {
    "the function does not wait for its log group": (
        "serving",
        lambda it: it["Function"].pop("DependsOn"),
    ),
    "the stage does not wait for the permission": (
        "serving",
        lambda it: it["ApiStage"].pop("DependsOn"),
    ),
    "autoscaling is of another variant": (
        "serving",
        lambda it: it["ScalableTarget"]["Properties"].update(
            ResourceId={"Fn::Sub": "endpoint/${Endpoint.EndpointName}/variant/Main"}
        ),
    ),
    "the alarm is of another endpoint": (
        "serving",
        lambda it: it["EndpointErrors"]["Properties"]["Dimensions"][0].update(
            Value={"Fn::Sub": "${Project}-${Stage}"}
        ),
    ),
    "the alarm counts refusals": (
        "serving",
        lambda it: it["EndpointErrors"]["Properties"].update(MetricName="Invocation4XXErrors"),
    ),
    "the permission is another service's": (
        "serving",
        lambda it: it["ApiPermission"]["Properties"].update(Principal="events.amazonaws.com"),
    ),
    "the permission is of another stage": (
        "serving",
        lambda it: it["ApiPermission"]["Properties"].update(
            SourceArn={
                "Fn::Sub": "arn:aws:execute-api:us-east-1:123456789012:${Api}/${Project}/*/*"
            }
        ),
    ),
    "the canary takes more than half": (
        "serving",
        lambda it: it["Endpoint"]["Properties"]["DeploymentConfig"]["BlueGreenUpdatePolicy"][
            "TrafficRoutingConfiguration"
        ]["CanarySize"]["Fn::If"][1].update(Value=60),
    ),
    "models are kept by name": (
        "serving",
        lambda it: it["Model"]["Properties"].update(ModelName="churn"),
    ),
    "the rule starts on every update": (
        "project",
        lambda it: it["ApprovalRule"]["Properties"]["EventPattern"]["detail"].pop(
            "UpdatedModelPackageFields"
        ),
    ),
    "the function's role trusts another service": (
        "project",
        lambda it: it["FunctionRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0][
            "Principal"
        ].update(Service="sagemaker.amazonaws.com"),
    ),
    "roles are handed to any service": (
        "project",
        lambda it: next(
            each
            for each in it["PipelineRole"]["Properties"]["Policies"][0]["PolicyDocument"][
                "Statement"
            ]
            if each.get("Action") == "iam:PassRole"
        ).pop("Condition"),
    ),
    "a role reads every bucket": (
        "project",
        lambda it: it["ServingRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][
            0
        ].update(Resource="*"),
    ),
    "any branch deploys": (
        "account",
        lambda it: it["DeployerRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0][
            "Condition"
        ].update(
            StringEquals={
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub": {
                    "Fn::Sub": "repo:${GitHubRepository}:*"
                },
            }
        ),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    name, make = FAULTS[fault]
    template = copy.deepcopy(load(name))
    make(template["Resources"])
    assert checks.first_problem(name, template) is not None


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("httpMethod", "GET"),
        ("type", "http_proxy"),
        (
            "uri",
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/other/invocations",
        ),
    ],
)
def test_a_document_that_does_not_reach_the_function_is_found(member: str, value: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    integration = "x-amazon-apigateway-integration"
    document["paths"]["/predict"]["post"][integration][member] = value
    rendered = render(load("serving"), CASES["serving"]["defaults"], document)
    assert [*checks.of_rendered("serving", rendered)] != []


# What CloudFormation may do for properties that no template of ours has.
UNUSED = re.compile(
    r"(elasticfilesystem|firehose|s3files):.*|lambda:(AssociateRuntimeAlias|GetCodeSigningConfig"
    r"|GetLayerVersion|PassCapacityProvider|PublishVersion|\w+Concurrency\w*"
    r"|(Put|Delete)Function\w+Config|PutRuntimeManagementConfig)"
    r"|application-autoscaling:(Put|Delete)ScheduledAction|cloudwatch:GetMetricData"
    r"|logs:(CreateLogDelivery|(Put|Delete)(BearerTokenAuthentication|DataProtectionPolicy|IndexPolicy"
    r"|LogGroupDeletionProtection|ResourcePolicy)|DescribeResourcePolicies)|s3:REST\..*"
)


def test_the_deployer_may_do_what_a_stage_takes() -> None:
    rendered = render(load("account"), CASES["account"]["everything"])
    granted = iam.statements(rendered.resources["DeployerPolicy"].properties["PolicyDocument"])
    may = {action for each in granted for action in iam.texts(each["Action"])}
    takes = {
        action
        for one in load("serving")["Resources"].values()
        for act in ("create", "read", "update", "delete")
        for action in schemas.handlers(one["Type"]).get(act, {}).get("permissions", [])
        if not UNUSED.fullmatch(action)
    }
    assert takes - may == set()
