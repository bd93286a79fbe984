from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

from boostline.contracts.ports import free_port
from boostline.local.environment import given
from boostline.local.platform import Platform, Settings
from boostline.local.runners import container
from boostline.local.runners.base import Call, Command, RunnerError, UnknownImage
from boostline.local.runners.container import ContainerRunner
from tests.local.runners.engine_bench import ANY_PORT, PLAIN, REGISTRY, USER

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("docker_host")]

NOBODY = 65534  # a user with no rights here
WAIT = "import signal; signal.pause()"


class Bench:
    """Runs programs in containers the way the platform does."""

    def __init__(self, folder: Path) -> None:
        self.platform = Platform(Settings(folder / "platform", port=1, containers=True))
        self.runner = self.platform.runner
        self.folder = folder
        self.lines: list[str] = []
        self.came = threading.Condition()

    def sink(self, lines: Sequence[str]) -> None:
        with self.came:
            self.lines += lines
            self.came.notify_all()

    def await_line(self, line: str) -> None:
        with self.came:
            assert self.came.wait_for(lambda: line in self.lines, 120), self.lines

    def command(self, call: Call, **environment: str) -> Command:
        ml = self.platform.folder / "ml"
        (ml / "input").mkdir(parents=True, exist_ok=True)
        told = given(self.platform, environment)
        return Command("test/one", call, told, ml, self.folder / "home", ("input",))

    def program(self, text: str, image: str = PLAIN, **environment: str) -> Command:
        code = textwrap.dedent(text)
        return self.command(Call(image, arguments=("-c", code)), **environment)

    def containers(self) -> list[Any]:
        client = docker.APIClient(base_url=os.environ["DOCKER_HOST"], version="auto")
        label = f"boostline.platform={self.platform.credentials.access_key}"
        found: list[Any] = client.containers(all=True, filters={"label": label})
        client.close()
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    assert bench.containers() == []
    bench.runner.close()
    bench.platform.stop()


def test_program_finds_its_folder_and_returns_its_code(bench: Bench) -> None:
    command = bench.program(
        """
        import pathlib, socket, sys
        base = pathlib.Path("/opt/ml")
        (base / "made").write_text((base / "input/given").read_text() + "made")
        try:
            (base / "input/new").write_text("x")
        except OSError as error:
            print(error.strerror)
        print(socket.gethostbyname("algo-1"))
        print("last, without an end of line", end="", file=sys.stderr, flush=True)
        sys.exit(7)
        """
    )
    (command.folder / "input/given").write_text("given ")
    program = bench.runner.start(command, bench.sink)
    assert program.wait(120) == 7
    assert (command.folder / "made").read_text() == "given made"
    assert (command.folder / "made").stat().st_uid == os.geteuid()
    assert bench.lines[:2] == ["Read-only file system", "127.0.0.1"]
    assert bench.lines[-1] == program.tail()[-1] == "last, without an end of line"


def test_program_has_the_images_environment_and_the_platforms(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_DECOY", "decoy")
    command = bench.program("import json, os; print(json.dumps(dict(os.environ)))", MINE="yes")
    bench.runner.start(command, bench.sink).wait(120)
    seen = json.loads(bench.lines[0])
    assert seen["MINE"] == "yes"
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert seen["AWS_ACCESS_KEY_ID"] == bench.platform.credentials.access_key
    assert str(Path(sys.executable).parent) not in seen["PATH"]
    assert seen["HOME"] in ("/", "/root")
    assert not {"SECRET_DECOY", "TMPDIR"} & set(seen)
    assert not seen.get("HTTP_PROXY")


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (Call(PLAIN), "by default"),
        (Call(PLAIN, arguments=("-c", "print('given')")), "given"),
        (Call(PLAIN, ("/bin/sh", "-c", "echo $# own")), "0 own"),
        (Call(PLAIN, ("/bin/sh", "-c", "echo $0 own"), ("fit",)), "fit own"),
        (Call(PLAIN.replace(REGISTRY, "localhost")), "by default"),
    ],
)
def test_call_is_dockers(bench: Bench, call: Call, line: str) -> None:
    assert bench.runner.start(bench.command(call), bench.sink).wait(120) == 0
    assert bench.lines == [line]


def test_stop_asks_then_ends(bench: Bench) -> None:
    command = bench.program(
        """
        import signal, time
        signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
        print("ready", flush=True)
        while True:
            time.sleep(600)
        """
    )
    program = bench.runner.start(command, bench.sink)
    bench.await_line("ready")
    assert program.wait(0) is None
    with ThreadPoolExecutor() as pool:
        patient = pool.submit(program.stop, 120)
        bench.await_line("asked")
        assert program.wait(0) is None
        assert program.stop(0.5) == patient.result() == 128 + signal.SIGKILL
    called = threading.Event()
    program.when_done(called.set)
    assert called.is_set()
    assert program.stop(5) == 128 + signal.SIGKILL


def test_chatty_program_loses_no_line(bench: Bench) -> None:
    program = bench.runner.start(bench.program("for n in range(100_000): print(n)"), bench.sink)
    assert program.wait(120) == 0
    assert bench.lines == [str(number) for number in range(100_000)]


