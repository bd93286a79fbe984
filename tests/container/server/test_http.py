"""The transport on real sockets, with a handler that shows what it was given."""

import asyncio
import contextlib
import gc
import json
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest
import uvloop

from boostline.container.server import connection
from boostline.container.server.app import refuse
from boostline.container.server.bodies import Bodies
from boostline.container.server.http import HttpServer
from boostline.container.server.messages import Answer, HttpRequest, Respond
from boostline.container.server.worker import Acceptor

LIMIT = 100_000
CHUNKED = b"/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


class Site:
    """A server in a thread; ``/later`` is answered when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Respond] = []
        self.counts: list[int] = []
        self.busier = False
        self.arrived = threading.Semaphore(0)
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        started = threading.Event()
        self.thread = threading.Thread(target=lambda: uvloop.run(self._run(started)))
        self.thread.start()
        started.wait()

    async def _run(self, started: threading.Event) -> None:
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.server = HttpServer(self._handle, refuse, LIMIT, self.counts.append)
        self.acceptor = Acceptor(self.server, self.socket, lambda: self.busier)
        started.set()
        await self._stop.wait()
        await self.acceptor.close()
        await self.server.drain()

    def _handle(self, request: HttpRequest, respond: Respond) -> None:
        if request.path == b"/later":
            self.waiting.append(respond)
            self.arrived.release()
            return
        if request.path == b"/long":
            respond(Answer(200, b"x" * 20_000_000))
            return
        shown = {
            "method": request.method.decode(),
            "path": request.path.decode(),
            "type": request.headers.get(b"content-type", b"").decode(),
            "body": request.body.decode(),
        }
        respond(Answer(200, json.dumps(shown).encode(), "application/json", b"X-Own: 1\r\n"))

    def on_loop(self, call: Callable[[], object]) -> None:
        """Run a function in the server's thread and wait for it."""
        done: Future[object] = Future()
        self.loop.call_soon_threadsafe(lambda: done.set_result(call()))
        done.result(20)

    def answer_later(self, text: bytes) -> None:
        """Answer the first request of those that wait."""
        self.arrived.acquire()
        self.on_loop(lambda: self.waiting.pop(0)(Answer(200, text)))

    def stop(self) -> None:
        """Drain."""
        with contextlib.suppress(RuntimeError):  # it has already, and the loop is closed
            self.loop.call_soon_threadsafe(self._stop.set)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(connection, "_LINGER", 300.0)  # however late a client here goes on
    found = Site()
    yield found
    found.stop()
    found.thread.join(20)
    found.socket.close()


def exchange(site: Site, sent: bytes) -> bytes:
    """Send, say that this is all, and read to the end."""
    with site.connect() as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(1 << 20), b""))


