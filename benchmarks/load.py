"""Puts load on a server with wrk, and reads what it costs from /proc."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 64
_TICK = 1 / os.sysconf("SC_CLK_TCK")
# Requests a second are what wrk counts itself; of its times it keeps microseconds.
_SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
wrk.headers["Content-Type"], wrk.headers["Accept"] = "{kind}", "application/json"
local pause = {pause}
if pause > 0 then
  function delay() return -math.log(1 - math.random()) * pause end
end
function done(summary, latency)
  local errors, failed = summary.errors, 0
  for _, name in ipairs({{"connect", "read", "write", "status", "timeout"}}) do
    failed = failed + errors[name]
  end
  print("result", summary.requests, summary.duration, failed,
        latency:percentile(50), latency:percentile(99))
end
"""


class Load(NamedTuple):
    """What came of a load.

    Attributes
    ----------
    rate
        Requests a second.
    cpu
        Microseconds of the server's CPU a request.
    p50, p99
        Microseconds until the answer.
    """

    rate: float
    cpu: float
    p50: float
    p99: float


def put_load(pid: int, port: int, body: Path, kind: str, seconds: int, rate: float = 0) -> Load:
    """Send requests from 64 connections.

    Parameters
    ----------
    pid, port
        The server: its first process, whose children count with it.
    body, kind
        What is sent, and its media type.
    seconds
        For how long; wrk takes whole ones.
    rate
        Requests a second, at random times; 0 for as many as are answered.

    Returns
    -------
    Load
        What was measured.

    Raises
    ------
    RuntimeError
        wrk is not installed, or an answer was none that is good.
    """
    pause = 1000 * CONNECTIONS / rate if rate else 0
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(body=body, kind=kind, pause=pause))
        script.flush()
        before = cpu_seconds(pid)
        output = _wrk(script.name, f"http://127.0.0.1:{port}/invocations", seconds)
        spent = cpu_seconds(pid) - before
    found = output.partition("result")[2].split()
    requests, duration, failed, p50, p99 = map(float, found)
    if failed or not requests:
        raise RuntimeError(f"{failed:g} of {requests:g} requests failed: {output}")
    return Load(requests / duration * 1e6, spent / requests * 1e6, p50, p99)


def _wrk(script: str, address: str, seconds: int) -> str:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", script]
    try:
        return subprocess.check_output([*command, address], text=True)
    except FileNotFoundError:
        raise RuntimeError("wrk is not there: apt-get install wrk") from None


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its descendants have taken."""
    return sum(sum(map(int, _stat(each)[11:13])) for each in family(pid)) * _TICK


def memory_mib(pid: int, name: str = "VmRSS") -> float:
    """Return what a process has in memory, or, as ``VmHWM``, had at most."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(text.partition(f"{name}:")[2].split()[0]) / 1024


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    parents = {int(path.name): int(_stat(path.name)[1]) for path in _processes()}

    def below(one: int) -> Iterator[int]:
        yield one
        for child in [child for child, parent in parents.items() if parent == one]:
            yield from below(child)

    return list(below(pid))


def _processes() -> list[Path]:
    return [path for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _stat(pid: int | str) -> list[str]:
    """Return the fields after a process's name; of one that has ended, zeros."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["0"] * 20