def test_memory_is_limited(bench: Bench) -> None:
    runner = ContainerRunner(bench.platform.credentials.access_key, memory="64m")
    program = runner.start(bench.program("bytearray(256 << 20)"), bench.sink)
    assert program.wait(120) == 137
    runner.close()
    with pytest.raises(RunnerError, match="'much': give a number and k, m or g"):
        ContainerRunner("x", memory="much")


def test_image_that_is_not_here_is_named_with_what_to_do(bench: Bench) -> None:
    absent = f"{REGISTRY}/boostline-absent:1"
    for ask in (bench.runner.require, bench.runner.identity, bench.runner.port):
        with pytest.raises(UnknownImage, match=rf"'{absent}'.*tag it 'boostline-absent:1'"):
            ask(absent)
    with pytest.raises(UnknownImage, match="nothing is pulled"):
        bench.runner.start(bench.command(Call(absent)), bench.sink)
    with pytest.raises(RunnerError, match="A B"):
        bench.runner.require("A B")


def test_program_that_cannot_start_says_why(bench: Bench) -> None:
    with pytest.raises(RunnerError, match=r"test/one: .*:plain: .*/no/such"):
        bench.runner.start(bench.command(Call(PLAIN, ("/no/such",))), bench.sink)


def test_image_is_another_when_its_digest_is(bench: Bench) -> None:
    found = [bench.runner.identity(image) for image in (PLAIN, PLAIN.rpartition("/")[2], USER)]
    assert found[0] == found[1] != found[2]


def test_image_that_takes_no_port_has_the_only_one_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.runner.port(ANY_PORT) not in (0, 8080)
    assert bench.runner.port(PLAIN) == 8080
    port = free_port()  # others on this host may have 8080
    monkeypatch.setattr(container, "ONLY_PORT", port)
    listening = bench.program(
        """
        import os, signal, socket
        server = socket.create_server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])))
        print("ready", flush=True)
        signal.pause()
        """,
        SAGEMAKER_BIND_TO_PORT=str(port),
    )
    program = bench.runner.start(listening, bench.sink)
    bench.await_line("ready")
    with pytest.raises(RunnerError, match=r":plain can only .* test/one has.*LABEL"):
        bench.runner.start(listening, bench.sink)
    program.stop(0)
    with (
        socket.create_server(("127.0.0.1", port)),  # free again, and taken by us
        pytest.raises(RunnerError, match="which another program of this host has"),
    ):
        bench.runner.start(listening, bench.sink)
    bench.runner.start(listening, bench.sink).stop(0)


def test_images_own_user_may_write(bench: Bench) -> None:
    command = bench.program(
        """
        import os, pathlib
        print(os.getuid(), pathlib.Path("/opt/ml/input/given").read_text())
        os.mkdir("/opt/ml/made", mode=0o700)
        pathlib.Path("/opt/ml/made/file").write_text("x")
        """,
        USER,
    )
    (command.folder / "input/given").write_text("given")
    assert bench.runner.start(command, bench.sink).wait(120) == 0, bench.lines
    assert bench.lines == ["1234 given"]
    assert (command.folder / "made/file").read_text() == "x"


def test_a_later_platform_ends_what_a_killed_one_started(bench: Bench, tmp_path: Path) -> None:
    killed = f"""
        import os, signal, sys
        from pathlib import Path
        from boostline.local.runners.base import Call, Command
        from boostline.local.runners.container import ContainerRunner
        for platform in sys.argv[2:]:
            call = Call({PLAIN!r}, arguments=("-c", {WAIT!r}))
            command = Command(f"job/{{platform}}", call, {{}}, Path(sys.argv[1]), Path("/"))
            ContainerRunner(platform).start(command, print)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    mine, others = (f"{name}-{tmp_path}" for name in ("mine", "others"))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(killed), str(tmp_path), mine, others],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    for name, owners in {mine: [[f"job/{mine}"], []], others: [[f"job/{others}"]]}.items():
        runner = ContainerRunner(name)
        assert [runner.end_left_over() for _ in owners] == owners
        runner.close()


def test_no_engine_is_said_with_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such.sock")
    with pytest.raises(RunnerError, match=r"no container engine answers; tried unix:///no/such"):
        ContainerRunner("x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_nothing_of_roots_is_left_to_an_ordinary_user(engine_url: str) -> None:
    ordinary = f"""
        import os, sys
        from pathlib import Path
        from boostline.local.runners.base import Call, Command
        from boostline.local.runners.container import ContainerRunner
        os.setgroups([])
        os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
        os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
        ml = Path(sys.argv[1], "ml")
        ml.mkdir()
        make = "import os; os.umask(0o77); os.mkdir('/opt/ml/made'); "
        make += "open('/opt/ml/made/file', 'w').write('x')"
        runner = ContainerRunner("ordinary")
        call = Call({PLAIN!r}, arguments=("-c", make))
        code = runner.start(Command("job/x", call, {{}}, ml, Path("/")), print).wait(120)
        made = [ml / "made", ml / "made/file"]
        print(code, *(path.stat().st_uid for path in made), made[1].read_text())
        runner.close()
    """
    with tempfile.TemporaryDirectory() as folder:
        for path in (Path(folder), Path(engine_url.removeprefix("unix://"))):
            os.chown(path, NOBODY, NOBODY)
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(ordinary), folder],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout == f"0 {NOBODY} {NOBODY} x\n", done.stderr
