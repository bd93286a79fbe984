"""The checks of a hosting container: how it starts, says that it is well, and ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from boostline.conformance.bench import Bench, Check, Fails, NotApplicable, ending
from boostline.conformance.client import (
    Answer,
    Half,
    NoAnswer,
    as_json,
    ask,
    connect,
    invoke,
    taken,
)
from boostline.conformance.server import (
    DEFAULT_PORT,
    PAUSE,
    PING,
    PORT,
    extra,
    healthy,
    launch,
    must_answer,
    sample,
    serving,
    shared,
    start,
)

BIND_LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
REST = 0.5  # seconds to notice a signal
CONNECTIONS, PINGS, CALLS = 64, 20, 64
BATCH = {
    "SAGEMAKER_BATCH": "true",
    "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD",
    "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6",
    "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "1",
}
PARAMETERS = {"MaxConcurrentTransforms": int, "BatchStrategy": str, "MaxPayloadInMB": int}
STRATEGIES = ("SINGLE_RECORD", "MULTI_RECORD", "SingleRecord", "MultiRecord")


def _ping(bench: Bench) -> None:
    bench.once(serving)


def _ping_empty(bench: Bench) -> None:
    answer = ask(shared(bench).port, "GET", "/ping")
    if answer.body:
        raise Fails(f"/ping answers with a body: {answer.shown}")


def _ping_in_time(bench: Bench) -> None:
    """Ask while the server is busy: health checks do not wait for a quiet moment."""
    server, request, _ = sample(bench)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(invoke, server.port, request) for _ in range(CALLS)]
        good = [healthy(server.port, bench.limits.ping) for _ in range(PINGS)]
        for call in calls:
            call.exception()
    if bad := good.count(False):
        limit = bench.limits.ping
        raise Fails(f"{bad} of {PINGS} pings were not answered 200 within {limit:g} s under load")


def _ready(bench: Bench) -> None:
    _, request, _ = sample(bench)
    if bench.inputs.model is None:
        raise NotApplicable("give --model: the image has a model of its own")
    how = extra(bench, model=None)
    try:
        server = start(bench, how, bench.limits.watch)
    except Fails:
        return
    try:
        must_answer(bench, server, request)
    except Fails as reason:
        raise Fails(f"without its model /ping answers 200, but {reason}") from None
    finally:
        server.running.close()


def _default_port(bench: Bench) -> None:
    if shared(bench).port == DEFAULT_PORT:
        return
    if taken(DEFAULT_PORT):
        raise NotApplicable(f"port {DEFAULT_PORT} is taken here by another program")
    try:
        server = start(bench, launch(bench, {}))
    except Fails:
        if taken(DEFAULT_PORT):
            raise NotApplicable(f"another program took port {DEFAULT_PORT} meanwhile") from None
        raise
    server.running.close()


def _asked_port(bench: Bench) -> None:
    server = shared(bench)
    if server.port == server.asked:
        return
    image = bench.subject.image
    if image is not None and (image.get("Labels") or {}).get(BIND_LABEL) != "true":
        raise NotApplicable(f"the image has no label {BIND_LABEL}=true")
    raise Fails(f"{PORT}={server.asked} was given, and it serves on {server.port}")


def _connections(bench: Bench) -> None:
    port, limit = shared(bench).port, bench.limits.connection
    with ExitStack() as opened:
        for number in range(1, CONNECTIONS + 1):
            made = connect(port, limit)
            if made is None:
                raise Fails(f"connection {number} at once was not accepted within {limit:g} s")
            opened.enter_context(made)


def _parameters(bench: Bench) -> None:
    answer = ask(shared(bench).port, "GET", "/execution-parameters")
    if answer.status == 404:
        raise NotApplicable("it has none, and SageMaker takes its defaults")
    found = as_json(answer)
    if answer.status != 200 or not isinstance(found, dict):
        raise Fails(f"/execution-parameters answers {answer.shown}")
    for name, kind in PARAMETERS.items():
        if not isinstance(found.get(name), kind):
            raise Fails(f"/execution-parameters: {name} is {found.get(name)!r}")
    if found["BatchStrategy"] not in STRATEGIES:
        raise Fails(f"/execution-parameters: BatchStrategy is {found['BatchStrategy']!r}")


def _batch(bench: Bench) -> None:
    _also_serves(bench, BATCH)


def _model_read_only(bench: Bench) -> None:
    if not bench.subject.mounts:
        raise NotApplicable("this host has no mount namespaces")
    _also_serves(bench, read_only=("model",))


def _sealed(bench: Bench) -> None:
    if not bench.subject.seals:
        raise NotApplicable("only an image's root can be made read-only")
    _also_serves(bench, sealed=True)


def _also_serves(
    bench: Bench,
    environment: Mapping[str, str] | None = None,
    *,
    read_only: tuple[str, ...] = (),
    sealed: bool = False,
) -> None:
    """Start another server, which must answer as the shared one does."""
    _, request, _ = sample(bench)
    how = replace(extra(bench, environment), read_only=read_only, sealed=sealed)
    server = start(bench, how)
    try:
        must_answer(bench, server, request)
    finally:
        server.running.close()


@dataclass(frozen=True)
class Stop:
    """How a server ended after SIGTERM; what a request in flight was answered; its port."""

    code: int | None
    ending: str
    answer: Answer | NoAnswer
    port: int


def stopped(bench: Bench) -> Stop:
    """Send SIGTERM to a server that has half of a request."""
    _, request, _ = sample(bench)
    server = start(bench, extra(bench))
    half = Half(server.port, request, bench.limits.invocation)
    # It has accepted the request once it answers, unless it does one at a time.
    healthy(server.port, bench.limits.ping)
    server.running.terminate()
    deadline = time.monotonic() + REST
    while taken(server.port) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    answer = half.end()
    code = server.running.wait(bench.limits.server_stop)
    found = Stop(code, ending(server.running), answer, server.port)
    server.running.close()
    return found


def _stop(bench: Bench) -> None:
    stop = bench.once(stopped)
    if stop.code is None:
        raise Fails(f"{bench.limits.server_stop:.0f} s after SIGTERM {stop.ending}")


def _in_flight(bench: Bench) -> None:
    answer = bench.need(stopped, "hosting.stop").answer
    if isinstance(answer, NoAnswer):
        raise Fails(f"SIGTERM came before its end, and {answer}")
    if answer.status != 200:
        raise Fails(f"SIGTERM came before its end, and it was answered {answer.shown}")


def _restart(bench: Bench) -> None:
    stop = bench.need(stopped, "hosting.stop")
    if stop.code is None:
        raise NotApplicable("needs hosting.stop, which fails")
    start(bench, extra(bench, {PORT: str(stop.port)})).running.close()


CHECKS = (
    Check(
        PING,
        "must",
        "`serve` is the argument; GET /ping answers 200 within 8 minutes of the start.",
        _ping,
    ),
    Check("hosting.ping-empty", "must", "The body of /ping's answer is empty.", _ping_empty),
    Check(
        "hosting.ping-in-time",
        "must",
        "Each /ping is answered within 2 s, also while requests are.",
        _ping_in_time,
    ),
    Check(
        "hosting.ready",
        "should",
        "/ping answers 200 only when the model can answer.",
        _ready,
    ),
    Check("hosting.default-port", "must", "It listens on port 8080.", _default_port),
    Check(
        "hosting.asked-port",
        "should",
        "It listens on SAGEMAKER_BIND_TO_PORT where that is set, and says so by the label "
        "com.amazonaws.sagemaker.capabilities.accept-bind-to-port.",
        _asked_port,
    ),
    Check(
        "hosting.connections",
        "must",
        "A connection is accepted within 250 ms, 64 of them at once too.",
        _connections,
    ),
    Check(
        "hosting.execution-parameters",
        "should",
        "GET /execution-parameters answers MaxConcurrentTransforms, BatchStrategy and "
        "MaxPayloadInMB.",
        _parameters,
    ),
    Check(
        "hosting.batch",
        "must",
        "It serves a batch transform: SAGEMAKER_BATCH and what the job's request sets.",
        _batch,
    ),
    Check(
        "hosting.model-read-only",
        "should",
        "It serves from a model folder that cannot be written.",
        _model_read_only,
    ),
    Check("hosting.sealed", "should", "Nothing is written but in /opt/ml and /tmp.", _sealed),
    Check("hosting.stop", "must", "SIGTERM ends it within 30 s; SIGKILL follows.", _stop),
    Check(
        "hosting.in-flight",
        "should",
        "Requests in flight at SIGTERM are answered.",
        _in_flight,
    ),
    Check("hosting.restart", "should", "It can be started again on its port at once.", _restart),
)
