"""What a stack is to become: a template with the values of its parameters."""

from __future__ import annotations

import graphlib
import json
from collections.abc import Mapping
from typing import Any

from boostline.local.services.cloudformation.kinds import KINDS
from boostline.local.services.cloudformation.template import typed
from boostline.local.services.cloudformation.values import (
    UNKNOWN,
    Attribute,
    Scope,
    no_resource,
    refuse,
)
from boostline.local.store.resources import Document


class Deployment:
    """The resources that a template has under its conditions, in the order of their making.

    Parameters
    ----------
    source
        `Template`, with what it includes; `Parameters`, `Tags`: those of the stack.
    pseudo
        The values of the pseudo parameters.

    Raises
    ------
    AwsError
        `ValidationError` if something in it is wrong, or not here.
    """

    def __init__(self, source: Document, pseudo: Mapping[str, Any]) -> None:
        self.source = source
        self.template = source["Template"]
        self._values = typed(self.template, source["Parameters"]) | dict(pseudo)
        scope = self._scope(no_resource)
        self._check_rules(scope)
        self.resources: dict[str, Document] = {
            name: found
            for name, found in self.template["Resources"].items()
            if "Condition" not in found or scope.holds(found["Condition"])
        }
        self._check_properties()
        self.needs = {name: self._needs(name) for name in self.resources}
        self.outputs(self._recorder(set(), "Outputs"))
        try:
            self.order = list(graphlib.TopologicalSorter(self.needs).static_order())
        except graphlib.CycleError as error:
            names = ", ".join(sorted(set(error.args[1])))
            raise refuse(f"Circular dependency between resources: [{names}]") from None

    def properties(self, name: str, attribute: Attribute) -> Document:
        """Return a resource's properties, the stack's tags among them if it takes tags."""
        found = self.resources[name]
        made: Document = self._scope(attribute).value(found.get("Properties", {}))
        if self.source["Tags"] and "Tags" in KINDS[found["Type"]].properties:
            own = {tag["Key"]: tag for tag in [*self.source["Tags"], *made.get("Tags", [])]}
            made["Tags"] = list(own.values())
        return made

    def outputs(self, attribute: Attribute) -> list[Document]:
        """Return the stack's outputs as they are described."""
        scope = self._scope(attribute)
        return [
            {
                "OutputKey": name,
                "OutputValue": scope.value(found["Value"]),
                "Description": found.get("Description"),
            }
            for name, found in self.template.get("Outputs", {}).items()
            if "Condition" not in found or scope.holds(found["Condition"])
        ]

    def _scope(self, attribute: Attribute) -> Scope:
        return Scope(self.template, self._values, attribute)

    def _check_rules(self, scope: Scope) -> None:
        for name, rule in self.template.get("Rules", {}).items():
            if "RuleCondition" in rule and not scope.condition(rule["RuleCondition"]):
                continue
            for assertion in rule["Assertions"]:
                if not scope.condition(assertion["Assert"]):
                    said = assertion.get("AssertDescription", "the assertion does not hold")
                    raise refuse(f"Template validation error: rule {name}: {said}")

    def _check_properties(self) -> None:
        for name, found in self.template["Resources"].items():
            if strange := found.get("Properties", {}).keys() - KINDS[found["Type"]].properties:
                raise refuse(
                    f"Resource {name} ({found['Type']}): Encountered unsupported property "
                    f"{', '.join(sorted(strange))}"
                )

    def _needs(self, name: str) -> set[str]:
        """Return what a resource depends on: what it says, and what it refers to."""
        found = self.resources[name].get("DependsOn", [])
        said = {found} if isinstance(found, str) else set(found)
        if unknown := sorted(said - self.template["Resources"].keys()):
            raise _unresolved(", ".join(unknown), "Resources")
        needs = said & self.resources.keys()
        made = self.properties(name, self._recorder(needs, "Resources"))
        if KINDS[self.resources[name]["Type"]].service and "{{resolve:" in json.dumps(made):
            raise refuse(f"Resource {name}: the local platform has no dynamic references here")
        return needs

    def _recorder(self, needs: set[str], block: str) -> Attribute:
        def attribute(name: str, member: str) -> str:
            if name not in self.resources:
                raise _unresolved(name, block)
            kind = self.resources[name]["Type"]
            if member and member not in KINDS[kind].attributes:
                raise refuse(
                    f"Template error: the local platform has no attribute {member} of resource "
                    f"{name} for Fn::GetAtt; of {kind} it has "
                    f"{', '.join(KINDS[kind].attributes) or 'none'}"
                )
            needs.add(name)
            return unknown(name, member)

        return attribute


def unknown(name: str, member: str) -> str:
    """Return what stands for an attribute that is not known yet."""
    return f"{UNKNOWN}{name}.{member or 'Ref'}}}}}"


def _unresolved(names: str, block: str) -> Exception:
    return refuse(
        f"Template format error: Unresolved resource dependencies [{names}] in the {block} block "
        "of the template"
    )
