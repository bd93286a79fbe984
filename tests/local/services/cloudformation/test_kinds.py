"""The table of types, against the registry's schemas, the services' models and the templates."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from boostline.contracts.models import service_model
from boostline.local.operations import SERVICES
from boostline.local.services.cloudformation.kinds import KINDS, Kind
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
    assert {name: found - KINDS[name].properties for name, found in used.items()} == {
        name: set() for name in KINDS
    }


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
def test_each_property_is_a_member_of_a_call_of_the_platform(name: str) -> None:
    kind = KINDS[name]
    calls = re.findall(r"\w+", " ".join(kind.calls[1:])) + kind.describe.split()
    assert set(calls) <= set(SERVICES[kind.service].operations)
    taken = {member.lower() for call in calls for member in members(kind, call)}
    facts = {fact.lower(): name for fact, (name, _) in kind.others.items()}
    patched = facts.keys() if "patchoperations" in taken else set()
    reached = {facts[fact] for fact in facts.keys() & taken | patched}
    unreached = {each for each in kind.properties if each.lower() not in taken} - reached
    assert unreached <= kind.recorded


def members(kind: Kind, call: str) -> set[str]:
    return set(service_model(kind.service).operation_model(call).input_shape.members)
