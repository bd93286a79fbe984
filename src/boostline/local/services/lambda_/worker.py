"""One process that runs a function, one invocation at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import shutil
import signal
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from boostline.local.services.lambda_.logs import LogStream
from boostline.local.services.lambda_.runtime import Launch
from boostline.local.services.lambda_.runtime_api import Invocation, Reply, RuntimeApi

MAX_LINE = 262_144  # bytes of one log event
READS = 32  # of 64 KiB before others get their turn


class Outcome(NamedTuple):
    """The end of an invocation: `error` is what `X-Amz-Function-Error` says."""

    payload: bytes
    error: str | None
    log: bytes


class Worker:
    """A process group with a Runtime API and a log stream of its own."""

    def __init__(self, launch: Launch, log: LogStream) -> None:
        self._launch = launch
        self._log = log
        self._api = RuntimeApi()
        self._partial = b""
        self._scratch = Path(tempfile.mkdtemp(dir=launch.scratch()))
        self._process: asyncio.subprocess.Process
        self._output: int
        self._ended: asyncio.Task[int]
        self._init_seconds: float | None = None

    @classmethod
    async def start(cls, launch: Launch, log: LogStream) -> Worker:
        """Start the process; it is not ready yet."""
        worker = cls(launch, log)
        environment = launch.environment(await worker._api.open(), log.name, worker._scratch)
        worker._output, output = os.pipe()
        os.set_blocking(worker._output, False)
        log.write(f"INIT_START Runtime Version: {environment['AWS_EXECUTION_ENV']}")
        try:
            worker._process = await asyncio.create_subprocess_exec(
                *launch.command(),
                env=environment,
                cwd=launch.code,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(output)
        asyncio.get_running_loop().add_reader(worker._output, worker._readable)
        worker._ended = asyncio.create_task(worker._process.wait())
        return worker

    async def initialise(self, invocation: Invocation, limit: float) -> Reply | None:
        """Wait until the process asks for its first event; return why it never will.

        Raises
        ------
        TimeoutError
            If neither happens in `limit` seconds.
        """
        started = time.perf_counter()
        idle = await self._idle_or(self._api.init_error, limit)
        self._drain()
        self._init_seconds = time.perf_counter() - started
        if idle:
            return None
        if self._api.init_error.done():
            return Reply(self._api.init_error.result(), failed=True)
        if self._ended.done():
            return self._exit(invocation)
        self._log.write(
            f"INIT_REPORT Init Duration: {limit * 1000:.2f} ms\tPhase: init\tStatus: timeout"
        )
        raise TimeoutError

    async def idle(self, limit: float) -> bool:
        """Wait until the process asks for its next event; False if it ends or takes longer."""
        return await self._idle_or(None, limit)

    async def run(self, invocation: Invocation) -> Outcome:
        """Let the idle process handle an event."""
        self._begin(invocation)
        started = time.perf_counter()
        reply = self._api.hand_out(invocation)
        await self._first(reply, limit=self._launch.timeout)
        # The worker flushes its output before it answers: what it wrote is in the pipe by now.
        self._drain()
        if reply.done():
            end = reply.result()
        else:
            end = self._exit(invocation) if self._ended.done() else self._timeout(invocation)
        return self._finish(invocation, end, time.perf_counter() - started)

    def refuse(self, invocation: Invocation, problem: Reply | None) -> Outcome:
        """End an invocation that never reached the process; None means that time was over."""
        self._begin(invocation)
        return self._finish(invocation, problem or self._timeout(invocation), 0.0)

    async def stop(self) -> None:
        """End the process group, and wait for it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._ended
        self._drain()
        self._end_line()
        asyncio.get_running_loop().remove_reader(self._output)
        os.close(self._output)
        self._api.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    async def _idle_or(self, other: asyncio.Future[bytes] | None, limit: float) -> bool:
        if not self._api.idle.is_set():
            idle = asyncio.create_task(self._api.idle.wait())
            await self._first(idle, *([other] if other else []), limit=limit)
            idle.cancel()
        return self._api.idle.is_set() and not self._ended.done()

    async def _first(self, *awaited: asyncio.Future[Any], limit: float) -> None:
        """Wait for one of several, the process's end among them, or until time is over."""
        await asyncio.wait(
            {*awaited, self._ended}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
        )

    def _begin(self, invocation: Invocation) -> None:
        self._log.begin()
        self._log.write(f"START RequestId: {invocation.request_id} Version: $LATEST")

    def _finish(self, invocation: Invocation, end: Reply, seconds: float) -> Outcome:
        self._end_line()
        request_id = invocation.request_id
        milliseconds = seconds * 1000
        report = {
            "REPORT RequestId": request_id,
            "Duration": f"{milliseconds:.2f} ms",
            "Billed Duration": f"{math.ceil(milliseconds)} ms",
            "Memory Size": f"{self._launch.configuration['MemorySize']} MB",
            "Max Memory Used": _peak_memory(self._process.pid),
        }
        if self._init_seconds is not None:
            report["Init Duration"] = f"{self._init_seconds * 1000:.2f} ms"
            self._init_seconds = None
        line = "\t".join(f"{name}: {value}" for name, value in report.items() if value)
        self._log.write(f"END RequestId: {request_id}", line)
        return Outcome(end.payload, "Unhandled" if end.failed else None, self._log.tail())

    def _exit(self, invocation: Invocation) -> Reply:
        code = self._ended.result()
        if code == 0:
            words = "Runtime exited without providing a reason"
        elif code > 0:
            words = f"Runtime exited with error: exit status {code}"
        else:
            words = f"Runtime exited with error: signal: {str(signal.strsignal(-code)).lower()}"
        message = f"RequestId: {invocation.request_id} Error: {words}"
        self._log.write(message)
        return _error(errorType="Runtime.ExitError", errorMessage=message)

    def _timeout(self, invocation: Invocation) -> Reply:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = (
            f"{now} {invocation.request_id} Task timed out after {self._launch.timeout:.2f} seconds"
        )
        self._log.write(message)
        return _error(errorMessage=message)

    def _readable(self) -> None:
        self._drain()
        if self._log.crowded:
            # A function that writes faster than the disk waits, as its pipe fills.
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._output)
            loop.call_later(0.05, self._read_again)

    def _read_again(self) -> None:
        if not self._ended.done():
            asyncio.get_running_loop().add_reader(self._output, self._readable)

    def _drain(self) -> None:
        for _ in range(READS):
            try:
                data = os.read(self._output, 65536)
            except BlockingIOError:
                return
            if not data:
                asyncio.get_running_loop().remove_reader(self._output)
                return
            *lines, self._partial = (self._partial + data).split(b"\n")
            if len(self._partial) > MAX_LINE:
                lines, self._partial = [*lines, self._partial], b""
            self._log.write(*(line.decode(errors="replace") for line in lines))

    def _end_line(self) -> None:
        if self._partial:
            self._log.write(self._partial.decode(errors="replace"))
            self._partial = b""


def _error(**document: str) -> Reply:
    return Reply(json.dumps(document).encode(), failed=True)


def _peak_memory(pid: int) -> str | None:
    """Return the most memory that a process had, where the system tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    peak = next((line.split()[1] for line in status.splitlines() if line[:6] == "VmHWM:"), None)
    return f"{math.ceil(int(peak) / 1024)} MB" if peak else None
