"""Templates: how they are read, and what their parameters take.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
import yaml

from boostline.local.services.cloudformation.kinds import KINDS
from boostline.local.services.cloudformation.values import Scope, refuse, text

Template = dict[str, Any]
Scalar: TypeAlias = str | int | float | bool


class _Parameter(msgspec.Struct):
    Type: str = ""
    Default: Scalar = ""
    Description: str = ""
    AllowedValues: list[Scalar] = []
    AllowedPattern: str = ""
    ConstraintDescription: str = ""
    MinLength: int = 0
    MaxLength: int = 0
    MinValue: float = 0
    MaxValue: float = 0


class _Assertion(msgspec.Struct):
    Assert: dict[str, Any]
    AssertDescription: str = ""


class _Rule(msgspec.Struct):
    Assertions: list[_Assertion]
    RuleCondition: dict[str, Any] = {}


class _Resource(msgspec.Struct):
    Type: str = ""
    Properties: dict[str, Any] = {}
    DependsOn: str | list[str] = ""
    Condition: str = ""
    DeletionPolicy: str = ""
    UpdateReplacePolicy: str = ""
    Metadata: dict[str, Any] = {}


class _Output(msgspec.Struct):
    Value: Any
    Description: str = ""
    Condition: str = ""


Entries: TypeAlias = dict[str, dict[str, Any]]


class _Sections(msgspec.Struct):
    AWSTemplateFormatVersion: str = ""
    Description: str = ""
    Metadata: dict[str, Any] = {}
    Parameters: Entries = {}
    Rules: Entries = {}
    Mappings: dict[str, dict[Any, dict[Any, Any]]] = {}
    Conditions: Entries = {}
    Resources: Entries = {}
    Outputs: Entries = {}


MEMBERS: dict[str, type[msgspec.Struct]] = {  # of what stands in a section
    "Rules": _Rule,
    "Resources": _Resource,
    "Outputs": _Output,
    "Parameters": _Parameter,
}
LISTS = "CommaDelimitedList"
_POLICY = (None, "Delete", "Retain")
VALUES: dict[str, dict[str, tuple[str | None, ...]]] = {
    "Parameters": {"Type": ("String", "Number", LISTS)},
    "Resources": {"Type": (*KINDS,), "DeletionPolicy": _POLICY, "UpdateReplacePolicy": _POLICY},
}


class _Plain(yaml.SafeLoader):
    """Reads YAML: dates as texts, each name once."""


class _Short(_Plain):
    """Reads the short forms of functions, too."""


def _function(loader: _Short, suffix: str, node: yaml.Node) -> Template:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = _mapping(loader, node)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


def _mapping(loader: _Plain, node: yaml.Node) -> Template:
    assert isinstance(node, yaml.MappingNode)  # noqa: S101  (what the resolver gives)
    made: Template = {}
    for name, value in loader.construct_pairs(node, deep=True):
        if name in made:
            raise yaml.MarkedYAMLError(None, None, f"{name} stands there twice", node.start_mark)
        made[name] = value
    return made


_Plain.add_constructor("tag:yaml.org,2002:map", _mapping)
_Plain.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)
_Short.add_multi_constructor("!", _function)


def read(body: str, *, short: bool = True) -> Template:
    """Return a template, or a part of one, with its functions in their long form.

    Parameters
    ----------
    short
        Whether short forms of functions may be in it: in what is included they may not.

    Raises
    ------
    AwsError
        `ValidationError` if it is neither YAML nor JSON, or no mapping.
    """
    try:
        if body.lstrip().startswith("{"):
            found = json.loads(body)
        else:
            found = yaml.load(body, _Short if short else _Plain)  # noqa: S506  (both are safe)
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise refuse(f"Template format error: YAML not well-formed. {error}") from None
    if not isinstance(found, dict):
        raise refuse("Template format error: unsupported structure.")
    return found


def check(template: Template) -> None:
    """Refuse a template whose sections are not as they must be, or not here."""
    _check_form(template, _Sections, "Template format error")
    if unknown := template.keys() - {*_Sections.__struct_fields__}:
        has = ", ".join(sorted(_Sections.__struct_fields__))
        raise refuse(f"Invalid template property or properties {sorted(unknown)}; here are {has}")
    if not template.get("Resources"):
        raise refuse("Template format error: At least one Resources member must be defined.")
    for section, form in MEMBERS.items():
        for name, found in template.get(section, {}).items():
            where = f"Template format error: {section}.{name}"
            if not re.fullmatch("[a-zA-Z0-9]{1,255}", name):
                raise refuse(f"{where}: a name is alphanumeric")
            _check_form(found, form, where)
            if strange := found.keys() - {*form.__struct_fields__}:
                has = ", ".join(sorted(form.__struct_fields__))
                raise refuse(f"{where} has {sorted(strange)}; here are {has}")
            for member, values in VALUES.get(section, {}).items():
                if (value := found.get(member)) not in values:
                    has = ", ".join(filter(None, values))
                    raise refuse(f"{where}: the {member} is {value}; here it is one of {has}")


def _check_form(found: Any, form: type[msgspec.Struct], where: str) -> None:
    """Refuse what cannot be read as a form, or has no pattern where one stands."""
    try:
        msgspec.convert(found, form, strict=False)
        re.compile(found.get("AllowedPattern", ""))
    except msgspec.ValidationError as error:
        raise refuse(f"{where}: {error}") from None
    except (re.error, OverflowError) as error:
        raise refuse(f"{where}: AllowedPattern: {error}") from None


def included(node: Any, scope: Scope, fetch: Callable[[str], str]) -> Any:
    """Return a node with each `Fn::Transform` of `AWS::Include` replaced by what it names.

    Parameters
    ----------
    fetch
        Returns the text at an S3 URI.
    """
    if isinstance(node, list):
        return [included(item, scope, fetch) for item in node]
    if not isinstance(node, dict):
        return node
    rest = {name: included(item, scope, fetch) for name, item in node.items()}
    match rest.pop("Fn::Transform", None):
        case None:
            return rest
        case {"Name": "AWS::Include", "Parameters": {"Location": location}}:
            found = read(fetch(scope.value(location)), short=False)
        case other:
            name = other.get("Name") if isinstance(other, dict) else other
            raise refuse(f"No transform named {name}: the local platform has AWS::Include")
    if both := found.keys() & rest.keys():
        raise refuse(f"AWS::Include: {sorted(both)} stand beside the transform and in its object")
    if "Fn::Transform" in json.dumps(found):
        raise refuse("AWS::Include: what is included cannot include")
    return found | rest


def parameters(
    template: Template, given: Mapping[str, str | None], before: Mapping[str, str]
) -> dict[str, str]:
    """Return the texts of all parameters: those given, then the defaults.

    Parameters
    ----------
    given
        None stands for the value that the stack has, which is in `before`.
    """
    declared = template.get("Parameters", {})
    if unknown := sorted(given.keys() - declared.keys()):
        raise refuse(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values: dict[str, str] = {}
    missing = []
    for name, parameter in declared.items():
        value = before.get(name) if given.get(name, "") is None else given.get(name)
        value = parameter.get("Default") if value is None else value
        if value is None:
            missing.append(name)
        else:
            values[name] = text(value)
            _check_value(name, parameter, values[name])
    if missing:
        raise refuse(f"Parameters: [{', '.join(missing)}] must have values")
    return values


def typed(template: Template, values: Mapping[str, str]) -> dict[str, Any]:
    """Return what Ref gives of the parameters: lists of those that are lists."""
    declared = template.get("Parameters", {})
    return {name: _items(declared[name], value) for name, value in values.items()}


def _items(parameter: Mapping[str, Any], value: str) -> Any:
    if parameter["Type"] != LISTS:
        return value
    return [item.strip() for item in value.split(",")] if value else []


def _check_value(name: str, parameter: Mapping[str, Any], whole: str) -> None:
    """Refuse a value that its parameter does not take; a list's items are looked at one by one."""
    items = _items(parameter, whole)
    for value in items if isinstance(items, list) else [items]:
        problem = _problem(parameter, value)
        if problem:
            said = parameter.get("ConstraintDescription")
            shown = f" failed to satisfy constraint: {said}" if said else f" {problem}"
            raise refuse(f"Parameter {name if said else repr(name)}{shown}")


def _problem(parameter: Mapping[str, Any], value: str) -> str:
    """Return what is wrong with a value; empty if nothing."""
    limits = {name: text(limit) for name, limit in parameter.items() if name[:3] in {"Min", "Max"}}
    allowed = [text(each) for each in parameter.get("AllowedValues", [value])]
    pattern = parameter.get("AllowedPattern", ".*")
    size = len(value) if parameter["Type"] != "Number" else _number(value)
    low, high = (limits.get(f"{end}Value", limits.get(f"{end}Length")) for end in ("Min", "Max"))
    checks = {
        "must be a number.": size is not None,
        f"must be one of AllowedValues: [{', '.join(allowed)}]": value in allowed,
        f"must match pattern {pattern}": re.fullmatch(pattern, value, re.DOTALL),
        f"must not be less than {low}": size is None or size >= float(low or size),
        f"must not be greater than {high}": size is None or size <= float(high or size),
    }
    return next((said for said, fine in checks.items() if not fine), "")


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
