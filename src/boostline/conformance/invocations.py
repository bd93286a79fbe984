"""The checks of a hosting container's answers."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from boostline.conformance.bench import Bench, Check, Fails, ending
from boostline.conformance.client import ATTRIBUTES, Answer, NoAnswer, invoke
from boostline.conformance.inputs import Request
from boostline.conformance.server import INVOCATIONS, Server, answered, sample

UNKNOWN_TYPE = "application/x-contract-test"
UNKNOWN_HEADERS = {
    "X-Contract-Test": "1",
    "X-Amzn-SageMaker-Inference-Id": "contract-test",
    "X-Amzn-SageMaker-Target-Variant": "AllTraffic",
    "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
}
ATTRIBUTES_LENGTH = 1_024
CLIENTS, CALLS = 16, 160
PAYLOAD = 25_000_000  # bytes that InvokeEndpoint passes on at most
BAD: dict[str, bytes] = {
    "an empty body": b"",
    "all bytes": bytes(range(256)),
    "zero bytes": bytes(1_000),
    "a broken object": b'{"a":',
    "deep nesting": b"[" * 100_000,
    "a number beyond all": b"1e400",
    "a number of 50,000 digits": b"9" * 50_000,
    "commas": b"," * 1_000,
    "a lone quote": b'"',
}


def _invocations(bench: Bench) -> None:
    bench.once(answered)


def _ask(bench: Bench, server: Server, request: Request) -> Answer:
    return invoke(server.port, request, bench.limits.invocation)


def _same(bench: Bench, headers: Mapping[str, str]) -> None:
    """Invoke with further headers; the answer must be as without them."""
    server, request, before = sample(bench)
    answer = invoke(server.port, request, bench.limits.invocation, headers)
    if answer.status != before.status:
        raise Fails(f"with {', '.join(headers)} the given request is answered {answer.shown}")


def _unknown_headers(bench: Bench) -> None:
    _same(bench, UNKNOWN_HEADERS)


def _attributes_taken(bench: Bench) -> None:
    _same(bench, {ATTRIBUTES: "x" * ATTRIBUTES_LENGTH})


def _attributes_set(bench: Bench) -> None:
    _, _, answer = sample(bench)
    text = answer.headers.get(ATTRIBUTES.lower(), "")
    if len(text) > ATTRIBUTES_LENGTH or not text.isascii():
        raise Fails(f"{ATTRIBUTES} is no ASCII text of at most 1,024 characters: {text[:80]!r}")


def _content_type(bench: Bench) -> None:
    server, request, _ = sample(bench)
    answer = _ask(bench, server, replace(request, content_type=UNKNOWN_TYPE))
    if answer.status != 415:
        raise Fails(f"Content-Type {UNKNOWN_TYPE} is answered {answer.shown}")


def _accept(bench: Bench) -> None:
    server, request, _ = sample(bench)
    answer = _ask(bench, server, replace(request, accept=UNKNOWN_TYPE))
    if answer.status != 406:
        raise Fails(f"Accept {UNKNOWN_TYPE} is answered {answer.shown}")


def _answer_type(bench: Bench) -> None:
    server, request, before = sample(bench)
    kind = before.headers.get("content-type", "")
    if "/" not in kind:
        raise Fails(f"the answer's Content-Type is {kind!r}")
    again = _ask(bench, server, replace(request, accept=kind.partition(";")[0]))
    if again.status != 200 or again.headers.get("content-type") != kind:
        raise Fails(f"it answers {kind}, but asked to Accept it, {again.shown}")


def _bad_input(bench: Bench) -> None:
    server, request, _ = sample(bench)
    for what, body in BAD.items():
        _not_5xx(bench, server, replace(request, body=body), what)


def _survives(bench: Bench) -> None:
    server, request, _ = sample(bench)
    for body in BAD.values():
        with suppress(NoAnswer):
            _ask(bench, server, replace(request, body=body))
    try:
        answer = _ask(bench, server, request)
    except NoAnswer as reason:
        raise Fails(f"after broken requests, {reason}; {ending(server.running)}") from None
    if answer.status != 200:
        raise Fails(f"after broken requests, the given one is answered {answer.shown}")


def _large(bench: Bench) -> None:
    server, request, _ = sample(bench)
    line = request.body.rstrip(b"\n") + b"\n"
    body = (line * (PAYLOAD // len(line) + 1))[:PAYLOAD]
    _not_5xx(bench, server, replace(request, body=body), "a body of 25 MB")


def _not_5xx(bench: Bench, server: Server, request: Request, what: str) -> None:
    try:
        answer = _ask(bench, server, request)
    except NoAnswer as reason:
        raise Fails(f"{what}: {reason}") from None
    if answer.status >= 500:
        raise Fails(f"{what}, as {request.content_type}, is answered {answer.shown}")


def _chunked(bench: Bench) -> None:
    server, request, _ = sample(bench)
    answer = invoke(server.port, request, bench.limits.invocation, chunked=True)
    if answer.status != 200:
        raise Fails(f"in chunks, the given request is answered {answer.shown}")


def _at_once(bench: Bench) -> None:
    server, request, before = sample(bench)
    steady = _ask(bench, server, request).body == before.body
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda _: _ask(bench, server, request), range(CALLS)))
    for answer in answers:
        if answer.status != 200 or (steady and answer.body != before.body):
            raise Fails(f"{CLIENTS} clients at once: one is answered {answer.shown}")


CHECKS = (
    Check(
        INVOCATIONS,
        "must",
        "POST /invocations answers the given request with 200 within 60 s.",
        _invocations,
    ),
    Check(
        "hosting.unknown-headers",
        "must",
        "Headers of InvokeEndpoint, and unknown ones, change nothing.",
        _unknown_headers,
    ),
    Check(
        "hosting.attributes-taken",
        "should",
        f"{ATTRIBUTES} of 1,024 characters that it does not know change nothing.",
        _attributes_taken,
    ),
    Check(
        "hosting.attributes-set",
        "must",
        f"{ATTRIBUTES} of an answer is ASCII of at most 1,024 characters.",
        _attributes_set,
    ),
    Check(
        "hosting.content-type",
        "should",
        "A Content-Type that it cannot read is answered 415.",
        _content_type,
    ),
    Check(
        "hosting.accept",
        "should",
        "An Accept that it cannot write is answered 406.",
        _accept,
    ),
    Check(
        "hosting.answer-type",
        "must",
        "Accept is honoured, and the answer's Content-Type says what it is.",
        _answer_type,
    ),
    Check("hosting.at-once", "must", "Requests at once get their own answers.", _at_once),
    Check(
        "hosting.chunked",
        "must",
        "A body in chunks is taken: batch transform with MaxPayloadInMB 0 sends it so.",
        _chunked,
    ),
    Check(
        "hosting.large-payload",
        "must",
        "A body of 25 MB is answered: scored, or refused with 4xx.",
        _large,
    ),
    Check(
        "hosting.bad-input", "should", "Broken requests are answered, and not with 5xx.", _bad_input
    ),
    Check("hosting.survives", "must", "Broken requests do not end the server.", _survives),
)
