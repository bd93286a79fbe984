"""Invocations on their way to the workers of their function."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from concurrent.futures import Future
from weakref import WeakSet

from boostline.local.platform import Platform
from boostline.local.services.lambda_.functions import Document, Functions
from boostline.local.services.lambda_.logs import LogWriter
from boostline.local.services.lambda_.loop import LoopThread
from boostline.local.services.lambda_.pool import Pool
from boostline.local.services.lambda_.runtime import Launch
from boostline.local.services.lambda_.runtime_api import Invocation
from boostline.local.services.lambda_.worker import Outcome
from boostline.local.wire.errors import AwsError

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
SYNCHRONOUS = 6_291_456
ASYNCHRONOUS = 1_048_576
CONCURRENCY = 1_000
RETRY_AFTER = (60.0, 120.0)  # seconds before an asynchronous invocation is tried again


class Invoker:
    """Keeps a pool of workers for each function, in a thread of its own."""

    def __init__(self, platform: Platform, functions: Functions) -> None:
        self._platform = platform
        self._functions = functions
        self._writer = LogWriter(platform.logs)
        self._pools: dict[str, tuple[str, Pool]] = {}
        self._every_pool: WeakSet[Pool] = WeakSet()  # with those whose last invocations still run
        self._thread: LoopThread | None = None
        self._running = 0

    def close(self) -> None:
        """End all workers."""
        if self._thread is not None:
            self._thread.submit(self._close()).result()
            self._thread.close()
            self._thread = None

    def retire(self, name: str) -> None:
        """End a function's workers, each once it has nothing to do, and store their lines."""
        if self._thread is not None:
            self._thread.submit(self._retire(name)).result()

    def start(self, document: Document, invocation: Invocation) -> None:
        """Run an invocation for nobody, again after a while if it fails."""
        self._loop().submit(self._run_in_background(document, invocation))

    async def run(self, document: Document, invocation: Invocation) -> Outcome:
        """Run an invocation to its end, even if the caller goes away.

        Raises
        ------
        AwsError
            If too many run already.
        """
        if self._running >= CONCURRENCY:
            raise AwsError(
                "TooManyRequestsException",
                "Rate Exceeded.",
                429,
                Reason="ConcurrentInvocationLimitExceeded",
                Type="User",
            )
        running: Future[Outcome] = self._loop().submit(self._run(document, invocation))
        # A caller that goes away does not end the function, as on AWS.
        return await asyncio.shield(asyncio.wrap_future(running))

    async def _run(self, document: Document, invocation: Invocation) -> Outcome:
        self._running += 1
        try:
            pool = await self._pool(document)
            return await pool.invoke(invocation)
        finally:
            self._running -= 1

    async def _pool(self, document: Document) -> Pool:
        """Return the workers of a function's present state; those of another are retired."""
        name = document["Configuration"]["FunctionName"]
        revision = document["Configuration"]["RevisionId"]
        known = self._pools.get(name)
        if known is not None and known[0] == revision:
            return known[1]
        code = await asyncio.to_thread(self._functions.code, document)
        known = self._pools.get(name)
        if known is not None and known[0] == revision:  # another invocation was quicker
            return known[1]
        pool = Pool(Launch(self._platform, document["Configuration"], code), self._writer)
        self._pools[name] = (revision, pool)
        self._every_pool.add(pool)
        if known is not None:
            await known[1].retire()
        return pool

    async def _run_in_background(self, document: Document, invocation: Invocation) -> None:
        for wait in (*RETRY_AFTER, None):
            outcome = await self._run(document, invocation)
            if outcome.error is None or wait is None:
                return
            await asyncio.sleep(wait)

    async def _retire(self, name: str) -> None:
        known = self._pools.pop(name, None)
        if known is not None:
            await known[1].retire()
        await self._writer.flush()

    async def _close(self) -> None:
        await asyncio.gather(*(pool.close() for pool in list(self._every_pool)))
        await self._writer.flush()

    def _loop(self) -> LoopThread:
        if self._thread is None:
            self._thread = LoopThread("functions")
        return self._thread


def check_payload(payload: bytes, kind: str) -> None:
    """Refuse an event that is too large for its kind of invocation, or no JSON."""
    limit = ASYNCHRONOUS if kind == "Event" else SYNCHRONOUS
    if len(payload) > limit:
        raise AwsError(
            "RequestEntityTooLargeException",
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
            413,
        )
    try:
        json.loads(payload)
    except ValueError as error:
        raise AwsError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
            400,
            Type="User",
        ) from None


def _client_context(encoded: str) -> str:
    """Return the client's context as JSON in ASCII, fit for a header."""
    try:
        return json.dumps(json.loads(base64.b64decode(encoded)))
    except ValueError:
        message = "Client context must be a valid Base64-encoded JSON object."
        raise AwsError("InvalidRequestContentException", message, 400, Type="User") from None


def new_invocation(
    document: Document, payload: bytes, context: str | None = None, trace: str = ""
) -> Invocation:
    """Return an invocation of a function that begins now; `context` as the header has it."""
    configuration = document["Configuration"]
    root = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0"
    return Invocation(
        request_id=str(uuid.uuid4()),
        payload=payload,
        arn=configuration["FunctionArn"],
        deadline=int((time.time() + configuration["Timeout"]) * 1000),
        trace=trace or root,
        client_context=_client_context(context) if context else None,
    )
