"""Lists in pages."""

from __future__ import annotations

from typing import Any, TypeVar

from boostline.local.wire.errors import AwsError

Item = TypeVar("Item")


def page(found: list[Item], request: dict[str, Any], limit: int, invalid: str) -> dict[str, Any]:
    """Return the page that a request's `NextToken` asks for: its `Items`, and the next token.

    Raises
    ------
    AwsError
        `invalid`, if the token is none of ours.
    """
    token = request.get("NextToken", "0")
    if not token.isdigit():
        raise AwsError(invalid, f"NextToken {token!r} is not one of an earlier answer")
    start = int(token)
    rest = {"NextToken": str(start + limit)} if start + limit < len(found) else {}
    return {"Items": found[start : start + limit], **rest}
