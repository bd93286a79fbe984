"""The routes of the hosting contract, on a scorer."""

import asyncio
import json
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from boostline.container.programs.media import JSON
from boostline.container.programs.scoring import Reply, Request, ScoringError
from boostline.container.server.messages import Answer, HttpRequest, Respond
from boostline.container.server.metrics import Board
from boostline.container.server.settings import Settings
from boostline.container.server.together import Outcome, Scoring, Together

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_ATTRIBUTES = ATTRIBUTES.lower().encode()
_THREADS = 2  # more would only wait for the interpreter, each with its request in memory
_PAYLOAD_MB, _BATCH_MB = 6, 100  # of a batch job: a request's, and all requests' at a time
PROMETHEUS = "text/plain; version=0.0.4"


def refuse(status: int, code: str, message: str, headers: bytes = b"") -> Answer:
    """Write a refusal that no scorer made."""
    return Answer(status, ScoringError(status, code, message).to_json(), JSON, headers)


class App:
    """Answers requests; a `Handler` of the transport.

    Parameters
    ----------
    scorer
        Answers ``/invocations``.
    settings
        What ``/execution-parameters`` is made of.
    board
        The numbers of all workers.
    worker
        The place of this one.

    Attributes
    ----------
    counters
        Its own numbers.
    """

    def __init__(self, scorer: Scoring, settings: Settings, board: Board, worker: int) -> None:
        self._scorer = scorer
        self._settings = settings
        self._board = board
        self.counters = board.counters(worker)
        self._headers = f"{ATTRIBUTES}: {scorer.attributes}\r\n".encode("ascii")
        self._together = Together(scorer)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="score")
        self._routes: dict[bytes, Callable[[], Answer]] = {
            b"/ping": lambda: Answer(200),
            b"/execution-parameters": self._parameters,
            b"/metrics": self._metrics,
        }

    def handle(self, request: HttpRequest, respond: Respond) -> None:
        """Answer a request, at once or from a thread."""
        if request.path != b"/invocations":
            respond(self._route(request))
        elif request.method != b"POST":
            respond(_not_allowed(b"POST"))
        else:
            self._invoke(request, respond)

    def _route(self, request: HttpRequest) -> Answer:
        route = self._routes.get(request.path)
        if route is None:
            return refuse(404, "not_found", "there are /ping, /invocations, /execution-parameters")
        return route() if request.method in {b"GET", b"HEAD"} else _not_allowed(b"GET, HEAD")

    def _invoke(self, request: HttpRequest, respond: Respond) -> None:
        began = time.perf_counter_ns()

        def done(outcome: Outcome) -> None:
            answer = self._answer(outcome)
            self.counters.count(answer.status, (time.perf_counter_ns() - began) // 1000)
            respond(answer)

        scoring = _scoring_request(request)
        if not self._scorer.takes_long(scoring):
            self._together.add(scoring, done)
            return
        loop = asyncio.get_running_loop()
        task = loop.run_in_executor(self._threads, self._score, scoring)
        task.add_done_callback(lambda scored: done(scored.result()))

    def _score(self, request: Request) -> Outcome:
        try:
            return self._scorer.score(request)
        except BaseException as error:  # a panic of Polars is no Exception
            return error

    def _answer(self, outcome: Outcome) -> Answer:
        if isinstance(outcome, Reply):
            return Answer(200, outcome.body, outcome.media_type, self._headers)
        if isinstance(outcome, ScoringError):
            return Answer(outcome.status, outcome.to_json(), JSON, self._headers)
        traceback.print_exception(outcome)  # whatever it is, the client gets its answer
        text = f"unexpected {type(outcome).__name__} (see the log)"
        return refuse(500, "internal", text, self._headers)

    def _parameters(self) -> Answer:
        """Tell a batch job how to send: a request a worker at a time."""
        parameters = {
            "MaxConcurrentTransforms": min(self._settings.workers, _BATCH_MB // _PAYLOAD_MB),
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": _PAYLOAD_MB,
        }
        return Answer(200, json.dumps(parameters).encode(), JSON)

    def _metrics(self) -> Answer:
        text = self._board.total().to_prometheus(self._board.fallback)
        return Answer(200, text.encode(), PROMETHEUS)


def _not_allowed(methods: bytes) -> Answer:
    text = f"send {methods.decode()}"
    return refuse(405, "method_not_allowed", text, b"Allow: %b\r\n" % methods)


def _scoring_request(request: HttpRequest) -> Request:
    header = partial(_header, request.headers)
    return Request(
        body=request.body,
        content_type=header(b"content-type"),
        accept=header(b"accept"),
        attributes=header(_ATTRIBUTES),
        content_encoding=header(b"content-encoding"),
    )


def _header(headers: dict[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")
