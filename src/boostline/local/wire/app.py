"""The ASGI application: from a request on the socket to a handler, and back."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import errno
import hashlib
import inspect
import logging
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from boostline.contracts import strict
from boostline.contracts.models import Operation, service_model
from boostline.local.platform import Platform
from boostline.local.store.blobs import CHUNK, Blob
from boostline.local.wire.answer import failure, output
from boostline.local.wire.chunks import Chunks
from boostline.local.wire.errors import AwsError, invalid
from boostline.local.wire.head import Head
from boostline.local.wire.pages import cut
from boostline.local.wire.parse import parse
from boostline.local.wire.refusals import Refused, refusal
from boostline.local.wire.routing import protocol_of, route, service_of
from boostline.local.wire.shapes import malformed
from boostline.local.wire.signature import (
    CHUNKED_PAYLOAD,
    UNSIGNED_PAYLOAD,
    BadSignature,
    Signature,
    is_signed,
)

log = logging.getLogger(__name__)
Result = TypeVar("Result")
Stream = AsyncIterator[bytes]

# Where deployed REST APIs answer, to whoever has their own key: the unsigned way in.
DEPLOYED = "/restapis/"
# A service's calls share its threads: endpoints that take a minute keep nobody else waiting.
THREADS = 64
FILES = "files"  # reading and writing contents, as if it were a service
MB = 1 << 20
# The longest body of a service in bytes; what streams to a blob has no limit.
# Lambda: a zip of 50 MB in Base64 (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
LONGEST = {"sagemaker-runtime": 25 * MB, "lambda": 70 * MB}
LONGEST_ELSEWHERE = 6 * MB


class Api:
    """The platform's one port."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._pools: dict[str, ThreadPoolExecutor] = {}

    def close(self) -> None:
        """Let go of the threads; calls that still run in them are on their own."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        request, head = Request(scope, receive), Head.of(scope)
        if not self._is_ours(head):
            response: Response = JSONResponse({"message": "this Host is not served"}, 403)
        elif head.path.startswith(DEPLOYED) and not is_signed(head):
            response = await self._deployed(request)
        else:
            response = await _Call(self._platform, self.run, request, head).answer()
        await response(scope, receive, send)

    async def run(self, service: str, call: Callable[..., Result], *arguments: Any) -> Result:
        """Run something that may block in one of a service's threads."""
        if service not in self._pools:
            self._pools[service] = ThreadPoolExecutor(THREADS, thread_name_prefix=service)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pools[service], call, *arguments)

    def _is_ours(self, head: Head) -> bool:
        port = self._platform.port
        names = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        hosts = head.headers.getlist("host")
        return len(hosts) == 1 and hosts[0].lower() in names

    async def _deployed(self, request: Request) -> Response:
        gateway: Any = self._platform.service("apigateway")
        try:
            response: Response = await gateway.answer(request)
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            return JSONResponse({"message": "Internal server error"}, 500)
        return response


