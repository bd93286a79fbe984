"""Templates as CloudFormation would resolve them: every function applied, every resource named."""

from __future__ import annotations

import graphlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boostline.local.services.cloudformation import template as parsing
from boostline.local.services.cloudformation.values import Scope, refuse

Json = dict[str, Any]
INFRA = Path(__file__).parents[2] / "infra"
NAMES = tuple(path.stem for path in sorted(INFRA.glob("*.yaml")))
ACCOUNT, REGION = "123456789012", "us-east-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "stack",
    "AWS::URLSuffix": "amazonaws.com",
}


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


@dataclass(frozen=True)
class Kind:
    """What a type gives back: the property that names it, Ref, and the attributes of GetAtt."""

    named: str = ""
    ref: str = "{}"
    attributes: Mapping[str, str] = field(default_factory=dict)


def _sagemaker(what: str, path: str) -> Kind:
    arn = _arn("sagemaker", path + "/{}")
    return Kind(f"{what}Name", arn, {f"{what}Name": "{}", f"{what}Arn": arn})


KINDS = {
    "AWS::ApiGateway::Account": Kind(),
    "AWS::ApiGateway::ApiKey": Kind(attributes={"APIKeyId": "{}"}),
    "AWS::ApiGateway::Deployment": Kind(attributes={"DeploymentId": "{}"}),
    "AWS::ApiGateway::RestApi": Kind(attributes={"RestApiId": "{}", "RootResourceId": "root"}),
    "AWS::ApiGateway::Stage": Kind("StageName"),
    "AWS::ApiGateway::UsagePlan": Kind(attributes={"Id": "{}"}),
    "AWS::ApiGateway::UsagePlanKey": Kind(),
    "AWS::ApplicationAutoScaling::ScalableTarget": Kind(
        "ResourceId", "{}|sagemaker:variant:DesiredInstanceCount|sagemaker"
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": Kind(ref=_arn("autoscaling", "policy:{}")),
    "AWS::CloudWatch::Alarm": Kind("AlarmName", attributes={"Arn": _arn("cloudwatch", "alarm:{}")}),
    "AWS::CodeBuild::Project": Kind("Name", attributes={"Arn": _arn("codebuild", "project/{}")}),
    "AWS::CodePipeline::Pipeline": Kind("Name"),
    "AWS::ECR::Repository": Kind(
        "RepositoryName",
        attributes={
            "Arn": _arn("ecr", "repository/{}"),
            "RepositoryUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{{}}",
        },
    ),
    "AWS::Events::ApiDestination": Kind(attributes={"Arn": _arn("events", "api-destination/{}/1")}),
    "AWS::Events::Connection": Kind(attributes={"Arn": _arn("events", "connection/{}/1")}),
    "AWS::Events::Rule": Kind("Name", attributes={"Arn": _arn("events", "rule/{}")}),
    "AWS::IAM::ManagedPolicy": Kind(ref=f"arn:aws:iam::{ACCOUNT}:policy/stack-{{}}"),
    "AWS::IAM::OIDCProvider": Kind(
        ref=f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    ),
    "AWS::IAM::Role": Kind(attributes={"Arn": f"arn:aws:iam::{ACCOUNT}:role/boostline/stack-{{}}"}),
    "AWS::Lambda::Function": Kind(
        "FunctionName", attributes={"Arn": _arn("lambda", "function:{}")}
    ),
    "AWS::Lambda::Permission": Kind(),
    "AWS::Logs::LogGroup": Kind("LogGroupName", attributes={"Arn": _arn("logs", "log-group:{}:*")}),
    "AWS::S3::Bucket": Kind("BucketName", attributes={"Arn": "arn:aws:s3:::{}"}),
    "AWS::S3::BucketPolicy": Kind(),
    "AWS::SageMaker::Endpoint": _sagemaker("Endpoint", "endpoint"),
    "AWS::SageMaker::EndpointConfig": _sagemaker("EndpointConfig", "endpoint-config"),
    "AWS::SageMaker::Model": _sagemaker("Model", "model"),
    "AWS::SageMaker::ModelPackageGroup": _sagemaker("ModelPackageGroup", "model-package-group"),
}


@dataclass(frozen=True)
class Resource:
    """A resource with its properties resolved, and the names of those it comes after."""

    name: str
    type: str
    properties: Json
    needs: frozenset[str]
    physical: str
    source: Json


@dataclass(frozen=True)
class Rendered:
    """A template under one choice of parameters."""

    parameters: Mapping[str, str]
    resources: Mapping[str, Resource]
    outputs: Mapping[str, Any]

    def of(self, kind: str) -> list[Resource]:
        """Return the resources of a type, `AWS::` left out."""
        return [one for one in self.resources.values() if one.type == f"AWS::{kind}"]


def load(name: str) -> Json:
    """Return a template of `infra/` with its functions in their long form."""
    return parsing.read((INFRA / f"{name}.yaml").read_text())


def render(template: Json, given: Mapping[str, str], document: Json | None = None) -> Rendered:
    """Resolve a template.

    Parameters
    ----------
    template
        As `load` returns it.
    given
        The parameters; the others have their defaults.
    document
        What `AWS::Include` finds, wherever it looks.

    Raises
    ------
    AwsError
        If CloudFormation would refuse it.
    """
    parsing.check(template)
    values = parsing.parameters(template, given, {})
    return _Renderer(template, values, document or {}).rendered()


class _Renderer:
    def __init__(self, template: Json, values: dict[str, str], document: Json) -> None:
        self._template, self._parameters = template, values
        known = {**parsing.typed(template, values), **PSEUDO}
        for name, parameter in template.get("Parameters", {}).items():
            if parameter["Type"] == "Number":
                known[name] = json.loads(values[name])
        self._scope = Scope(template, known, self._attribute)
        self._document = json.dumps(document)
        self._needs: set[str] = set()
        self._naming: list[str] = []

    def rendered(self) -> Rendered:
        self._check_rules()
        resources = {
            name: self._resource(name, found)
            for name, found in self._template["Resources"].items()
            if self._exists(found)
        }
        self._check_order(resources)
        outputs = {
            name: self._scope.value(found["Value"])
            for name, found in self._template["Outputs"].items()
            if self._exists(found)
        }
        return Rendered(self._parameters, resources, outputs)

    def _fetch(self, place: str) -> str:
        if place != self._parameters["ApiDocument"]:
            raise refuse(f"{place} is not the document")
        return self._document

    def _exists(self, found: Json) -> bool:
        return "Condition" not in found or self._scope.holds(found["Condition"])

    def _check_rules(self) -> None:
        for name, rule in self._template.get("Rules", {}).items():
            if self._scope.condition(rule.get("RuleCondition", {"Fn::Equals": ["", ""]})):
                for each in rule["Assertions"]:
                    if not self._scope.condition(each["Assert"]):
                        raise refuse(f"{name}: {each['AssertDescription']}")

    def _resource(self, name: str, found: Json) -> Resource:
        said = found.get("DependsOn", [])
        self._needs = {said} if isinstance(said, str) else set(said)
        node = parsing.included(found.get("Properties", {}), self._scope, self._fetch)
        properties = self._scope.value(node)
        needs = frozenset(self._needs)
        return Resource(name, found["Type"], properties, needs, self._physical(name, found), found)

    def _check_order(self, resources: Mapping[str, Resource]) -> None:
        known = self._template["Resources"].keys()
        needs = {name: one.needs & resources.keys() for name, one in resources.items()}
        for one in resources.values():
            if one.needs - known:
                raise refuse(f"{one.name} comes after {one.needs - known}, which are not there")
        try:
            graphlib.TopologicalSorter(needs).prepare()
        except graphlib.CycleError as error:
            raise refuse(f"circular: {error.args[1]}") from None

    def _attribute(self, name: str, member: str) -> Any:
        found = self._template["Resources"].get(name)
        if found is None or found["Type"] not in KINDS or not self._exists(found):
            raise refuse(f"{name} is not there")
        self._needs.add(name)
        kind = KINDS[found["Type"]]
        if member and member not in kind.attributes:
            raise refuse(f"{found['Type']} has no attribute {member}")
        return (kind.attributes[member] if member else kind.ref).format(self._physical(name, found))

    def _physical(self, name: str, found: Json) -> str:
        """Return the name that the template gives a resource, or that CloudFormation makes up."""
        said = found.get("Properties", {}).get(KINDS[found["Type"]].named)
        if said is None:
            return f"{name.lower()}-0abc"
        if name in self._naming:
            raise refuse(f"circular: {self._naming}")
        self._naming.append(name)
        before = set(self._needs)
        text = str(self._scope.value(said))
        self._needs = before
        self._naming.remove(name)
        return text