def read_until(client: socket.socket, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        received = client.recv(1 << 20)
        assert received, found
        found += received
    return found


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def code_of(answer: bytes) -> str:
    code: str = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"]
    return code


def shown(answer: bytes) -> dict[str, str]:
    found: dict[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


def test_a_request_and_its_answer(site: Site) -> None:
    answer = exchange(
        site, b"POST /x?y=1 HTTP/1.1\r\ncontent-TYPE: a/b\r\nContent-Length: 3\r\n\r\nabc"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nDate: ")
    assert b"Content-Type: application/json\r\nX-Own: 1\r\n" in head
    assert head.endswith(b"Content-Length: %d" % len(body))
    assert json.loads(body) == {"method": "POST", "path": "/x", "type": "a/b", "body": "abc"}


def test_a_chunked_body(site: Site) -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = exchange(site, head + b"2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n")
    assert shown(answer)["body"] == "abcde"


def test_a_body_that_comes_byte_by_byte(site: Site) -> None:
    with site.connect() as client:
        for byte in b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab":
            client.sendall(bytes([byte]))
        assert shown(read_until(client, b"}"))["body"] == "ab"


def test_a_large_body_is_no_large_head(site: Site) -> None:
    body = b"x" * LIMIT
    answer = exchange(site, b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (LIMIT, body))
    assert shown(answer)["body"] == body.decode()


def test_a_client_is_told_to_go_on(site: Site) -> None:
    with site.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ab")
        assert shown(read_until(client, b"}"))["body"] == "ab"


def test_a_connection_stays_as_its_version_says(site: Site) -> None:
    with site.connect() as client:
        for _ in range(3):
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"\r\nConnection:" not in read_until(client, b"}")
        client.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"\r\nConnection: keep-alive\r\n" in read_until(client, b"}")
        client.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert b"\r\nConnection: close\r\n" in read_all(client)
    with site.connect() as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"\r\nConnection: close\r\n" in read_all(client)


def test_head_has_no_body(site: Site) -> None:
    answer = exchange(site, b"HEAD / HTTP/1.1\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 0" not in answer


def test_an_absolute_target(site: Site) -> None:
    assert shown(exchange(site, b"GET http://host/p?q HTTP/1.1\r\n\r\n"))["path"] == "/p"
    assert shown(exchange(site, b"OPTIONS * HTTP/1.1\r\n\r\n"))["path"] == "*"


def test_answers_come_in_the_order_of_their_requests(site: Site) -> None:
    with site.connect() as client:
        # More than may wait, so that reading is held up and goes on.
        client.sendall(b"GET /later HTTP/1.1\r\n\r\n" + b"GET /a HTTP/1.1\r\n\r\n" * 50)
        client.sendall(b"GET /later HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n")
        site.answer_later(b"first")
        site.answer_later(b"second")
        found = read_all(client)
    places = [found.index(b"first"), found.index(b"/a"), found.index(b"second"), found.index(b"/b")]
    assert places == sorted(places)
    assert found.count(b'"/a"') == 50


def test_many_requests_at_once_are_no_large_head(site: Site) -> None:
    sent = b"GET /a HTTP/1.1\r\n\r\n" * 20_000 + b"GET /b HTTP/1.1\r\nConnection: close\r\n\r\n"
    with site.connect() as client:
        sender = threading.Thread(target=client.sendall, args=(sent,))
        sender.start()
        found = read_all(client)
        sender.join()
    assert found.count(b'"/a"') == 20_000
    assert found.count(b"HTTP/1.1 200") == 20_001


def test_a_client_that_said_all_is_still_answered(site: Site) -> None:
    with site.connect() as client:
        client.sendall(b"GET /later HTTP/1.1\r\n\r\nGET /half")
        client.shutdown(socket.SHUT_WR)
        site.answer_later(b"it")
        assert read_all(client).endswith(b"it")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, "bad_request"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, "bad_request"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 400, "bad_request"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            "bad_request",
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: 100001\r\n\r\n", 413, "too_large"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n",
            413,
            "too_large",
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 18 + b"\r\n\r\n", 413, "too_large"),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 8,
            413,
            "too_large",
        ),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000, 431, "head_too_large"),
        (b"GET /" + b"x" * 70_000, 431, "head_too_large"),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", 431, "head_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 30_000 + b"\r\n", 431, "head_too_large"),
        (b"POST " + CHUNKED + b"0\r\n" + b"a: b\r\n" * 100_000, 431, "head_too_large"),
        (b"POST " + CHUNKED + b"0\r\na: " + b"b" * 500_000, 431, "head_too_large"),
        (b"POST " + CHUNKED + b"1;a=" + b"b" * 500_000, 431, "head_too_large"),
        (b"\r\n" * 300_000, 431, "head_too_large"),
        (b"CONNECT host:80 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 400, "bad_request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
    ],
)
def test_what_is_no_request_is_refused(site: Site, sent: bytes, status: int, code: str) -> None:
    with site.connect() as client:
        client.sendall(sent)
        answer = read_all(client)
    assert (status_of(answer), code_of(answer)) == (status, code)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer
    assert exchange(site, b"GET / HTTP/1.1\r\n\r\n")  # and others are served


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 3\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("step", [1, 1_000])
def test_a_wish_for_another_protocol_is_not_heard(site: Site, sent: bytes, step: int) -> None:
    head = b"POST /i HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    whole = head + b"HTTP2-Settings: AAEA\r\n" + sent + b"GET /next HTTP/1.1\r\n\r\n"
    with site.connect() as client:
        for start in range(0, len(whole), step):
            client.sendall(whole[start : start + step])
        client.shutdown(socket.SHUT_WR)
        found = read_all(client)
    assert found.count(b"HTTP/1.1 200 OK") == found.count(b"HTTP/1.1 ") == 2
    assert b'"path": "/i", "type": "", "body": "abc"' in found
    assert b'"path": "/next"' in found


def test_a_wish_for_another_protocol_lifts_no_limit(site: Site) -> None:
    head = b"POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 100001\r\n"
    with site.connect() as client:
        client.sendall(head + b"\r\n")
        assert code_of(read_all(client)) == "too_large"


def test_trailers_are_no_headers(site: Site) -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    answer = exchange(site, head + b"Content-Type: text/csv\r\n\r\n")
    assert shown(answer)["body"] == "a"
    assert shown(answer)["type"] == ""


def test_a_head_may_be_as_large_as_the_limit_whatever_follows(site: Site) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\nX: " % LIMIT
    head += b"x" * (connection.MAX_HEAD - len(head) - 4) + b"\r\n\r\n"
    assert shown(exchange(site, head + b"y" * LIMIT))["body"] == "y" * LIMIT


def test_a_refusal_waits_for_the_answers_before_it(site: Site) -> None:
    with site.connect() as client:
        client.sendall(b"GET /later HTTP/1.1\r\n\r\nnonsense\r\n\r\n")
        site.answer_later(b"first")
        found = read_all(client)
    assert found.index(b"first") < found.index(b"bad_request")