class _Call:
    """One AWS API request."""

    def __init__(
        self, platform: Platform, run: Callable[..., Any], request: Request, head: Head
    ) -> None:
        self._platform = platform
        self._run = run
        self._request = request
        self._head = head
        self._id = str(uuid.uuid4())
        self._service: str | None = None
        self._protocol = _guess(head)

    async def answer(self) -> Response:
        try:
            return await self._perform()
        except AwsError as error:
            refused = error
        except BadSignature as error:
            refused = refusal(error.reason, self._protocol, error.detail, **error.members)
        except ClientDisconnect:
            refused = AwsError("RequestTimeout", "The connection ended before the body.", 400)
        except Exception as error:
            log.exception("request %s: %s %s failed", self._id, self._head.method, self._head.path)
            code = "InternalError" if self._service == "s3" else "InternalFailure"
            why = "The disk is full" if _is_full(error) else "The call failed"
            refused = AwsError(code, f"{why}: see request {self._id}", 500)
        log.debug("%s %s %s", self._service, refused.code, refused.message)
        model = service_model(self._service) if self._service else None
        return failure(refused, model, self._protocol, self._id)

    async def _perform(self) -> Response:
        signature = Signature.of(self._head)
        self._service = service = service_of(signature.service, self._head)
        self._protocol = protocol_of(service)
        credentials = self._platform.credentials
        if signature.access_key != credentials.access_key:
            raise BadSignature(Refused.KEY)
        signature.check_scope(dt.datetime.now(dt.UTC), self._platform.settings.region)
        declared = signature.payload
        read = await self._read(self._request.stream()) if declared is None else b""
        digest = declared or hashlib.sha256(read).hexdigest()
        signature.check(self._head, credentials.secret_key, digest)
        operation, labels = route(service, self._head, read)
        body = await self._declared(operation, declared) if declared else read
        params = parse(operation, self._protocol, self._head, labels, body)
        return await self._handle(operation, params)

    async def _handle(self, operation: Operation, params: dict[str, Any]) -> Response:
        service = operation.service_model.service_name
        found = strict.problems(service, operation.name, params)
        if "json" in self._protocol and any(strict.TYPE in each for each in found):
            raise malformed(strict.message(found))
        if found:
            raise invalid(strict.message(found), service)
        handler = self._platform.service(service).handler(operation.name)
        if inspect.iscoroutinefunction(handler):
            members = await handler(params)
        else:
            members = await self._run(service, handler, params)
        log.debug("%s:%s %s", service, operation.name, self._id)
        page = cut(operation, params, members or {})
        return output(operation, self._protocol, page, self._id)

    async def _declared(self, operation: Operation, payload: str) -> bytes | Blob:
        """Return the body of a request that declares what it is, once it was found to be so."""
        shape = operation.input_shape
        name = shape.serialization.get("payload") if shape is not None else None
        streaming = name is not None and shape.members[name].serialization.get("streaming")
        take: Callable[..., Awaitable[bytes | Blob]] = self._store if streaming else self._read
        if payload != CHUNKED_PAYLOAD:
            return await take(self._request.stream(), payload)
        chunks = Chunks(self._request.stream())
        body = await take(chunks.content())
        self._head = self._head.unframed(chunks.trailers)
        size = body.size if isinstance(body, Blob) else len(body)
        if self._head.headers.get("x-amz-decoded-content-length", str(size)) != str(size):
            raise AwsError("IncompleteBody", "The body is not as long as its decoded length says.")
        return body

    async def _read(self, stream: Stream, payload: str = UNSIGNED_PAYLOAD) -> bytes:
        limit = LONGEST.get(self._service or "", LONGEST_ELSEWHERE)
        body = bytearray()
        async for chunk in stream:
            body += chunk
            if len(body) > limit:
                raise AwsError(
                    "RequestEntityTooLargeException", f"The body passes {limit} bytes.", 413
                )
        md5 = hashlib.md5(body, usedforsecurity=False)
        self._check_body(payload, hashlib.sha256(body).hexdigest(), md5.digest())
        return bytes(body)

    async def _store(self, stream: Stream, payload: str = UNSIGNED_PAYLOAD) -> Blob:
        """Store the body as it comes, in pieces large enough to be worth a thread."""
        with self._platform.blobs.writer() as writer:
            waiting = bytearray()
            async for chunk in stream:
                waiting += chunk
                if len(waiting) >= CHUNK:
                    await self._run(FILES, writer.write, bytes(waiting))
                    waiting.clear()
            await self._run(FILES, writer.write, bytes(waiting))
            self._check_body(payload, writer.blob.digest, bytes.fromhex(writer.blob.md5))
            blob: Blob = await self._run(FILES, writer.commit)
            return blob

    def _check_body(self, payload: str, sha256: str, md5: bytes) -> None:
        """Compare the digests of a body with those that the request declares."""
        if payload not in {UNSIGNED_PAYLOAD, sha256}:
            raise BadSignature(Refused.PAYLOAD)
        declared = self._head.headers.get("content-md5")
        if declared in {None, base64.b64encode(md5).decode()}:
            return
        with suppress(ValueError):
            if len(base64.b64decode(declared, validate=True)) == len(md5):
                raise AwsError("BadDigest", "The Content-MD5 is not that of the body.")
        raise AwsError("InvalidDigest", "The Content-MD5 is not 16 bytes in Base64.")


def _is_full(error: Exception) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode == sqlite3.SQLITE_FULL
    full = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return isinstance(error, OSError) and error.errno in full


def _guess(head: Head) -> str:
    """Return the protocol of a request that does not say for which service it is signed.

    What shows no other is taken for S3's, whose paths may be any.
    """
    if head.target:
        return "json"
    if head.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return "query"
    return "rest-xml"
