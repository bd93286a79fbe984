from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from boostline.local.environment import scrubbed
from boostline.local.platform import Platform, Settings
from boostline.local.runners import output
from boostline.local.runners.base import Call, Command, RunnerError
from boostline.local.runners.namespace import namespace
from boostline.local.runners.process import ProcessRunner
from boostline.local.runners.processes import MARK, Processes, end_session, started
from boostline.local.store.database import Database

MODES = [
    pytest.param(True, id="moved"),
    pytest.param(
        False,
        id="private",
        marks=pytest.mark.skipif(namespace() is None, reason="no mount namespaces here"),
    ),
]


class Bench:
    """Runs Python programs the way the platform does."""

    def __init__(self, folder: Path) -> None:
        self.platform = Platform(Settings(folder=folder / "platform", port=1))
        self.folder = folder
        self.lines: list[str] = []
        self.came = threading.Condition()

    def sink(self, lines: object) -> None:
        with self.came:
            self.lines += list(lines)  # type: ignore[call-overload]
            self.came.notify_all()

    def await_line(self, line: str) -> None:
        with self.came:
            assert self.came.wait_for(lambda: line in self.lines, 120), self.lines

    def command(self, program: str, *arguments: str, **environment: str) -> Command:
        ml, home = self.folder / "ml", self.folder / "home"
        (ml / "input").mkdir(parents=True, exist_ok=True)
        path = self.folder / "program.py"
        path.write_text(textwrap.dedent(program))
        return Command(
            "test/one",
            Call("any", (sys.executable, str(path)), arguments),
            scrubbed(self.platform, home, environment),
            ml,
            home,
            read_only=("input",),
        )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.platform.stop()


@pytest.mark.parametrize("moved", MODES)
def test_program_finds_its_folder_and_returns_its_code(bench: Bench, moved: bool) -> None:
    runner = ProcessRunner(bench.platform.database, {}, moved=moved)
    command = bench.command(
        """
        import os, pathlib, sys
        base = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
        (base / "made").write_text((base / "input/given").read_text() + sys.argv[1])
        print("moved" if "SAGEMAKER_BASE_DIR" in os.environ else "private")
        print("last, without an end of line", end="", file=sys.stderr)
        sys.exit(7)
        """,
        "/opt/ml/x",
    )
    (command.folder / "input/given").write_text("given ")
    program = runner.start(command, bench.sink)
    assert program.wait(120) == 7
    where = f"{command.folder}/x" if moved else "/opt/ml/x"
    assert (command.folder / "made").read_text() == f"given {where}"
    assert bench.lines[0] == ("moved" if moved else "private")
    assert bench.lines[-1] == program.tail()[-1] == "last, without an end of line"


@pytest.mark.skipif(namespace() is None, reason="no mount namespaces here")
def test_private_folder_leaves_the_host_as_it_was(bench: Bench) -> None:
    before = sorted(os.listdir("/opt"))
    command = bench.command(
        """
        import os
        print(sorted(os.listdir("/opt")))
        try:
            open("/opt/ml/input/new", "w")
        except OSError as error:
            print(error.strerror)
        """
    )
    ProcessRunner(bench.platform.database, {}).start(command, bench.sink).wait(120)
    assert bench.lines[0] == str(sorted({*before, "ml"}))
    assert bench.lines[1] == "Read-only file system"
    assert sorted(os.listdir("/opt")) == before


