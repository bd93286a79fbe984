"""A function's resource policy: who may invoke it."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any


def statement(arn: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy statement that an AddPermission request makes for a function's ARN."""
    principal = request["Principal"]
    kind = "Service" if principal.endswith(".amazonaws.com") else "AWS"
    condition: dict[str, Any] = {}
    if "SourceArn" in request:
        condition["ArnLike"] = {"AWS:SourceArn": request["SourceArn"]}
    if "SourceAccount" in request:
        condition["StringEquals"] = {"AWS:SourceAccount": request["SourceAccount"]}
    return {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {kind: principal},
        "Action": request["Action"],
        "Resource": arn,
        **({"Condition": condition} if condition else {}),
    }


def allows(one: Mapping[str, Any], service: str, source: str) -> bool:
    """Whether a statement lets a service invoke the function on behalf of a source ARN."""
    condition = one.get("Condition", {})
    arn = condition.get("ArnLike", {}).get("AWS:SourceArn", source)
    account = condition.get("StringEquals", {}).get("AWS:SourceAccount")
    return (
        one["Action"] in {"lambda:InvokeFunction", "lambda:*", "*"}
        and one["Principal"] in ("*", {"Service": service})
        and _arn_like(source, arn)
        and account in (None, source.split(":")[4])
    )


def _arn_like(arn: str, pattern: str) -> bool:
    """Compare as IAM's `ArnLike`: each of the six parts by `*` and `?`."""
    parts, patterns = arn.split(":", 5), pattern.replace("[", "[[]").split(":", 5)
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))
