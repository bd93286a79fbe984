"""What policies may say: no more than is named, by AWS's own list of actions and their resources.

The list is the Service Authorization Reference, as cfn-lint carries it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from tests.infra.rendering import ACCOUNT, Json, Rendered, Resource

MEMBERS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
# Services that tell whose resource they act for as they assume a role.
TELL_SOURCE = {"codebuild", "codepipeline", "events", "sagemaker"}
# Actions that hand power to services, and the key that says to which.
UNDER = {
    "iam:PassRole": "iam:PassedToService",
    "iam:CreateServiceLinkedRole": "iam:AWSServiceName",
}
# Actions on everything although the reference names a resource: the condition limits them instead.
BY_CONDITION = {"cloudwatch:PutMetricData": "cloudwatch:namespace"}
# What the reference leaves out: the transform of a change set, and the API that a policy is of.
UNLISTED = re.compile(r"arn:aws:cloudformation:[^:]+:aws:transform/\w+|execute-api:/\*")


def problems(rendered: Rendered) -> Iterator[str]:
    """Say what is too wide, too narrow to work, or not understood in each policy."""
    for one in rendered.resources.values():
        for place, document in policies(one):
            yield from (f"{one.name} {place}: {it}" for it in _document(one, place, document))


def policies(one: Resource) -> Iterator[tuple[str, Json]]:
    """Give each policy of a resource, with the member that it stands in."""
    stack: list[tuple[str, Any]] = [("", one.properties)]
    while stack:
        place, node = stack.pop()
        if isinstance(node, dict) and place and ("Statement" in node or place.endswith("Document")):
            yield place, node
        elif isinstance(node, dict):
            stack += node.items()
        elif isinstance(node, list):
            stack += [(place, item) for item in node]


def statements(document: Json) -> list[Json]:
    """Return the statements of a policy."""
    found: list[Json] = document["Statement"]
    return found


def texts(value: Any) -> list[str]:
    """Return what may be one text or a list of them."""
    return [value] if isinstance(value, str) else list(value)


def _document(one: Resource, place: str, document: Json) -> Iterator[str]:
    if document.keys() != {"Version", "Statement"} or document["Version"] != "2012-10-17":
        yield "a policy has the Version 2012-10-17 and statements"
        return
    found = statements(document)
    if not isinstance(found, list) or not found:
        yield "there is no list of statements"
        return
    identity = place == "PolicyDocument" and one.type.startswith("AWS::IAM")
    sids = [each.get("Sid") for each in found]
    # A managed policy has so little room that its statements are named by comments.
    named = one.type != "AWS::IAM::ManagedPolicy" and place != "AssumeRolePolicyDocument"
    if named and (len({*sids}) < len(sids) or None in sids):
        yield f"each statement has a Sid of its own: {sids}"
    for each in found:
        if each.keys() - MEMBERS or each.get("Effect") not in {"Allow", "Deny"}:
            yield f"{each} is no statement"
        elif not re.fullmatch(r"[A-Z][A-Za-z]+", str(each.get("Sid", "One"))):
            yield f"{each['Sid']} is no name of a statement"
        elif place == "AssumeRolePolicyDocument":
            yield from _trust(each)
        elif identity and "Principal" in each:
            yield "a role's policy names no principal"
        elif not identity and "Principal" not in each:
            yield "a resource's policy names a principal"
        else:
            yield from _access(each, identity)


def _trust(each: Json) -> Iterator[str]:
    conditions = each.get("Condition", {})
    match each["Effect"], each.get("Principal"), each.get("Action"):
        case "Allow", {"Service": str(service), **rest}, "sts:AssumeRole" if not rest:
            if not re.fullmatch(r"[a-z]+\.amazonaws\.com", service):
                yield f"{service} is no service"
            told = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
            expected = told if service.partition(".")[0] in TELL_SOURCE else {}
            if conditions != expected:
                yield f"{service} assumes it under {expected}, not {conditions}"
        case "Allow", {"AWS": str(account), **rest}, "sts:AssumeRole" if not rest:
            # Whom that account lets assume it, is that account's to say.
            if not re.fullmatch(r"arn:aws:iam::\d{12}:root", account) or conditions:
                yield f"{account} is no account"
        case "Allow", {"Federated": str(provider), **rest}, "sts:AssumeRoleWithWebIdentity" if (
            not rest
        ):
            issuer = provider.rpartition("oidc-provider/")[2]
            exact = conditions.get("StringEquals", {})
            if conditions.keys() != {"StringEquals"} or exact.keys() != {
                f"{issuer}:aud",
                f"{issuer}:sub",
            }:
                yield f"{issuer} is trusted for one audience and exact subjects, not {conditions}"
            elif exact[f"{issuer}:aud"] != "sts.amazonaws.com":
                yield "the audience is sts.amazonaws.com"
            elif any(
                not re.fullmatch(
                    r"repo:[\w.-]+/[\w.-]+:(ref|environment):?[\w./-]+",
                    text.replace(":ref:", ":ref"),
                )
                for text in texts(exact[f"{issuer}:sub"])
            ):
                yield f"subjects name a repository and a branch or environment: {exact}"
        case _:
            yield f"{each} is no trust in a service or a provider"
    if "Resource" in each:
        yield "trust has no resource"


def _access(each: Json, identity: bool) -> Iterator[str]:
    actions, resources = texts(each.get("Action", [])), texts(each.get("Resource", []))
    conditions = each.get("Condition", {})
    if each["Effect"] == "Deny":
        limited = resources and (conditions or identity)
        yield from () if limited else ("a denial has resources, and a resource's a condition",)
        return
    if not actions or actions != sorted({*actions}):
        yield f"actions are named once, in order: {actions}"
    if identity and not resources:
        yield f"{actions} have no resource"
    yield from _conditions(each, actions, conditions)
    if each.get("Principal") == "*" and not conditions:
        yield "everyone may, without a condition"
    kinds = [formats(action) for action in actions]
    if None in kinds:
        yield f"some of {actions} are no actions"
        return
    yield from _resources(actions, [known or [] for known in kinds], resources, conditions)


def _conditions(each: Json, actions: list[str], conditions: Json) -> Iterator[str]:
    keys = {key for inner in conditions.values() for key in inner}
    for action in UNDER.keys() & {*actions}:
        if actions != [action] or keys != {UNDER[action]}:
            yield f"{action} stands alone, under {UNDER[action]}"
    for operator, inner in conditions.items():
        if operator not in {"Bool", "Null", "StringEquals", "StringEqualsIfExists", "StringLike"}:
            yield f"{operator} is no operator of ours"
        for key, value in inner.items():
            namespaces = {"aws", *(action.partition(":")[0] for action in actions)}
            if key.partition(":")[0] not in namespaces:
                yield f"{key} is no key of {actions}"
            services = [text.endswith(".amazonaws.com") for text in texts(value)]
            if key in UNDER.values() and not all(services):
                yield f"{value} are no services"
            if any(text in {"", "*"} for text in texts(value)):
                yield f"{key} holds for anything"


def _resources(
    actions: list[str], kinds: list[list[str]], resources: list[str], conditions: Json
) -> Iterator[str]:
    if resources == ["*"]:
        for action, known in zip(actions, kinds, strict=True):
            key = BY_CONDITION.get(action)
            if known and not any(key in inner for inner in conditions.values()):
                yield f"{action} can name its resource"
        return
    for action, known in zip(actions, kinds, strict=True):
        own = all(UNLISTED.fullmatch(arn) for arn in resources)
        if not own and not any(meet(arn, each) for arn in resources for each in known):
            yield f"{action} acts on nothing of {resources}"
    for arn in resources:
        if ":::/" in arn:
            yield f"{arn} names no bucket"
        listed = any(meet(arn, each) for known in kinds for each in known)
        if not listed and not UNLISTED.fullmatch(arn):
            yield f"nothing of {actions} acts on {arn}"


@cache
def _reference() -> Json:
    text = files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text()
    found: Json = json.loads(text)
    return found


@cache
def formats(action: str) -> list[str] | None:
    """Return the ARNs that an action acts on, with `*` for what varies; None if it is no action."""
    service, _, name = action.partition(":")
    known = _reference().get(service, {})
    found = known.get("Actions", {}).get(name.lower())
    if found is None:
        return None
    arns = [
        arn
        for kind in found.get("Resources", [])
        for arn in known["Resources"].get(kind.lower(), {}).get("ARNFormats", [])
    ]
    return [re.sub(r"\$\{\w+\}|\.\*", "*", arn) for arn in arns]


@cache
def meet(one: str, other: str) -> bool:
    """Whether some text matches two patterns in which `*` stands for any text."""
    row = [True] + [False] * len(other)
    for j, letter in enumerate(other):
        row[j + 1] = row[j] and letter == "*"
    for letter in one:
        above, row = row, [row[0] and letter == "*"]
        for j, it in enumerate(other):
            if "*" in (letter, it):
                row.append(above[j + 1] or row[j] or above[j])
            else:
                row.append(above[j] and letter == it)
    return row[-1]
