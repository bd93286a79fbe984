"""What each role may do and what not, by its policies: least privilege, as examples."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.infra.cases import BUCKET, KEY, OTHER, OTHER_KEY
from tests.infra.iam import statements, texts
from tests.infra.rendering import ACCOUNT, REGION, Json, Rendered

TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("permissions.toml").read_text())
OFF = {"", "false", "nothing"}


class Need(NamedTuple):
    """An action on a resource, what the request tells, and whether it is to be allowed."""

    action: str
    arn: str
    told: Mapping[str, str]
    wanted: bool


def problems(name: str, rendered: Rendered) -> Iterator[str]:
    """Say what a role of a template lacks, has too much of, or nobody asked for."""
    for role, table in TABLE.get(name, {}).items():
        if role in rendered.resources:
            granted = _granted(rendered.resources[role].properties)
            yield from (f"{role} {it}" for it in _compare(granted, table["may"], rendered))


def _granted(properties: Json) -> list[Json]:
    documents = [each["PolicyDocument"] for each in properties.get("Policies", [])]
    documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
    return [each for document in documents for each in statements(document)]


def _compare(granted: list[Json], table: list[list[str]], rendered: Rendered) -> Iterator[str]:
    needs = list(_needs(table, rendered))
    wanted = {need.action for need in needs if need.wanted}
    for need in needs:
        allowed = allows(granted, need)
        if need.wanted and not allowed:
            yield f"may not {need.action} on {need.arn}"
        elif allowed and need.action not in wanted:
            yield f"may {need.action} on {need.arn}"
    for need in _needs(TABLE["nobody"]["may"], rendered):
        if allows(granted, need):
            yield f"may {need.action} on {need.arn}"
    if more := {action for each in granted for action in texts(each["Action"])} - wanted:
        yield f"may, and need not: {sorted(more)}"


def _needs(table: list[list[str]], rendered: Rendered) -> Iterator[Need]:
    given = rendered.parameters
    places = {
        "account": ACCOUNT,
        "bucket": f"arn:aws:s3:::{given.get('BucketName') or BUCKET}",
        "here": f"{REGION}:{ACCOUNT}",
        "key": KEY,
        "other": OTHER,
        "other_key": OTHER_KEY,
        "region": REGION,
        "registry": given.get("RegistryAccountId") or ACCOUNT,
    }
    for arn, condition, actions in table:
        when, told = condition.removeprefix("if "), {}
        if when == condition:
            told = dict([condition.split(" = ")]) if condition else {}
            when = ""
        parameter, _, value = when.partition("=")
        has = given.get(parameter, "")
        wanted = not when or (has == value if value else has not in OFF)
        for action in actions.split():
            yield Need(action, arn.format_map(places), told, wanted)


def allows(granted: list[Json], need: Need) -> bool:
    """Whether statements allow what is needed."""
    return any(
        need.action in texts(each["Action"])
        and any(fnmatch.fnmatchcase(need.arn, pattern) for pattern in texts(each["Resource"]))
        and all(
            _holds(operator, inner, need.told)
            for operator, inner in each.get("Condition", {}).items()
        )
        for each in granted
    )


def _holds(operator: str, condition: Mapping[str, Any], told: Mapping[str, str]) -> bool:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html."""
    if operator == "Null":
        return all((key not in told) == (value == "true") for key, value in condition.items())
    return all(
        any(fnmatch.fnmatchcase(told.get(key, ""), pattern) for pattern in texts(value))
        or (operator.endswith("IfExists") and key not in told)
        for key, value in condition.items()
    )
