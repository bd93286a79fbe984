"""Lambda, put together: functions, and their invocations."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from boostline.local.names import trace_root
from boostline.local.platform import Platform
from boostline.local.services.lambda_ import permissions
from boostline.local.services.lambda_.errors import invalid, refusal, refuse_others, too_large
from boostline.local.services.lambda_.functions import Functions, name_of
from boostline.local.services.lambda_.runtime import Launch
from boostline.local.services.lambda_.worker import Outcome, Worker
from boostline.local.store.metrics import dimensions
from boostline.local.store.resources import Document
from boostline.local.wire.errors import AwsError

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LARGEST = {"RequestResponse": 6_291_456, "Event": 1_048_576}
CONCURRENCY = 1_000
MOST_WORKERS = max(4, 2 * (os.cpu_count() or 1))  # of a function: then invocations queue
INVOKE = {"FunctionName", "Qualifier", "InvocationType", "LogType", "Payload"}


@dataclass
class Pool:
    """The workers of one state of a function: idle ones, and places for those that run."""

    launch: Launch
    warm: list[Worker] = field(default_factory=list)
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_WORKERS))


class Lambda(Functions):
    """Functions from zip files, each worker an `awslambdaric` process of this Python.

    Workers live in the event loop that serves requests: Linux ends a child with the *thread* that
    started it, and that one lives as long as the platform. An asynchronous invocation is tried
    once, and the platform's end ends it.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self._pools: dict[str, Pool] = {}  # of the functions' present states
        self._running: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[Any]] = set()

    def stop(self) -> None:
        """End all workers."""
        self._in_loop(self._close())

    def delete_function(self, request: dict[str, Any]) -> Document:
        """Remove a function; what runs or waits is let to its end."""
        answer = super().delete_function(request)
        self._in_loop(self._retire(name_of(request["FunctionName"])))
        return answer

    async def invoke(self, request: dict[str, Any]) -> Document:
        """Run a function, or leave it to run (`Event`)."""
        refuse_others(request, INVOKE)
        document = self._function(request["FunctionName"], request.get("Qualifier"))
        kind = request.get("InvocationType", "RequestResponse")
        payload = request.get("Payload") or b"{}"
        _check(payload, kind)
        running = self._run(document, payload)
        if kind == "Event":
            return {"StatusCode": 202}
        outcome = await asyncio.shield(running)
        answer = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": outcome.payload}
        if outcome.failed:
            answer["FunctionError"] = "Unhandled"
        if request.get("LogType") == "Tail":
            answer["LogResult"] = base64.b64encode(outcome.log).decode()
        return answer

    async def invoke_for(
        self, service: str, source: str, function: str, payload: bytes, trace: str
    ) -> Outcome:
        """Run a function on behalf of another service, if the function's policy lets it.

        Parameters
        ----------
        service, source
            The caller, for example `apigateway.amazonaws.com`, and the ARN for which it calls.
        function, payload, trace
            The function's ARN, the event, and the X-Ray header to go on with.

        Raises
        ------
        AwsError
            If no statement of the policy matches, there is no such function, the event is too
            large, or too much runs already.
        """
        document = self._function(function)
        if not any(permissions.allows(one, service, source) for one in document["Policy"]):
            message = f"{service} may not invoke {function} for {source}"
            raise AwsError("AccessDeniedException", message, 403)
        _check(payload, "RequestResponse")
        return await asyncio.shield(self._run(document, payload, trace))

    def _run(self, document: Document, payload: bytes, trace: str = "") -> asyncio.Task[Outcome]:
        """Start an invocation; a caller that goes away does not end it, as on AWS."""
        name, kept = document["Configuration"]["FunctionName"], document.get("Concurrency", {})
        reserved = kept.get("ReservedConcurrentExecutions", CONCURRENCY)
        if self._running[name] >= reserved or self._running.total() >= CONCURRENCY:
            self._measure(name, Throttles=1)
            whose = "ReservedFunction" if kept else ""
            reason = f"{whose}ConcurrentInvocationLimitExceeded"
            raise refusal("TooManyRequestsException", "Rate Exceeded.", Reason=reason)
        self._running[name] += 1
        trace = trace or f"{trace_root()};Sampled=0"
        return self._task(self._counted(self._pool(document), payload, trace))

    def _pool(self, document: Document) -> Pool:
        """Return the pool of a function's state; that of an earlier one gets nothing more to do."""
        configuration = document["Configuration"]
        launch = Launch(self.platform, configuration, self._code_folder(configuration))
        found = self._pools.get(launch.name)
        if found is not None and found.launch == launch:
            return found
        made = self._pools[launch.name] = Pool(launch)
        if found is not None:
            made.warm, found.warm = found.warm, []  # the next invocation stops them
        return made

    async def _counted(self, pool: Pool, payload: bytes, trace: str) -> Outcome:
        name = pool.launch.name
        try:
            async with pool.places:
                outcome = await self._work(pool, payload, trace)
        finally:
            self._running[name] -= 1
        milliseconds = 1000 * outcome.seconds
        self._measure(name, Invocations=1, Errors=outcome.failed, Duration=milliseconds)
        return outcome

    async def _work(self, pool: Pool, payload: bytes, trace: str) -> Outcome:
        """Run an invocation on a warm worker of the state that it came in with, or a new one."""
        while pool.warm:
            worker = pool.warm.pop()
            if worker.launch == pool.launch and await worker.ready():
                break
            await worker.stop()
        else:
            worker = Worker(pool.launch)
        try:
            return await worker.run(payload, trace)
        finally:
            if worker.fit and self._pools.get(pool.launch.name) is pool:  # no change came meanwhile
                pool.warm.append(worker)
            else:
                await worker.stop()

    def _measure(self, name: str, **values: float) -> None:
        named = dimensions(FunctionName=name)
        counted = tuple((name, value, 1) for name, value in values.items())
        self.platform.metrics.record("AWS/Lambda", (named,), counted)

    def _task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _in_loop(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait, in a thread, for work in the event loop of the workers."""
        if self.platform.loop is None:
            work.close()  # there are none
        else:
            asyncio.run_coroutine_threadsafe(work, self.platform.loop).result()

    async def _retire(self, name: str) -> None:
        pool = self._pools.pop(name, None)
        if pool is not None:
            idle, pool.warm = pool.warm, []  # those that wait start workers of their own
            await asyncio.gather(*(worker.stop() for worker in idle))

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*map(self._retire, list(self._pools)))


def _check(payload: bytes, kind: str) -> None:
    """Refuse an event that is too large for its kind of invocation, or no JSON."""
    limit = LARGEST.get(kind)
    if limit is None:
        raise invalid(f"the local platform has {', '.join(LARGEST)}, not InvocationType {kind}")
    if len(payload) > limit:
        raise too_large(
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        )
    try:
        json.loads(payload)
    except (ValueError, RecursionError) as error:
        message = f"Could not parse request body into json: {error}"
        raise refusal("InvalidRequestContentException", message) from None
