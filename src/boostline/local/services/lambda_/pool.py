"""The workers of one function."""

from __future__ import annotations

import asyncio
import os

from boostline.local.services.lambda_.logs import LogStream, LogWriter
from boostline.local.services.lambda_.runtime import Launch
from boostline.local.services.lambda_.runtime_api import Invocation
from boostline.local.services.lambda_.worker import Outcome, Worker
from boostline.local.wire.errors import AwsError

INIT_SECONDS = 10.0
RETURN_SECONDS = 0.02
MOST_WORKERS = max(4, 2 * (os.cpu_count() or 1))


class Pool:
    """Hands invocations to warm workers, starts more up to a limit, then lets them queue.

    A pool belongs to one state of a function: another code or configuration gets another pool.
    """

    def __init__(self, launch: Launch, writer: LogWriter) -> None:
        self._launch = launch
        self._writer = writer
        self._places = asyncio.Semaphore(MOST_WORKERS)
        self._warm: list[Worker] = []
        self._all: set[Worker] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._retired = False
        self._closed = False

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run an invocation to its end."""
        await self._places.acquire()
        worker = None
        try:
            worker, refusal = await self._worker(invocation)
            return refusal or await worker.run(invocation)
        finally:
            # The answer does not wait until the worker is ready again, or gone.
            task = asyncio.create_task(self._take_back(worker))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def retire(self) -> None:
        """End idle workers now, and each busy one after its invocation."""
        self._retired = True
        warm, self._warm = self._warm, []
        await asyncio.gather(*(self._end(worker) for worker in warm))

    async def close(self) -> None:
        """End all workers, busy or not; what still waits for one is refused."""
        self._retired = self._closed = True
        await asyncio.gather(*(self._end(worker) for worker in list(self._all)))

    async def _worker(self, invocation: Invocation) -> tuple[Worker, Outcome | None]:
        if self._leaving and not self._warm:
            # A worker that has just answered is quicker to have than a new one.
            await asyncio.wait(
                self._leaving, timeout=RETURN_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        while self._warm:
            worker = self._warm.pop()
            if await worker.idle(0):
                return worker, None
            await self._end(worker)
        try:
            worker = await self._start()
            problem = await worker.initialise(invocation, INIT_SECONDS)
        except TimeoutError:
            # As on AWS: initialisation starts again, on the time of the invocation.
            await self._end(worker)
            worker = await self._start()
            try:
                problem = await worker.initialise(invocation, self._launch.timeout)
            except TimeoutError:
                return worker, worker.refuse(invocation, None)
        return worker, worker.refuse(invocation, problem) if problem else None

    async def _start(self) -> Worker:
        if self._closed:
            raise AwsError("ServiceException", "The platform is stopping.", 500)
        log = LogStream(self._writer, self._launch.group)
        worker = await Worker.start(self._launch, log)
        self._all.add(worker)
        return worker

    async def _take_back(self, worker: Worker | None) -> None:
        try:
            if worker is None:
                return
            if await worker.idle(1.0) and not self._retired:
                self._warm.append(worker)
            else:
                await self._end(worker)
        finally:
            self._places.release()

    async def _end(self, worker: Worker) -> None:
        if worker in self._all:
            self._all.discard(worker)
            await worker.stop()