def test_a_refused_client_may_send_to_the_end(site: Site) -> None:
    with site.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 30000000\r\n\r\n")
        client.sendall(b"x" * 30_000_000)
        assert code_of(read_all(client)) == "too_large"


def test_a_client_that_does_not_read_holds_nobody_up(site: Site) -> None:
    with site.connect() as client:
        client.sendall(b"GET /long HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert b'"/b"' in exchange(site, b"GET /b HTTP/1.1\r\n\r\n")
        found = read_all(client)
    assert found.count(b"x") == 20_000_000
    assert b'"/a"' in found


@pytest.mark.parametrize(
    ("limit", "sent", "found"),
    [
        ("_STALLED", b"GET / HT", b"408"),
        ("_SLOW", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab", b"408"),
        ("_IDLE", b"", b""),
    ],
)
def test_a_client_that_takes_too_long(
    site: Site, monkeypatch: pytest.MonkeyPatch, limit: str, sent: bytes, found: bytes
) -> None:
    with site.connect() as client:
        # Its own answer shows that the server has what was sent before.
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        read_until(client, b"}")
        client.sendall(sent)
        exchange(site, b"GET / HTTP/1.1\r\n\r\n")
        site.on_loop(site.server.tick)
        monkeypatch.setattr(connection, limit, 0)
        site.on_loop(site.server.tick)
        assert read_all(client)[9:12] == found


def test_a_client_that_never_reads_is_dropped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with site.connect() as client:
        client.sendall(b"GET /long HTTP/1.1\r\n\r\n")
        read_until(client, b"x")
        monkeypatch.setattr(connection, "_STALLED", -1)
        site.on_loop(site.server.tick)
        assert len(read_all(client)) < 20_000_000


def test_connections_are_counted_and_none_is_left_out(site: Site) -> None:
    with site.connect() as first:
        first.sendall(b"GET / HTTP/1.1\r\n\r\n")
        read_until(first, b"}")
        site.busier = True  # others go first; there are none
        exchange(site, b"GET / HTTP/1.1\r\n\r\n")
        site.busier = False
        exchange(site, b"GET / HTTP/1.1\r\n\r\n")
    site.stop()
    site.thread.join(20)
    assert site.counts == [1, 2, 1, 2, 1, 0]


def test_more_bodies_than_memory_may_hold_come_one_after_the_other(site: Site) -> None:
    site.server.bodies = Bodies(LIMIT // 2)
    part = b"x" * (LIMIT // 2)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(site.connect()) for _ in range(20)]
        for client in clients:
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % LIMIT + part)
        for client in (gone := clients[::5]):
            client.close()
        rest = [client for client in clients if client not in gone]
        for client in reversed(rest):
            client.sendall(part)
        for client in rest:
            assert len(shown(read_until(client, b"}"))["body"]) == LIMIT
    site.stop()
    site.thread.join(20)  # it has seen who is gone
    assert not site.server.bodies.too_many


@contextlib.contextmanager
def no_more_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()  # which would free some later
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_client_waits_while_the_system_has_no_files(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    with open(reading) as log, open(writing, "w") as stderr, socket.socket() as client:
        monkeypatch.setattr(sys, "stderr", stderr)
        client.settimeout(20)
        with no_more_files():
            client.connect(("127.0.0.1", site.port))
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert "no more connections" in log.readline()
        assert shown(read_until(client, b"}"))["path"] == "/"


def test_a_drain_answers_what_came_before_it_and_was_not_read(site: Site) -> None:
    with site.connect() as client, site.connect() as idle:
        while len(site.server.connections) < 2:
            time.sleep(0.01)

        def at_once() -> None:
            client.sendall(b"GET /late HTTP/1.1\r\n\r\n")
            drain = site.server.drain()
            drain.send(None)  # up to where it waits, and nothing is read meanwhile
            drain.close()

        site.on_loop(at_once)
        assert idle.recv(1) == b""
        found = read_all(client)
        assert b'"path": "/late"' in found
        assert b"Connection: close" in found


def test_a_drain_answers_what_is_under_way_and_ends_what_is_not(site: Site) -> None:
    with site.connect() as busy, site.connect() as idle, site.connect() as late:
        idle.sendall(b"GET / HTTP/1.1\r\n\r\n")
        read_until(idle, b"}")
        late.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: x\r\n\r\na")
        read_until(late, b"\r\n\r\n")
        busy.sendall(b"GET /later HTTP/1.1\r\n\r\n")
        site.arrived.acquire()
        site.stop()
        assert read_all(idle) == b""
        with pytest.raises(ConnectionError):
            site.connect()
        late.sendall(b"b")
        assert shown(read_all(late))["body"] == "ab"
        site.arrived.release()
        site.answer_later(b"done")
        answer = read_all(busy)
        assert answer.endswith(b"done")
        assert b"Connection: close" in answer
    site.thread.join(20)
    assert not site.thread.is_alive()
