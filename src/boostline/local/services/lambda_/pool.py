"""The workers of one function."""

from __future__ import annotations

import asyncio
import os

from boostline.local.services.lambda_.runtime import Launch
from boostline.local.services.lambda_.worker import Outcome, Worker

MOST_WORKERS = max(4, 2 * (os.cpu_count() or 1))


class Pool:
    """Hands invocations to warm workers, starts more up to a limit, then lets them queue.

    A pool belongs to one state of a function: another code or configuration gets another pool.
    """

    def __init__(self, launch: Launch) -> None:
        self.revision: str = launch.configuration["RevisionId"]
        self._launch = launch
        self._places = asyncio.Semaphore(MOST_WORKERS)
        self._warm: list[Worker] = []
        self._retired = False

    async def run(self, payload: bytes, trace: str) -> Outcome:
        """Run an invocation to its end; cancelled, it ends the worker."""
        async with self._places:
            worker = await self._worker()
            keep = False
            try:
                outcome = await worker.run(payload, trace)
                keep = worker.fit and not self._retired
            finally:
                if keep:
                    self._warm.append(worker)
                else:
                    await worker.stop()
            return outcome

    async def retire(self) -> None:
        """End idle workers now, and each busy one after its invocation."""
        self._retired = True
        warm, self._warm = self._warm, []
        await asyncio.gather(*(worker.stop() for worker in warm))

    async def _worker(self) -> Worker:
        while self._warm:
            worker = self._warm.pop()
            if await worker.ready():
                return worker
            await worker.stop()
        return Worker(self._launch)
