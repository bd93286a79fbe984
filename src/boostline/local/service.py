"""What a service of the platform is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore import xform_name

if TYPE_CHECKING:
    from boostline.local.platform import Platform


class Service:
    """Base of the services: one public method an operation, no HTTP.

    A handler takes one argument, a dictionary of the members of the operation's input shape, all
    validated: blobs are bytes, times are epoch seconds, what the caller left out is not there. It
    returns a dictionary of those of its output shape, or None: what the shape does not know is
    left out of the answer, and times may be epoch seconds or datetimes. A listing is returned
    whole: `wire/pages.py` cuts it. The handler raises `AwsError` to refuse. An HTTP status other
    than the model's goes in `ResponseMetadata.HTTPStatusCode`, as boto3 shows it. A streaming blob
    (S3's bodies) arrives as a stored `Blob`; a blob may be returned as bytes or as a `FileRange`.

    A handler may be a plain function (it runs in a thread) or `async` (it runs in the event loop).
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def handler(self, operation: str) -> Callable[[dict[str, Any]], Any]:
        """Return what answers an operation: the method of its name."""
        found: Callable[[dict[str, Any]], Any] = getattr(self, xform_name(operation))
        return found

    def start(self) -> None:
        """Take up what an earlier run of the platform left unfinished."""

    def stop(self) -> None:
        """End processes and threads; called once, at shutdown."""
