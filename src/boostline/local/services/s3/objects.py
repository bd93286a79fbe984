"""What all operations of S3 share: what they refuse, how they find objects and store them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from boostline.local.platform import Platform
from boostline.local.service import Service
from boostline.local.services.s3.conditions import check_source, check_write
from boostline.local.services.s3.errors import Members, check_supported, require
from boostline.local.store.blobs import Blob, FileRange
from boostline.local.store.objects import NO_VERSION, NoSuchBucket, Object
from boostline.local.wire.errors import AwsError


class ObjectService(Service):
    """The base of S3's operations."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._objects = platform.objects
        self._owner = {"ID": platform.settings.account}

    def handler(self, operation: str) -> Callable[[Members], Any]:
        """Return what answers an operation, with the refusals that are common to all."""
        return functools.partial(self._answer, operation, self._method(operation))

    def _method(self, operation: str) -> Callable[[Members], Any]:
        return super().handler(operation)

    def _answer(
        self, operation: str, method: Callable[[Members], Members], request: Members
    ) -> Members:
        check_supported(operation, request)
        account = self.platform.settings.account
        for name in ("ExpectedBucketOwner", "ExpectedSourceBucketOwner"):
            if request.get(name, account) != account:
                raise AwsError("AccessDenied", f"The bucket is not {request[name]}'s", 403)
        try:
            if "/" in request.get("Bucket", ""):
                raise NoSuchBucket(request["Bucket"])
            return method(request)
        except NoSuchBucket as error:
            message = "The specified bucket does not exist"
            raise AwsError("NoSuchBucket", message, 404, BucketName=str(error)) from None

    def _version(self, request: Members) -> Object:
        """Return the object, or the version of it, that a request names."""
        place = (request["Bucket"], request["Key"], request.get("VersionId"))
        return require(self._objects.find(*place), request)

    def _source(self, request: Members) -> Object:
        """Return what a copy is made of."""
        place, _, version = request["CopySource"].partition("?versionId=")
        bucket, _, key = unquote(place).lstrip("/").partition("/")
        named = {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version else {})
        source = self._version(named)
        check_source(request, source)
        return source

    def _store(
        self, request: Members, blob: Blob, headers: Members, etag: str | None = None
    ) -> Members:
        """Name a content, if the request's conditions hold; return what is known of it."""
        place = request["Bucket"], request["Key"]
        with self.platform.database.transaction():
            check_write(request, self._objects.find(*place))
            return members_of(self._objects.put(*place, blob, headers, etag))

    def _content(self, found: Blob | Object) -> FileRange:
        """Return the whole of a content."""
        return FileRange(self.platform.blobs.path(found.digest), 0, found.size)


def members_of(found: Object) -> Members:
    """Return what is known of an object, of which the shape of an answer takes what it knows."""
    return {
        **found.headers,
        "Key": found.key,
        "ETag": f'"{found.etag}"',
        "LastModified": found.modified,
        "VersionId": None if found.version == NO_VERSION else found.version,
    }
