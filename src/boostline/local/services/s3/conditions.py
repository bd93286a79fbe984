"""The conditions of a request on an object, and the range of it that is asked for.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from __future__ import annotations

import re
from typing import Any

from boostline.local.services.s3.errors import no_such_key, precondition_failed
from boostline.local.store.objects import Object
from boostline.local.wire.errors import AwsError

_RANGE = re.compile(r"bytes=(\d{0,99})-(\d{0,99})")


def check_read(request: dict[str, Any], found: Object) -> None:
    """Raise `AwsError` if a condition of a read does not hold: 304 or 412.

    If-Match counts more than If-Unmodified-Since, and If-None-Match more than If-Modified-Since.
    """
    modified = int(found.modified)  # headers know whole seconds only
    if "IfMatch" in request:
        if not _matches(request["IfMatch"], found):
            raise precondition_failed("If-Match")
    elif modified > request.get("IfUnmodifiedSince", modified):
        raise precondition_failed("If-Unmodified-Since")
    if "IfNoneMatch" in request:
        unchanged = _matches(request["IfNoneMatch"], found)
    else:
        unchanged = modified <= request.get("IfModifiedSince", modified - 1)
    if unchanged:
        raise AwsError("NotModified", "Not Modified", 304)


def check_source(request: dict[str, Any], found: Object) -> None:
    """Raise `AwsError` if a condition on the source of a copy does not hold."""
    source = "CopySource"
    names = [name for name in request if name.startswith(f"{source}If")]
    try:
        check_read({name.removeprefix(source): request[name] for name in names}, found)
    except AwsError as error:
        raise precondition_failed(error.members.get("Condition", "If-None-Match")) from None


def check_write(request: dict[str, Any], found: Object | None) -> None:
    """Raise `AwsError` if a condition of a write does not hold."""
    there = found if found is not None and found.digest else None
    if request.get("IfNoneMatch", "*") != "*":
        message = "If-None-Match of a write must be *: any object at the key"
        raise AwsError("NotImplemented", message, 501)
    if "IfNoneMatch" in request and there is not None:
        raise precondition_failed("If-None-Match")
    if "IfMatch" in request and there is None:
        raise no_such_key(request["Key"])
    if "IfMatch" in request and not _matches(request["IfMatch"], there):
        raise precondition_failed("If-Match")


def byte_range(header: str | None, size: int) -> range | None:
    """Return the bytes that a Range header means; None, if it is none that S3 understands.

    Raises
    ------
    AwsError
        `InvalidRange` (416) if no byte of the content is in it.
    """
    found = _RANGE.fullmatch(header.strip()) if header is not None else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        part = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        part = range(int(first), min(size, int(last) + 1) if last else size)
    if not part:
        message = "The requested range is not satisfiable"
        raise AwsError("InvalidRange", message, 416, RangeRequested=header, ActualObjectSize=size)
    return part


def _matches(condition: str, found: Object | None) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in condition.split(",")}
    return found is not None and ("*" in tags or found.etag in tags)