def test_nothing_of_the_callers_environment_reaches_a_program(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    decoy = tmp_path / "decoy"
    (decoy / ".aws").mkdir(parents=True)
    (decoy / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = AKIADECOY\naws_secret_access_key = decoy\n"
    )
    monkeypatch.setenv("HOME", str(decoy))
    monkeypatch.setenv("AWS_PROFILE", "decoy")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "decoy")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "decoy")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(decoy / ".aws/credentials"))
    monkeypatch.setenv("PYTHONPATH", str(decoy))
    monkeypatch.setenv("SECRET_DECOY", "decoy")
    command = bench.command(
        """
        import json, os, botocore.session
        key = botocore.session.get_session().get_credentials().get_frozen_credentials()
        print(json.dumps({"environment": dict(os.environ), "key": key.access_key}))
        """,
        MINE="yes",
    )
    ProcessRunner(bench.platform.database, {}).start(command, bench.sink).wait(120)
    seen = json.loads(bench.lines[0])
    assert "decoy" not in bench.lines[0]
    assert seen["key"] == bench.platform.credentials.access_key
    assert seen["environment"]["MINE"] == "yes"
    assert seen["environment"]["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"


def test_stop_asks_then_ends_the_whole_session(bench: Bench) -> None:
    command = bench.command(
        """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("child", child.pid, flush=True)
        print("ready", flush=True)
        while True:
            time.sleep(600)
        """
    )
    program = ProcessRunner(bench.platform.database, {}).start(command, bench.sink)
    bench.await_line("ready")
    child = int(bench.lines[0].split()[1])
    assert program.wait(0) is None
    with ThreadPoolExecutor() as pool:
        patient = pool.submit(program.stop, 120)
        bench.await_line("asked")
        assert program.wait(0) is None
        assert program.stop(0.5) == patient.result() == 128 + signal.SIGKILL
    assert started(child) is None
    called = threading.Event()
    program.when_done(called.set)
    assert called.is_set()


@pytest.mark.skipif(not Path("/proc").exists(), reason="no /proc here")
@pytest.mark.parametrize("session", [False, True])
def test_what_a_program_leaves_behind_ends_with_it(bench: Bench, session: bool) -> None:
    command = bench.command(
        f"""
        import subprocess
        child = subprocess.Popen(["sleep", "600"], start_new_session={session})
        print(child.pid, flush=True)
        """
    )
    program = ProcessRunner(bench.platform.database, {}).start(command, bench.sink)
    assert program.wait(120) == 0
    assert started(int(bench.lines[0])) is None


@pytest.mark.skipif(not Path("/proc").exists(), reason="no /proc here")
def test_what_has_just_been_started_ends_too() -> None:
    """A program that begins has no environment for a moment: some of these do not."""
    for number in range(100):
        mark = f"test {os.getpid()} {number}"
        child = subprocess.Popen(
            ["sleep", "600"], env={**os.environ, MARK: mark}, start_new_session=True
        )
        end_session(None, mark)
        assert child.wait(0) == -signal.SIGKILL


def test_lines_that_came_before_the_end_are_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes the lines is slow, and nobody has patience any more."""
    monkeypatch.setattr(output, "PATIENCE", 0.0)
    reading, writing = os.pipe()
    lines: list[str] = []
    first, ended = threading.Event(), threading.Event()

    def take(found: Sequence[str]) -> None:
        lines.extend(found)
        first.set()
        ended.wait()

    taking = output.Output(open(reading, "rb", buffering=0), take)  # noqa: SIM115
    os.write(writing, b"1\n")
    first.wait()
    os.write(writing, b"2\n")
    os.close(writing)
    closing = threading.Thread(target=taking.close)
    closing.start()
    assert taking._closing.wait(60)
    ended.set()
    closing.join()
    assert lines == ["1", "2"]


def test_chatty_program_loses_no_line_and_long_lines_are_cut(bench: Bench) -> None:
    command = bench.command(
        """
        print("x" * 300_000)
        for number in range(100_000):
            print(number)
        """
    )
    program = ProcessRunner(bench.platform.database, {}).start(command, bench.sink)
    assert program.wait(120) == 0
    assert [len(line) for line in bench.lines[:2]] == [262_144, 300_000 - 262_144]
    assert bench.lines[2:] == [str(number) for number in range(100_000)]


def test_a_program_outlives_a_full_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines are lost; it does not stand still with its pipe full, nor do others for its end."""

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Processes, "remove", full)
    command = bench.command("for _ in range(100_000): print('a line of many')")
    program = ProcessRunner(bench.platform.database, {}, moved=True).start(command, full)
    assert program.wait(300) == 0


def test_a_later_platform_ends_what_a_killed_one_started(bench: Bench, tmp_path: Path) -> None:
    killed = """
        import os, queue, signal, sys
        from pathlib import Path
        from boostline.local.runners.base import Call, Command
        from boostline.local.runners.process import ProcessRunner
        from boostline.local.store.database import Database
        folder = Path(sys.argv[1])
        runner = ProcessRunner(Database(folder / "killed.sqlite"), {})
        leave = "import subprocess, time; print(subprocess.Popen(['sleep', '600'], "
        leave += "start_new_session=True).pid, flush=True); time.sleep(600)"
        call = Call("any", (sys.executable, "-c", leave))
        left = queue.SimpleQueue()
        program = runner.start(
            Command("job/x", call, dict(os.environ), folder, folder / "home"), left.put
        )
        print(program._popen.pid, *left.get(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(killed), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    pid, left = map(int, done.stdout.split())
    assert started(pid) is not None
    assert started(left) is not None
    database = Database(tmp_path / "killed.sqlite")
    runner = ProcessRunner(database, {})
    assert runner.end_left_over() == ["job/x"]
    assert started(pid) is None
    assert started(left) is None
    assert runner.end_left_over() == []
    database.close()


def test_host_that_is_full_is_another_error() -> None:
    full = """
        import os, resource, sys, tempfile
        from pathlib import Path
        from boostline.local.runners.base import Call, Command, NoCapacity
        from boostline.local.runners.process import ProcessRunner
        from boostline.local.store.database import Database
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            runner = ProcessRunner(Database(folder / "full.sqlite"), {}, moved=True)
            command = Command("job/x", Call("any", ("true",)), {}, folder, folder / "home")
            (folder / "home/.opt").mkdir(parents=True)
            limit = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc") else 8
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            try:
                runner.start(command, print)
            except NoCapacity as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(full)], capture_output=True, text=True, check=False
    )
    assert "job/x: true: [Errno 24] Too many open files" in done.stdout, done.stderr


def test_program_that_cannot_start_says_why(bench: Bench) -> None:
    command = bench.command("")
    missing = replace(command, call=Call("any", ("/no/such/program",)))
    program = ProcessRunner(bench.platform.database, {}).start(missing, bench.sink)
    assert program.wait(120) in (126, 127)
    assert "/no/such/program" in bench.lines[-1]
    bad = replace(command, call=Call("any", ("a\0b",)))
    with pytest.raises(RunnerError, match="test/one"):
        ProcessRunner(bench.platform.database, {}).start(bad, bench.sink)
