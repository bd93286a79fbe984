from __future__ import annotations

import contextlib
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boostline.local.hosting.client import Unavailable
from boostline.local.hosting.server import Retired, Server, ServerFailed
from boostline.local.platform import Platform, Settings
from boostline.local.runners.base import Call, Command
from tests.local.services.sagemaker_bench import HEADER, SERVER


def ask(server: Server, body: bytes = b"") -> bytes:
    with server.client() as client:
        return client.invoke(body, {}).data


def await_answer(server: Server, expected: Callable[[bytes], bool]) -> None:
    deadline = time.monotonic() + 120
    answer = None
    while answer is None or not expected(answer):
        assert time.monotonic() < deadline
        time.sleep(0.02)
        with contextlib.suppress(Unavailable):
            answer = ask(server)


Make = Callable[..., Server]


@pytest.fixture
def images(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    return {"*": (sys.executable, str(tmp_path / "program.py"))}


@pytest.fixture
def lines() -> list[str]:
    """What programs wrote."""
    return []


@pytest.fixture
def make(tmp_path: Path, images: dict[str, tuple[str, ...]], lines: list[str]) -> Iterator[Make]:
    program = tmp_path / "program.py"
    (tmp_path / "ml").mkdir()
    platform = Platform(Settings(tmp_path / "platform", images=images))
    made: list[Server] = []

    def make(body: str, timeout: float = 120, period: float = 5) -> Server:
        program.write_text(HEADER + SERVER + textwrap.dedent(body))
        command = Command("test/A", Call("any"), {}, tmp_path / "ml", tmp_path / "home")
        server = Server(platform.runner, command, lines.extend, timeout, period)
        made.append(server)
        return server

    yield make
    for server in made:
        server.close(drain=0, grace=1)
    platform.stop()


@pytest.mark.slow
def test_server_that_never_becomes_healthy_fails_in_time(make: Make) -> None:
    server = make("Handler.do_GET = lambda self: self.answer(503); run()", timeout=1)
    with pytest.raises(ServerFailed, match="/ping did not answer 200 within"):
        server.settled()
    with pytest.raises(Unavailable):
        ask(server)


@pytest.mark.slow
def test_server_that_ends_is_tried_once_more(make: Make, tmp_path: Path) -> None:
    server = make(
        f"""
        first = pathlib.Path({str(tmp_path / "first")!r})
        if not first.exists():
            first.touch()
            sys.exit("not yet")
        Handler.invoke = lambda self, body: self.answer(200, body)
        run()
        """
    )
    server.settled()
    assert ask(server, b"body") == b"body"


def test_server_that_is_killed_may_have_needed_memory(make: Make) -> None:
    server = make("os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ServerFailed, match="exit code 137: it was killed, as when it needs more"):
        server.settled()


def test_closing_lets_requests_in_flight_be_answered(make: Make, tmp_path: Path) -> None:
    server = make(
        """
        def invoke(self, body):
            pathlib.Path(body.decode()).touch()
            time.sleep(0.5)
            self.answer(200, b"late")
        Handler.invoke = invoke
        run()
        """
    )
    server.settled()
    answers: list[bytes] = []
    asked = tmp_path / "asked"
    body = str(asked).encode()
    asking = threading.Thread(target=lambda: answers.append(ask(server, body)))
    asking.start()
    while not asked.exists():
        time.sleep(0.01)
    server.close(drain=120)
    asking.join()
    assert answers == [b"late"]


def test_program_that_no_longer_answers_is_replaced(make: Make, tmp_path: Path) -> None:
    sick = tmp_path / "sick"
    server = make(
        f"""
        sick = pathlib.Path({str(sick)!r})
        def get(self):
            ill = sick.exists() and sick.read_text() == str(os.getpid())
            self.answer(503 if ill else 200)
        Handler.do_GET = get
        Handler.invoke = lambda self, body: self.answer(200, str(os.getpid()).encode())
        run()
        """,
        period=0.05,
    )
    server.settled()
    first = ask(server)
    sick.write_bytes(first)
    await_answer(server, lambda answer: answer != first)


def test_healthy_server_comes_back_when_it_can_be_started_again(
    make: Make, images: dict[str, tuple[str, ...]], lines: list[str]
) -> None:
    server = make(
        "Handler.invoke = lambda self, body: os._exit(1) if body else self.answer(200)\nrun()"
    )
    server.settled()
    kept = dict(images)
    images.clear()
    with pytest.raises(Unavailable):
        ask(server, b"end")
    while not any("no local program stands" in line for line in lines):
        time.sleep(0.02)
    images.update(kept)
    await_answer(server, lambda answer: answer == b"")


def test_server_that_retires_takes_no_more(make: Make) -> None:
    server = make("Handler.invoke = lambda self, body: self.answer(200, body)\nrun()")
    server.settled()
    assert ask(server, b"body") == b"body"
    server.close(drain=120)
    with pytest.raises(Retired):
        ask(server, b"body")
