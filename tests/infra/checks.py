"""All checks of a template in one place: cheap ones first, cfn-lint for those that live."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cfnlint.api import ManualArgs, lint

from boostline.local.wire.errors import AwsError
from tests.infra import access, declared, iam, meanings, requests, schemas, settings, wiring
from tests.infra.cases import CASES, DOCUMENT, REFUSED
from tests.infra.rendering import Json, Rendered, render

# What a check meets in a template that is not as it must be: also a finding.
BROKEN = (
    AwsError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
    AssertionError,
)


def first_problem(name: str, template: Json) -> str | None:
    """Return the first thing that is wrong with a template of `infra/`; None if nothing is."""
    try:
        found = next(cheap(name, template), None)
    except BROKEN as error:
        return f"{type(error).__name__}: {error}"
    return found or next(linted(json.dumps(template)), None)


def cheap(name: str, template: Json) -> Iterator[str]:
    """Give what all checks but cfn-lint find, under each choice of parameters."""
    yield from declared.problems(template)
    for given in CASES[name].values():
        rendered = render(template, given, DOCUMENT)
        yield from of_rendered(name, rendered)
    first = next(iter(CASES[name].values()))
    for given in REFUSED[name]:
        if not refuses(template, {**first, **given}):
            yield f"takes {given}"


def of_rendered(name: str, rendered: Rendered) -> Iterator[str]:
    """Give what the checks of a resolved template find."""
    for check in (schemas, requests, iam):
        yield from check.problems(rendered)
    for own in (settings, meanings, wiring, access):
        yield from own.problems(name, rendered)


def refuses(template: Json, given: dict[str, str]) -> bool:
    """Whether CloudFormation would refuse these parameters."""
    try:
        render(template, given, DOCUMENT)
    except AwsError:
        return True
    return False


def linted(text: str) -> Iterator[str]:
    """Give what cfn-lint finds, warnings included."""
    for match in lint(text, config=ManualArgs(regions=["us-east-1"])):
        yield f"cfn-lint {match.rule.id}: {match.message}"
