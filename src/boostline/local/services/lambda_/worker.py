"""One process that runs a function, one invocation at a time, and the Runtime API that it asks.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import re
import shutil
import signal
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

from boostline.local.services.lambda_.output import TAIL, Output
from boostline.local.services.lambda_.runtime import Launch

API = "/2018-06-01/runtime/"
INIT_SECONDS = 10.0
RETURN_SECONDS = 10.0  # from an answer to the request for the next event
LOOK_SECONDS = 0.1  # between two looks at the memory of a process that works
MAX_RESPONSE = 6_291_556  # 6 MB and 100 bytes: what the service's own message says
TOO_LARGE = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
_LENGTH = re.compile(r"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Outcome(NamedTuple):
    """The end of an invocation; `failed` says that the payload is an error document."""

    payload: bytes
    failed: bool
    log: bytes = b""
    seconds: float = 0.0


# What a process does: it answers, asks over a connection for its next event, ends with a code, or
# nothing of that in the time it has.
Sign: TypeAlias = Outcome | asyncio.StreamWriter | int | None


class Worker:
    """A process group with a Runtime API and a log stream of its own.

    The first invocation starts the process. After each, `fit` tells whether another one may
    follow, which has to await `ready`.
    """

    def __init__(self, launch: Launch) -> None:
        self.fit = False
        self.launch = launch
        self._timeout = float(launch.configuration["Timeout"])
        self._memory = int(launch.configuration["MemorySize"])
        self._peak = 0  # MB
        self._output = Output(launch.platform.logs, launch.group)
        self._scratch: Path
        self._server: asyncio.Server | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ended: asyncio.Task[int]
        self._signs: asyncio.Queue[Sign] = asyncio.Queue()
        self._last: Sign = None
        self._request_id = ""
        self._init_seconds: float | None = None

    async def ready(self) -> bool:
        """Wait until the process, which has answered, asks again; False if it does not."""
        self._last = await self._next_sign(RETURN_SECONDS)
        asks = isinstance(self._last, asyncio.StreamWriter) and not self._last.is_closing()
        return asks and self._process is not None and not _has_ended(self._process.pid)

    async def run(self, payload: bytes, trace: str) -> Outcome:
        """Run an invocation to its end."""
        sign = self._last if self._process else await self._start()
        self._request_id = str(uuid.uuid4())
        self._output.tail = ""
        self._output.write(f"START RequestId: {self._request_id} Version: $LATEST")
        started = time.perf_counter()
        self.fit = False
        if isinstance(sign, asyncio.StreamWriter):
            self._hand_out(sign, payload, trace)
            sign = await self._next_sign(self._timeout)
            if isinstance(sign, Outcome) and self._is_too_large():
                sign = await self._ended  # on AWS it had not lived to answer
            self.fit = isinstance(sign, Outcome)
        seconds = time.perf_counter() - started
        # The runtime flushes before it answers: what it wrote is in the pipe by now.
        self._output.end()
        outcome = sign if isinstance(sign, Outcome) else self._failure(sign)
        self._report(seconds)
        return outcome._replace(log=self._output.tail.encode()[-TAIL:], seconds=seconds)

    async def stop(self) -> None:
        """End the process group, wait for it, and store its last lines."""
        if self._process is not None:
            self._kill()
            await self._ended
        await self._output.close()
        if self._server is not None:
            self._server.close()
            shutil.rmtree(self._scratch, ignore_errors=True)

    async def _start(self) -> Sign:
        started = time.perf_counter()
        self._scratch = self.launch.scratch()
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        api = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        environment = await asyncio.to_thread(
            self.launch.environment, api, self._output.stream, self._scratch
        )
        self._output.write(f"INIT_START Runtime Version: {environment['AWS_EXECUTION_ENV']}")
        pipe = self._output.open()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.launch.command(),
                env=environment,
                cwd=self.launch.code,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                start_new_session=True,
            )
        finally:
            os.close(pipe)
        self._ended = asyncio.create_task(self._end(self._process))
        # AWS starts a process anew that takes more than 10 s, on the time of the invocation: what
        # becomes of the invocation is the same.
        sign = await self._next_sign(max(INIT_SECONDS, self._timeout))
        self._init_seconds = time.perf_counter() - started
        self._output.read()
        return sign

    async def _end(self, process: asyncio.subprocess.Process) -> int:
        code = await process.wait()
        self._signs.put_nowait(code)
        return code

    async def _next_sign(self, limit: float) -> Sign:
        end = time.perf_counter() + limit
        while (left := end - time.perf_counter()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    return await self._signs.get()
            self._is_too_large()
        return None

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._process is not None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _is_too_large(self) -> bool:
        """End a process that has had more memory than the function is given; tell if it had."""
        self._peak = max(self._peak, _peak_memory(self._process.pid) if self._process else 0)
        if self._peak > self._memory:
            self._kill()
        return self._peak > self._memory

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer awslambdaric, which sends one request after another, each with its length."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                method, path, _ = head.split(" ", 2)
                if (method, path) == ("GET", f"{API}invocation/next"):
                    self._signs.put_nowait(writer)
                    continue
                status, outcome = self._answered(path.removeprefix(API).split("/"), body)
                if outcome is not None:
                    self._signs.put_nowait(outcome)
                _send(writer, status, b"{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the process has ended, or goes on over another connection
        finally:
            writer.close()

    def _hand_out(self, writer: asyncio.StreamWriter, payload: bytes, trace: str) -> None:
        deadline = int((time.time() + self._timeout) * 1000)
        _send(
            writer,
            200,
            payload,
            f"Lambda-Runtime-Aws-Request-Id: {self._request_id}",
            f"Lambda-Runtime-Deadline-Ms: {deadline}",
            f"Lambda-Runtime-Invoked-Function-Arn: {self.launch.configuration['FunctionArn']}",
            f"Lambda-Runtime-Trace-Id: {trace}",
        )

    def _answered(self, resource: list[str], body: bytes) -> tuple[int, Outcome | None]:
        """Return the HTTP status for what the process posts, and what comes of it."""
        match resource:
            case ["init", "error"]:
                return 202, Outcome(body or b"{}", failed=True)
            case ["invocation", self._request_id, "response" | "error"] if len(body) > MAX_RESPONSE:
                return 413, _error(TOO_LARGE, errorType="Function.ResponseSizeTooLarge")
            case ["invocation", self._request_id, "response" | "error" as kind]:
                return 202, Outcome(body, failed=kind == "error")
        return 404, None

    def _failure(self, sign: Sign) -> Outcome:
        if sign is None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            kind, words = "Sandbox.Timedout", f"Task timed out after {self._timeout:.2f} seconds"
            self._output.write(f"{now} {self._request_id} {words}")
        else:
            kind = "Runtime.OutOfMemory" if self._peak > self._memory else "Runtime.ExitError"
            words = f"Runtime exited {_exit_words(sign if isinstance(sign, int) else 0)}"
            self._output.write(f"RequestId: {self._request_id} Error: {words}", kind)
        return _error(f"RequestId: {self._request_id} Error: {words}", errorType=kind)

    def _report(self, seconds: float) -> None:
        report = {
            "REPORT RequestId": self._request_id,
            "Duration": f"{seconds * 1000:.2f} ms",
            "Billed Duration": f"{math.ceil(seconds * 1000)} ms",
            "Memory Size": f"{self._memory} MB",
            "Max Memory Used": f"{min(self._peak, self._memory)} MB",
        }
        if self._init_seconds is not None:
            report["Init Duration"] = f"{self._init_seconds * 1000:.2f} ms"
            self._init_seconds = None
        line = "\t".join(f"{name}: {value}" for name, value in report.items())
        self._output.write(f"END RequestId: {self._request_id}", line)


def _send(writer: asyncio.StreamWriter, status: int, body: bytes, *headers: str) -> None:
    lines = [
        f"HTTP/1.1 {status} -",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def _error(message: str, **members: str) -> Outcome:
    return Outcome(json.dumps({"errorMessage": message, **members}).encode(), failed=True)


def _exit_words(code: int) -> str:
    if code == 0:
        return "without providing a reason"
    if code > 0:
        return f"with error: exit status {code}"
    return f"with error: signal: {str(signal.strsignal(-code)).lower()}"


def _has_ended(pid: int) -> bool:
    """Tell if a child has ended, of which its connection may tell later."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # and has been waited for
        return True


def _peak_memory(pid: int) -> int:
    """Return the most memory that a process had, in MB; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peak = re.search(r"VmHWM:\s+(\d+)", status)
    return math.ceil(int(peak[1]) / 1024) if peak else 0
