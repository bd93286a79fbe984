"""Requests as they lie on the wire, for what boto3 would not send."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import RunningPlatform


class Reply(NamedTuple):
    """An answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def sign(
    platform: RunningPlatform,
    service: str,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    payload: str | None = None,
) -> dict[str, str]:
    """Return the headers of a signed request; `payload` is what S3 is told of the body."""
    kept = platform.platform.credentials
    request = AWSRequest(method, platform.endpoint + path, dict(headers or {}), body)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    credentials = Credentials(kept.access_key, kept.secret_key)
    made = signer(credentials, service, platform.settings.region)
    if payload is not None:
        made.payload = lambda _: payload
    made.add_auth(request)
    return {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in request.headers.items()
    }


def send(
    platform: RunningPlatform,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send a request as it is, and return the answer."""
    connection = http.client.HTTPConnection(urlsplit(platform.endpoint).netloc, timeout=60)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, names, response.read())
    finally:
        connection.close()
