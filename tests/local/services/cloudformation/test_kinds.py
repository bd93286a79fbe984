"""The table of types, against the registry's schemas, the services' models and the templates."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from boostline.contracts.models import service_model
from boostline.local.operations import SERVICES
from boostline.local.services.cloudformation.calls import request, told
from boostline.local.services.cloudformation.kind import Kind
from boostline.local.services.cloudformation.kinds import KINDS
from boostline.local.services.cloudformation.template import read
from tests.local.services.cloudformation.stacks_bench import INFRA

TEMPLATES = [read(path.read_text()) for path in sorted(INFRA.glob("*.yaml"))]
RESOURCES = [each for template in TEMPLATES for each in template["Resources"].values()]
# What the Template Reference has of GetAtt, and the registry's schema not.
ATTRIBUTES = {
    "AWS::SageMaker::Endpoint": {"EndpointName"},
    "AWS::SageMaker::EndpointConfig": {"EndpointConfigName"},
    "AWS::SageMaker::Model": {"ModelName"},
    "AWS::SageMaker::ModelPackageGroup": {"ModelPackageGroupName"},
}


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", name).schema
    return found


def named(found: dict[str, Any], member: str) -> set[str]:
    """Return the properties at the top that a list of pointers names."""
    return {
        path.removeprefix("/properties/") for path in found.get(member, []) if path.count("/") == 2
    }


def test_the_table_has_the_types_of_the_templates_and_no_others() -> None:
    assert {each["Type"] for each in RESOURCES} == set(KINDS)


def test_the_table_has_the_properties_of_the_templates_and_no_others() -> None:
    used: dict[str, set[str]] = {name: set() for name in KINDS}
    for each in RESOURCES:
        used[each["Type"]] |= each["Properties"].keys()
    for name, kind in KINDS.items():
        assert used[name] <= kind.properties
        # A stack's tags go to all that take tags, and what has a name can be given it.
        assert kind.properties - used[name] <= {"Tags", kind.name}


def test_the_table_has_the_attributes_that_the_templates_ask_for() -> None:
    used: dict[str, set[str]] = {name: set() for name in KINDS}
    for template in TEMPLATES:
        types = {name: each["Type"] for name, each in template["Resources"].items()}
        text = json.dumps(template)
        found = re.findall(r'"Fn::GetAtt": "(\w+)\.(\w+)"|\$\{(\w+)\.(\w+)\}', text)
        for logical, attribute in [(one or other, a or b) for one, a, other, b in found]:
            used[types[logical]].add(attribute)
    for name, kind in KINDS.items():
        assert used[name] <= kind.attributes.keys()


@pytest.mark.parametrize("name", KINDS)
def test_what_has_an_arn_tells_it(name: str) -> None:
    """Stacks of one's own write it into their outputs."""
    arns = {f"{name.rpartition(':')[2]}Arn", "PolicyArn", "Arn"}
    read_only = named(schema(name), "readOnlyProperties")
    assert arns & read_only <= KINDS[name].attributes.keys()


@pytest.mark.parametrize("name", KINDS)
def test_what_is_replaced_and_what_can_be_asked_for_are_the_registrys(name: str) -> None:
    kind, found = KINDS[name], schema(name)
    known = found["properties"].keys() - named(found, "readOnlyProperties")
    assert kind.properties <= known
    assert kind.replacing == named(found, "createOnlyProperties") & kind.properties
    read_only = named(found, "readOnlyProperties") | ATTRIBUTES.get(name, set())
    assert kind.attributes.keys() <= read_only
    assert kind.name in {*kind.properties, *found["properties"], "", "StatementId"}


@pytest.mark.parametrize("name", [name for name in KINDS if KINDS[name].service])
def test_each_property_is_taken_by_the_calls_that_create_and_change(name: str) -> None:
    kind = KINDS[name]
    calls = re.findall(r"\w+", " ".join(kind.calls[1:])) + kind.describe.split()
    assert set(calls) <= set(SERVICES[kind.service].operations)
    created = {each for each in kind.properties - kind.recorded if reaches(kind, 1, each)}
    changed = {each for each in kind.properties - kind.recorded if reaches(kind, 2, each)}
    assert created | changed == kind.properties - kind.recorded
    # Tags of functions and APIs, see docs/platform.md
    assert created - changed - kind.replacing <= {"Tags"}


def reaches(kind: Kind, phase: int, name: str) -> bool:
    """Whether one of the calls of a phase takes a property, or what is in it."""
    inside = {"Code": {"S3Key": "a"}, "BucketEncryption": {"ServerSideEncryptionConfiguration": []}}
    facts = told(kind, {name: inside.get(name, "a|b|c")})
    calls = kind.calls[phase].replace("?", "").split()
    patched = any("patchOperations" in members(kind, call) for call in calls)
    return patched or any(request(kind, call, facts) for call in calls)


def members(kind: Kind, call: str) -> set[str]:
    operation = call.partition("|")[0]
    return set(service_model(kind.service).operation_model(operation).input_shape.members)
