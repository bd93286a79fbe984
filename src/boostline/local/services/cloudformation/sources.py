"""What a request wants a stack to be: its source, and what is told of one.

A source has `Body`, the template as it was given; `Template`, with what it includes;
`Parameters`, all their texts; `Tags` and `Capabilities`; `Adopts`, whether resources that have
names and are retained may be there already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from boostline.local.services.cloudformation import template as templates
from boostline.local.services.cloudformation.values import Scope, refuse, text
from boostline.local.store.objects import NoSuchBucket, NoSuchKey, Objects
from boostline.local.store.resources import Document

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
LONGEST, LONGEST_IN_S3 = 51_200, 1_048_576
NAMED = {"AWS::IAM::Role": "RoleName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName"}
NOT_HERE = (
    *("ResourcesToImport", "IncludeNestedStacks", "StackPolicyBody", "StackPolicyURL"),
    *("RollbackConfiguration", "ResourceTypes", "RetainExceptOnCreate"),
)
HIDDEN = "****"


def body(request: Document, objects: Objects) -> str:
    """Return the template that a request gives, or names in S3."""
    if ("TemplateBody" in request) == ("TemplateURL" in request):
        raise refuse("Either Template URL or Template Body must be specified.")
    if "TemplateBody" in request:
        found, longest = str(request["TemplateBody"]), LONGEST
    else:
        path = unquote(urlsplit(request["TemplateURL"]).path)
        found, longest = _fetch(f"s3:/{path}", objects), LONGEST_IN_S3
    if len(found.encode()) > longest:
        raise refuse(f"The template must have length less than or equal to {longest}")
    return found


def source(
    request: Document, before: Document, pseudo: Mapping[str, Any], objects: Objects, direct: bool
) -> Document:
    """Return the source that a request gives.

    Parameters
    ----------
    before
        The stack's source until now; empty if it has none.
    pseudo
        The values of the pseudo parameters.
    direct
        Whether it is applied without a change set: then inclusions need an acknowledgement.

    Raises
    ------
    AwsError
        If something in it is wrong or not here, or a capability is missing.
    """
    if refused := [member for member in NOT_HERE if request.get(member)]:
        raise refuse(f"the local platform does not have {', '.join(refused)} here")
    previous = request.get("UsePreviousTemplate") and before
    given = str(before["Body"]) if previous else body(request, objects)
    found = templates.read(given)
    templates.check(found)
    asked = {
        each["ParameterKey"]: None
        if each.get("UsePreviousValue")
        else each.get("ParameterValue", "")
        for each in request.get("Parameters", [])
    }
    values = templates.parameters(found, asked, before.get("Parameters", {}))
    scope = Scope(found, templates.typed(found, values) | dict(pseudo), _no_resource)
    whole = templates.included(found, scope, lambda uri: _fetch(uri, objects))
    templates.check(whole)
    held = request.get("Capabilities", [])
    _require_capabilities(whole, {*held}, direct and whole != found)
    return {
        "Body": given,
        "Template": whole,
        "Parameters": values,
        "Tags": request.get("Tags", before.get("Tags", [])),
        "Capabilities": sorted(held),
        "Adopts": request.get("ImportExistingResources", False),
    }


def summary(given: str) -> Document:
    """Return what a template asks for, as GetTemplateSummary and ValidateTemplate tell it."""
    found = templates.read(given)
    templates.check(found)
    types = sorted({str(each.get("Type")) for each in found["Resources"].values()})
    return {
        "Parameters": [_declared(*each) for each in found.get("Parameters", {}).items()],
        "Description": found.get("Description"),
        "Capabilities": _capabilities(found),
        "ResourceTypes": types,
        "Version": found.get("AWSTemplateFormatVersion"),
        "Metadata": json.dumps(found["Metadata"]) if "Metadata" in found else None,
        "DeclaredTransforms": ["AWS::Include"] if '"Fn::Transform"' in json.dumps(found) else [],
    }


def told(source: Document) -> Document:
    """Return what is shown of a source; parameters that are not to be seen are stars."""
    template = source.get("Template", {})
    declared = template.get("Parameters", {})
    return {
        "Description": template.get("Description"),
        "Parameters": [
            {
                "ParameterKey": name,
                "ParameterValue": HIDDEN if _is_hidden(declared[name]) else value,
            }
            for name, value in source.get("Parameters", {}).items()
        ],
        "Tags": source.get("Tags", []),
        "Capabilities": source.get("Capabilities", []),
    }


def _fetch(uri: str, objects: Objects) -> str:
    try:
        return objects.read(uri).decode()
    except (NoSuchBucket, NoSuchKey, ValueError) as error:
        raise refuse(f"S3 error: cannot read {uri}: {type(error).__name__} {error}") from None


def _no_resource(name: str, _: str) -> Any:
    raise refuse(f"AWS::Include: its Location cannot refer to the resource {name}")


def _capabilities(template: Document) -> list[str]:
    roles = [each for each in template["Resources"].values() if each.get("Type") in NAMED]
    if any(NAMED[each["Type"]] in each.get("Properties", {}) for each in roles):
        return ["CAPABILITY_NAMED_IAM"]
    return ["CAPABILITY_IAM"] if roles else []


def _require_capabilities(template: Document, held: set[str], includes: bool) -> None:
    held |= {"CAPABILITY_IAM"} if "CAPABILITY_NAMED_IAM" in held else set()
    needed = _capabilities(template) + ["CAPABILITY_AUTO_EXPAND"] * includes
    if missing := [each for each in needed if each not in held]:
        said = f"Requires capabilities : [{', '.join(missing)}]"
        raise refuse(said, "InsufficientCapabilitiesException")


def _declared(name: str, parameter: Document) -> Document:
    default = parameter.get("Default")
    allowed = [text(each) for each in parameter.get("AllowedValues", [])]
    return {
        "ParameterKey": name,
        "DefaultValue": None if default is None else text(default),
        "ParameterType": parameter["Type"],
        "NoEcho": _is_hidden(parameter),
        "Description": parameter.get("Description"),
        "ParameterConstraints": {"AllowedValues": allowed} if allowed else {},
    }


def _is_hidden(parameter: Document) -> bool:
    return text(parameter.get("NoEcho", "")) == "true"
