"""What must hold of a template as it is written: parameters, their groups, conditions, outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from boostline.local.services.cloudformation.template import parameters
from boostline.local.wire.errors import AwsError
from tests.infra.rendering import Json
from tests.infra.schemas import retention

SECTIONS = {
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Conditions",
    "Resources",
    "Outputs",
}
# What no parameter takes, whatever it is.
NEVER = ("no such value!", "${AWS::Region}", "*", "x\n")
LINE = 1024


def problems(template: Json) -> Iterator[str]:
    """Say what is missing, not used, or not explained."""
    if template["AWSTemplateFormatVersion"] != "2010-09-09" or template.keys() - SECTIONS:
        yield f"a template of 2010-09-09 has {SECTIONS}"
    yield from _sentence("the template", template.get("Description"))
    declared = template["Parameters"]
    for name, parameter in declared.items():
        yield from _parameter(name, parameter)
    yield from _groups(template, list(declared))
    yield from _used(template)
    for name, output in template["Outputs"].items():
        yield from _sentence(name, output.get("Description"))
    for name, rule in template.get("Rules", {}).items():
        for each in rule["Assertions"]:
            said = each["AssertDescription"]
            if not isinstance(said, str) or " " not in said:
                yield f"{name} does not say what it asserts"


def _sentence(name: str, text: object) -> Iterator[str]:
    if not isinstance(text, str) or not 10 < len(text) <= LINE or not text[0].isupper():
        yield f"{name} has no description"
    elif text[-1] not in ".>" or text.count(": arn:"):
        yield f"{name}: its description is no sentence: {text}"


def _parameter(name: str, parameter: Json) -> Iterator[str]:
    yield from _sentence(name, parameter.get("Description"))
    where = re.search(r"\((\w+)\.yaml, (\w+)\)", parameter["Description"])
    if where and name.endswith("Arn") and where[2] != name:
        yield f"{name} is not {where[0]}"
    said = parameter.get("ConstraintDescription")
    if not isinstance(said, str) or len(said) < 5 or said[-1] == ".":
        yield f"{name} does not say in passing what it takes: {said}"
    limits = {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys()
    if len(limits) != 1 or ("MinValue" in limits) != ("MaxValue" in parameter):
        yield f"{name} takes anything"
    pattern = parameter.get("AllowedPattern", "^$")
    if not isinstance(pattern, str) or pattern[0] != "^" or pattern[-1] != "$":
        yield f"{name}: its pattern is not of the whole value"
    bad = {*NEVER, ""} - {parameter.get("Default")}
    if "MinValue" in limits:
        bad |= {str(parameter["MinValue"] - 1), str(parameter["MaxValue"] + 1)}
    for value in sorted(bad):
        if _takes(name, parameter, value):
            yield f"{name} takes {value!r}"
    given = [*parameter.get("AllowedValues", []), parameter.get("Default", "")]
    if parameter["Type"] == "String" and not all(isinstance(value, str) for value in given):
        yield f"{name} is a text, and so are its values: {given}"
    if name == "LogRetentionDays" and parameter["AllowedValues"] != retention():
        yield f"{name} offers what CloudWatch Logs does: {retention()}"
    if "Default" in parameter and not _takes(name, parameter, str(parameter["Default"])):
        yield f"{name} refuses its default"


def _takes(name: str, parameter: Json, value: str) -> bool:
    try:
        parameters({"Parameters": {name: parameter}}, {name: value}, {})
    except AwsError:
        return False
    return True


def _groups(template: Json, declared: list[str]) -> Iterator[str]:
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    groups = interface["ParameterGroups"]
    listed = [name for group in groups for name in group["Parameters"]]
    if len(template["Metadata"]) + len(interface) != 2 or listed != declared:
        yield f"the groups list each parameter once, in order: {sorted({*listed} ^ {*declared})}"
    for group in groups:
        label = group["Label"]["default"]
        if (
            not isinstance(label, str)
            or not label[0].isupper()
            or len(group) + len(group["Label"]) != 3
        ):
            yield f"{group} has a label and parameters"


def _used(template: Json) -> Iterator[str]:
    rest = {name: it for name, it in template.items() if name not in {"Metadata", "Parameters"}}
    text = json.dumps(rest)
    for name in template["Parameters"]:
        if f'{{"Ref": "{name}"}}' not in text and f"${{{name}}}" not in text:
            yield f"nothing uses {name}"
    for name in template.get("Conditions", {}):
        uses = len(re.findall(rf'"(Condition|Fn::If)": \[?"{name}"', text))
        if not uses:
            yield f"nothing depends on {name}"
