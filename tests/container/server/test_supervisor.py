"""The supervisor in a process of its own, with workers that do as the test says."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Each worker says its place and pid, so that the test has something to wait for.
PROGRAM = """
import os, signal, sys, time
from boostline.container.errors import ContainerError
from boostline.container.server.supervisor import Supervisor

started = time.monotonic()

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # as a whole, beside others

def work(place, alive, ready):
    {before}
    ready(f"by {{place}}")
    say("works", place, os.getpid())
    os.read(alive, 1)
    {after}
    say("drained", place)

try:
    Supervisor({workers}, work, lambda line: say("first", line), lambda: say("minute")).run()
except ContainerError as error:
    say("error", error)
    sys.exit(1)
say("ended")
"""


@contextmanager
def supervising(
    workers: int, before: str = "pass", after: str = "pass"
) -> "Iterator[subprocess.Popen[str]]":
    program = PROGRAM.format(workers=workers, before=before, after=after)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: "subprocess.Popen[str]", count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def workers_of(process: "subprocess.Popen[str]", count: int) -> dict[int, int]:
    """Read the pids of workers that say they work, by place."""
    pids: dict[int, int] = {}
    while len(pids) < count:
        (line,) = lines(process, 1)
        assert line, "the supervisor has ended"
        if line.startswith("works"):
            _, place, pid = line.split()
            pids[int(place)] = int(pid)
    return pids


def rest(process: "subprocess.Popen[str]") -> list[str]:
    output, _ = process.communicate(timeout=20)  # less than what is given to drain
    return output.splitlines()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_workers_drain_at_sigterm() -> None:
    with supervising(3) as process:
        pids = workers_of(process, 3)
        process.send_signal(signal.SIGTERM)
        found = rest(process)
        assert process.returncode == 0
        assert sorted(found) == ["drained 0", "drained 1", "drained 2", "ended", "minute"]
        assert found[-1] == "ended"
        assert all(gone(pid) for pid in pids.values())


def test_a_signal_to_all_of_a_group_drains_too() -> None:
    with supervising(2, after="time.sleep(0.2)") as process:
        for pid in workers_of(process, 2).values():
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert "ended" in rest(process)
        assert process.returncode == 0


def test_a_worker_that_dies_comes_back() -> None:
    with supervising(2) as process:
        pids = workers_of(process, 2)
        os.kill(pids[1], signal.SIGKILL)
        (place, pid), *_ = workers_of(process, 1).items()
        assert place == 1
        assert pid not in pids.values()
        process.send_signal(signal.SIGTERM)
        found = rest(process)
        assert found.count("drained 0") == found.count("drained 1") == 1


def test_a_worker_that_is_not_ready_has_nothing_to_drain() -> None:
    loading = "place and (say('loads'), time.sleep(60))"  # the first one is ready
    with supervising(2, before=loading) as process:
        begun = {line.split()[0] for line in lines(process, 3)}  # in any order
        assert begun == {"first", "works", "loads"}
        process.send_signal(signal.SIGTERM)
        assert rest(process) == ["drained 0", "minute", "ended"]
        assert process.returncode == 0


def test_sigterm_before_any_worker_is_ready() -> None:
    with supervising(2, before="say('loads'); time.sleep(60)") as process:
        assert lines(process, 1) == ["loads"]
        process.send_signal(signal.SIGTERM)
        assert rest(process) == ["minute", "ended"]
        assert process.returncode == 0


def test_the_end_of_the_supervisor_ends_its_workers() -> None:
    with supervising(2) as process:
        workers_of(process, 2)
        process.kill()
        # The pipe is at its end when the last of them has ended.
        assert {"drained 0", "drained 1"} <= set(rest(process))


def test_a_reason_why_no_worker_can_start() -> None:
    with supervising(3, before="raise ContainerError('the model is broken')") as process:
        assert rest(process) == ["minute", "error the model is broken"]
        assert process.returncode == 1


def test_a_worker_that_crashes_at_its_start() -> None:
    with supervising(2, before="os.kill(os.getpid(), signal.SIGSEGV)") as process:
        found = rest(process)
    assert found[-1] == "error a worker ended with signal 11 before it could serve"


def test_a_worker_that_cannot_be_brought_back(tmp_path: Path) -> None:
    needed = tmp_path / "needed"
    needed.touch()
    with supervising(2, before=f"open({str(needed)!r}).close()") as process:
        pids = workers_of(process, 2)
        needed.unlink()
        os.kill(pids[0], signal.SIGKILL)
        found = rest(process)
        assert process.returncode == 1
    assert found[-1] == "error a worker ended with exit code 1 before it could serve"
    assert "drained 1" in found
