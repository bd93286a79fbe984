"""A subject that serves: started, awaited, shared by the checks that only ask."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from boostline.conformance.bench import Bench, Fails, NotApplicable, ending
from boostline.conformance.client import Answer, NoAnswer, ask, invoke, taken
from boostline.conformance.errors import ConformanceError
from boostline.conformance.inputs import Request
from boostline.conformance.subject import Launch, Running
from boostline.contracts.archives import ArchiveError, unpack
from boostline.contracts.ports import free_port

MODEL = "model"
PORT, DEFAULT_PORT = "SAGEMAKER_BIND_TO_PORT", 8080
PING, INVOCATIONS = "hosting.ping", "hosting.invocations"
PAUSE = 0.02  # seconds between two looks


@dataclass(frozen=True)
class Server:
    """A healthy server.

    Attributes
    ----------
    port
        Where it answers.
    asked
        The port it was asked to use; it may have kept to 8080.
    """

    running: Running
    port: int
    asked: int

    @property
    def alive(self) -> bool:
        """Whether its program still runs."""
        return self.running.wait(0) is None


def wanted(bench: Bench) -> None:
    """Say whether hosting is to be tested.

    Raises
    ------
    NotApplicable
        Neither model nor request was given.
    """
    if bench.inputs.model is None and bench.inputs.request is None:
        raise NotApplicable("give --model or --request")


def launch(bench: Bench, environment: Mapping[str, str], *, model: str | None = MODEL) -> Launch:
    """Unpack the model in a folder below `/opt/ml`, or nowhere, and say how `serve` is started."""
    wanted(bench)
    ml = bench.folder()
    (ml / MODEL).mkdir()
    if model is not None and bench.inputs.model is not None:
        _unpack(bench.inputs.model, ml / model)
    return Launch(ml, ("serve",), environment)


def start(bench: Bench, how: Launch, seconds: float | None = None) -> Server:
    """Start a server and await its first good `/ping`.

    Raises
    ------
    Fails
        It ended, or did not become healthy in time.
    """
    limit = bench.limits.start if seconds is None else seconds
    asked = int(how.environment.get(PORT, DEFAULT_PORT))
    ports = [port for port in dict.fromkeys((asked, DEFAULT_PORT)) if not taken(port)]
    running = bench.start(how)
    deadline = time.monotonic() + limit
    while (code := running.wait(PAUSE)) is None and time.monotonic() < deadline:
        for port in ports:
            if healthy(port, bench.limits.ping) and running.wait(0) is None:
                return Server(running, port, asked)
    text = ending(running)
    running.close()
    if DEFAULT_PORT not in ports:
        text += f" (if it keeps to port {DEFAULT_PORT}: that is taken here by another program)"
    if code is None:
        raise Fails(f"/ping did not answer 200 within {limit:.0f} s; {text}")
    raise Fails(f"before /ping answered 200, {text}")


def serving(bench: Bench) -> Server:
    """Start the server that most checks share, on a port of its own if it can."""
    return start(bench, launch(bench, _own_port()))


def shared(bench: Bench) -> Server:
    """Return the shared server, started anew if the last check ended it."""
    server = bench.need(serving, PING)
    if not server.alive:
        bench.forget(serving)
        server = bench.need(serving, PING)
    return server


def extra(
    bench: Bench, environment: Mapping[str, str] | None = None, *, model: str | None = MODEL
) -> Launch:
    """Say how a server beside the shared one is started.

    Raises
    ------
    NotApplicable
        The shared one did not start, or keeps 8080 to itself.
    """
    server = shared(bench)
    if server.port != server.asked:
        server.running.close()  # it keeps to 8080: one at a time
    return launch(bench, {**_own_port(), **(environment or {})}, model=model)


def given(bench: Bench) -> Request:
    """Return the request that was given."""
    wanted(bench)
    if bench.inputs.request is None:
        raise NotApplicable("give --request, a file that the model answers with 200")
    return bench.inputs.request


def answered(bench: Bench) -> Answer:
    """Return the answer to the given request, which must be 200 with a body."""
    return must_answer(bench, shared(bench), given(bench))


def sample(bench: Bench) -> tuple[Server, Request, Answer]:
    """Return the shared server, the given request and its answer, where that is as it must be."""
    request = given(bench)
    answer = bench.need(answered, INVOCATIONS)
    return shared(bench), request, answer


def must_answer(bench: Bench, server: Server, request: Request) -> Answer:
    """Invoke a server.

    Raises
    ------
    Fails
        The answer is not 200, or has no body.
    """
    answer = invoke(server.port, request, bench.limits.invocation)
    if answer.status != 200 or not answer.body:
        raise Fails(f"the given request is answered {answer.shown or 'with nothing'}")
    return answer


def healthy(port: int, seconds: float) -> bool:
    """Say whether `/ping` answers 200 in time."""
    try:
        return ask(port, "GET", "/ping", seconds=seconds).status == 200
    except NoAnswer:
        return False


def _own_port() -> Mapping[str, str]:
    return {PORT: str(free_port())}


def _unpack(archive: Path, folder: Path) -> None:
    try:
        unpack(archive, folder)
    except (ArchiveError, OSError) as error:
        raise ConformanceError(f"--model: {error}") from None
