"""What a request wants a stack to be: its source, and what is told of one.

A source has `Template`, with what it includes; `Parameters`, all their texts; `Tags`;
`Capabilities`, those given; `Adopts`, whether resources that have names and are retained may be
there already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from boostline.local.services.cloudformation import template as templates
from boostline.local.services.cloudformation.values import Scope, no_resource, refuse
from boostline.local.store.objects import NoSuchBucket, NoSuchKey, Objects
from boostline.local.store.resources import Document

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
LONGEST, LONGEST_IN_S3 = 51_200, 1_048_576
NAMED = {"AWS::IAM::Role": "RoleName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName"}


def source(
    request: Document, before: Document, pseudo: Mapping[str, Any], objects: Objects
) -> Document:
    """Return the source that a request gives.

    Parameters
    ----------
    before
        The stack's source until now; empty if it has none.
    pseudo
        The values of the pseudo parameters.

    Raises
    ------
    AwsError
        If something in it is wrong or not here, or a capability is missing.
    """
    found = templates.read(_body(request, objects))
    templates.check(found)
    asked = {
        each["ParameterKey"]: None
        if each.get("UsePreviousValue")
        else each.get("ParameterValue", "")
        for each in request.get("Parameters", [])
    }
    values = templates.parameters(found, asked, before.get("Parameters", {}))
    scope = Scope(found, templates.typed(found, values) | dict(pseudo), no_resource)
    whole = templates.included(found, scope, lambda uri: _fetch(uri, objects))
    templates.check(whole)
    _require_capabilities(whole, request.get("Capabilities", []))
    return {
        "Template": whole,
        "Parameters": values,
        "Tags": request.get("Tags", before.get("Tags", [])),
        "Capabilities": request.get("Capabilities", []),
        "Adopts": request.get("ImportExistingResources", False),
    }


def told(source: Document) -> Document:
    """Return what is shown of a source."""
    values = source.get("Parameters", {}).items()
    return {
        "Description": source.get("Template", {}).get("Description"),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values],
        "Tags": source.get("Tags", []),
    }


def _body(request: Document, objects: Objects) -> str:
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


def _fetch(uri: str, objects: Objects) -> str:
    try:
        return objects.read(uri).decode()
    except (NoSuchBucket, NoSuchKey, ValueError) as error:
        raise refuse(f"S3 error: cannot read {uri}: {type(error).__name__} {error}") from None


def _require_capabilities(template: Document, held: list[str]) -> None:
    roles = [each for each in template["Resources"].values() if each.get("Type") in NAMED]
    named = any(NAMED[each["Type"]] in each.get("Properties", {}) for each in roles)
    needed = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
    if roles and not {needed, "CAPABILITY_NAMED_IAM"} & {*held}:
        said = f"Requires capabilities : [{needed}]"
        raise refuse(said, "InsufficientCapabilitiesException")
