"""What must lead where in account.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from tests.infra.cases import BUCKET
from tests.infra.names import attribute, ref, same, trusts
from tests.infra.rendering import ACCOUNT, REGION, Json, Rendered


def problems(it: Rendered) -> Iterator[str]:
    github, provider = it.parameters["GitHubRepository"], it.parameters["OidcProviderArn"]
    log = it.parameters["ApiGatewayLogs"] == "true"
    there = {"Bucket", "BucketPolicy", "ModelRepository", "GatewayRepository", "DeployerPolicy"}
    there |= {"ApiGatewayLogRole", "ApiGatewayAccount"} if log else set()
    there |= {"DeployerRole", "ProdDeployerRole"} if github else set()
    there |= {"StageRole"} if it.parameters["RegistryAccountId"] else set()
    there |= {"GitHubProvider"} if github and not provider else set()
    yield from same("resources", set(it.resources), there)
    bucket = it.resources["Bucket"].physical
    yield from same("bucket", bucket, it.parameters["BucketName"] or BUCKET)
    policy = it.resources["BucketPolicy"].properties
    yield from same("policy's bucket", policy["Bucket"], bucket)
    first, *rest = policy["PolicyDocument"]["Statement"]
    arn = f"arn:aws:s3:::{bucket}"
    tls: Json = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
    }
    tls["Condition"] = {"Bool": {"aws:SecureTransport": "false"}}
    yield from same("TLS", {name: value for name, value in first.items() if name != "Sid"}, tls)
    other = it.parameters["ProdAccountId"]
    root = {"AWS": f"arn:aws:iam::{other}:root"}
    reads = [
        {"Effect": "Allow", "Principal": root, "Action": "s3:GetObject", "Resource": f"{arn}/*"}
    ]
    found = [{name: value for name, value in each.items() if name != "Sid"} for each in rest]
    yield from same("readers", found, reads if other else [])
    for name in ("ModelRepository", "GatewayRepository"):
        yield from _pulls(name, it.resources[name].properties, other)
    if log:
        role = it.resources["ApiGatewayLogRole"].properties
        yield from same(
            "log role",
            it.resources["ApiGatewayAccount"].properties["CloudWatchRoleArn"],
            attribute(it, "ApiGatewayLogRole", "Arn"),
        )
        yield from trusts(role, "apigateway")
        managed = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
        yield from same("log policy", role["ManagedPolicyArns"], [managed])
    if github:
        yield from _github(it, provider)
    if registry := it.parameters["RegistryAccountId"]:
        role = it.resources["StageRole"].properties
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        yield from same("trust", trust["Principal"], {"AWS": f"arn:aws:iam::{registry}:root"})
        yield from same("stage's policy", role["ManagedPolicyArns"], [ref(it, "DeployerPolicy")])
        yield from same("path", role["Path"], "/boostline-deployers/")


def _pulls(name: str, properties: Json, other: str) -> Iterator[str]:
    pull, check = (
        {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
        {"ecr:BatchCheckLayerAvailability"},
    )
    accounts = [ACCOUNT, *([other] if other else [])] if name == "GatewayRepository" else []
    expected: list[object] = [f"arn:aws:lambda:{REGION}:{it}:function:*" for it in accounts]
    expected += [{"AWS": f"arn:aws:iam::{other}:root"}] if other else []
    found: list[object] = []
    for each in properties.get("RepositoryPolicyText", {"Statement": []})["Statement"]:
        service = "Condition" in each
        yield from same(
            name,
            (each["Effect"], {*each["Action"]}),
            ("Allow", pull | (set() if service else check)),
        )
        if service:
            yield from same(name, each["Principal"], {"Service": "lambda.amazonaws.com"})
            found.append(each["Condition"]["StringLike"]["aws:SourceArn"])
        else:
            found.append(each["Principal"])
    yield from same(f"{name}'s readers", sorted(map(str, found)), sorted(map(str, expected)))


def _github(it: Rendered, provider: str) -> Iterator[str]:
    if not provider:
        made = it.resources["GitHubProvider"].properties
        url = "https://token.actions.githubusercontent.com"
        yield from same("provider", made, {"Url": url, "ClientIdList": ["sts.amazonaws.com"]})
    branch = it.parameters["GitHubBranch"]
    yield from _deployer(it, provider, "DeployerRole", f"ref:refs/heads/{branch}", "staging")
    yield from _deployer(it, provider, "ProdDeployerRole", "prod")
    yield from same("production", it.resources["DeployerRole"].properties["Policies"], _denials(it))


def _deployer(it: Rendered, provider: str, name: str, *jobs: str) -> Iterator[str]:
    role = it.resources[name].properties
    if role["MaxSessionDuration"] < 7200:
        yield "a rollout may take longer than the deployer's session"
    yield from same("deployer's policy", role["ManagedPolicyArns"], [ref(it, "DeployerPolicy")])
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    yield from same(
        "issuer", trust["Principal"], {"Federated": provider or ref(it, "GitHubProvider")}
    )
    repository = it.parameters["GitHubRepository"]
    kinds = [job if ":" in job else f"environment:{job}" for job in jobs]
    subjects = [f"repo:{repository}:{kind}" for kind in kinds]
    issuer = "token.actions.githubusercontent.com"
    found = trust["Condition"]["StringEquals"].get(f"{issuer}:sub")
    yield from same("subjects", found if isinstance(found, list) else [found], subjects)


def _denials(it: Rendered) -> list[Json]:
    """Return what keeps workflows of the branch from production."""
    place = f"{REGION}:{ACCOUNT}"
    names = {
        f"arn:aws:cloudformation:{place}:stack/*--prod/*": "CancelUpdateStack CreateChangeSet "
        "DeleteStack ExecuteChangeSet",
        f"arn:aws:cloudwatch:{place}:alarm:*--prod-*": "DeleteAlarms PutMetricAlarm SetAlarmState",
        f"arn:aws:lambda:{place}:function:*--prod": "AddPermission CreateFunction DeleteFunction "
        "RemovePermission UpdateFunctionCode UpdateFunctionConfiguration",
        f"arn:aws:sagemaker:{place}:endpoint/*--prod": "CreateEndpoint DeleteEndpoint "
        "UpdateEndpoint UpdateEndpointWeightsAndCapacities",
    }
    actions = [f"{arn.split(':')[2]}:{name}" for arn, of in names.items() for name in of.split()]
    first = {"Sid": "NotProduction", "Effect": "Deny", "Action": actions, "Resource": [*names]}
    found: list[Json] = [first]
    if other := it.parameters["ProdAccountId"]:
        arn = f"arn:aws:iam::{other}:role/boostline-deployers/*"
        elsewhere = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": arn}
        found.append({"Sid": "NotItsAccount", **elsewhere})
    document = {"Version": "2012-10-17", "Statement": found}
    return [{"PolicyName": "production", "PolicyDocument": document}]
