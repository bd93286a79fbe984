"""A function's resource policy: which service may invoke it."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from boostline.local.services.lambda_.errors import invalid, refuse_others

KNOWN = {"FunctionName", "Qualifier", "StatementId", "Action", "Principal", "SourceArn"}
INVOKE = "lambda:InvokeFunction"


def statement(arn: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy statement that an AddPermission request makes for a function's ARN."""
    refuse_others(request, KNOWN)
    if request["Action"] != INVOKE or not request["Principal"].endswith(".amazonaws.com"):
        raise invalid(
            f"the local platform lets services have {INVOKE}: give Action and Principal so"
        )
    source = {"ArnLike": {"AWS:SourceArn": request["SourceArn"]}} if "SourceArn" in request else {}
    return {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": {"Service": request["Principal"]},
        "Action": INVOKE,
        "Resource": arn,
        **({"Condition": source} if source else {}),
    }


def allows(one: Mapping[str, Any], service: str, source: str) -> bool:
    """Whether a statement lets a service invoke the function on behalf of a source ARN."""
    pattern = one.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", source)
    return one["Principal"] == {"Service": service} and _arn_like(source, pattern)


def _arn_like(arn: str, pattern: str) -> bool:
    """Compare as IAM's `ArnLike`: each of the six parts by `*` and `?`."""
    parts, patterns = arn.split(":", 5), pattern.replace("[", "[[]").split(":", 5)
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))
