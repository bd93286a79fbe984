"""What must lead where in project.yaml, and which events its rule takes for an approval."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from boostline.contracts import strict
from tests.infra.cases import SECRET
from tests.infra.names import attribute, same, trusts
from tests.infra.rendering import ACCOUNT, REGION, Json, Rendered

# What an approval is, and what it is not.
EVENT: Json = {
    "source": "aws.sagemaker",
    "detail-type": "SageMaker Model Package State Change",
    "detail": {
        "ModelPackageGroupName": "churn",
        "ModelPackageVersion": 3,
        "ModelApprovalStatus": "Approved",
        "UpdatedModelPackageFields": ["ModelApprovalStatus"],
    },
}
OTHERS: tuple[Json, ...] = (
    {"source": "custom"},
    {"detail-type": "SageMaker Training Job State Change"},
    {"detail": {**EVENT["detail"], "ModelPackageGroupName": "churn-2"}},
    {"detail": {**EVENT["detail"], "ModelApprovalStatus": "Rejected"}},
    {"detail": {**EVENT["detail"], "UpdatedModelPackageFields": ["CustomerMetadataProperties"]}},
)


def problems(it: Rendered) -> Iterator[str]:
    registry, other = not it.parameters["RegistryAccountId"], it.parameters["ProdAccountId"]
    starts = it.parameters["ApprovalStarts"] if registry else "nothing"
    there = {"ServingRole", "FunctionRole"}
    there |= {"ModelPackageGroup", "PipelineRole"} if registry else set()
    there |= {"ApprovalRule", "ApprovalRole"} if starts != "nothing" else set()
    there |= {"GitHubConnection", "GitHubDestination"} if starts == "github" else set()
    yield from same("resources", set(it.resources), there)
    services = {
        "PipelineRole": "sagemaker",
        "ServingRole": "sagemaker",
        "FunctionRole": "lambda",
        "ApprovalRole": "events",
    }
    for name in services.keys() & there:
        role = it.resources[name].properties
        yield from trusts(role, services[name])
        yield from same("path", role["Path"], "/boostline/churn/")
    if registry:
        group = it.resources["ModelPackageGroup"].properties
        yield from same("group", group["ModelPackageGroupName"], "churn")
        yield from _shared(group.get("ModelPackageGroupPolicy"), other)
    if starts != "nothing":
        yield from _approval(it, starts)


def _shared(policy: Any, other: str) -> Iterator[str]:
    if not other:
        yield from same("group's policy", policy, None)
        return
    (each,) = policy["Statement"]
    where = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
    yield from same("group's reader", each["Principal"], {"AWS": f"arn:aws:iam::{other}:root"})
    arns = [f"{where}:model-package-group/churn", f"{where}:model-package/churn/*"]
    yield from same("what is shared", each["Resource"], arns)
    reads = {"DescribeModelPackage", "DescribeModelPackageGroup", "ListModelPackages"}
    actions = {f"sagemaker:{it}" for it in {*reads, "CreateModel"}}
    yield from same("how", {*each["Action"]}, actions)


def _approval(it: Rendered, starts: str) -> Iterator[str]:
    rule = it.resources["ApprovalRule"].properties
    yield from same("rule", (rule["Name"], rule["State"]), ("churn--approved", "ENABLED"))
    if not matches(rule["EventPattern"], EVENT):
        yield "the rule misses an approval"
    for other in OTHERS:
        if matches(rule["EventPattern"], {**EVENT, **other}):
            yield f"the rule takes {other} for an approval"
    (target,) = rule["Targets"]
    yield from same("target's role", target["RoleArn"], attribute(it, "ApprovalRole", "Arn"))
    retry = target["RetryPolicy"]
    if not (
        int(retry["MaximumEventAgeInSeconds"]) >= 3600
        and 5 <= int(retry["MaximumRetryAttempts"]) <= 185
    ):
        yield f"{retry} gives up too soon"
    if starts == "codepipeline":
        arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:churn-delivery"
        yield from same("target", (target["Id"], target["Arn"]), ("codepipeline", arn))
        started = {"variables": [{"name": "VERSION", "value": "3"}]}
        yield from same("start", _input(target), started)
        found = strict.problems(
            "codepipeline", "StartPipelineExecution", {"name": "churn-delivery", **_input(target)}
        )
        yield from (f"start: {each}" for each in found)
        return
    destination = it.resources["GitHubDestination"].properties
    yield from same(
        "target",
        (target["Id"], target["Arn"]),
        ("github", attribute(it, "GitHubDestination", "Arn")),
    )
    yield from same(
        "connection", destination["ConnectionArn"], attribute(it, "GitHubConnection", "Arn")
    )
    url = f"https://api.github.com/repos/{it.parameters['GitHubRepository']}/dispatches"
    yield from same(
        "url", (destination["HttpMethod"], destination["InvocationEndpoint"]), ("POST", url)
    )
    yield from same("rate", destination["InvocationRateLimitPerSecond"], 1)
    yield from same(
        "headers",
        target["HttpParameters"]["HeaderParameters"],
        {"Accept": "application/vnd.github+json"},
    )
    yield from same(
        "dispatch",
        _input(target),
        {"event_type": "model-approved", "client_payload": {"group": "churn", "version": 3}},
    )
    key = it.resources["GitHubConnection"].properties["AuthParameters"]["ApiKeyAuthParameters"]
    secret = f"{{{{resolve:secretsmanager:{SECRET}:SecretString:authorization}}}}"
    yield from same("token", key, {"ApiKeyName": "Authorization", "ApiKeyValue": secret})


def _input(target: Json) -> Json:
    """Return what a target gets of the event."""
    transformer = target["InputTransformer"]
    text = transformer["InputTemplate"]
    for name, path in transformer["InputPathsMap"].items():
        found = EVENT["detail"].get(path.removeprefix("$.detail."))
        text = text.replace(f"<{name}>", json.dumps(found))
    made: Json = json.loads(text)
    return made


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether a pattern of plain values matches an event, as EventBridge does it."""
    for name, wanted in pattern.items():
        if name not in event:
            return False
        found = event[name]
        if isinstance(wanted, dict):
            if not matches(wanted, found):
                return False
        elif not {*wanted} & ({*found} if isinstance(found, list) else {found}):
            return False
    return True
