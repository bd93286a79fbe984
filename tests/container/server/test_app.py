"""The routes, on a scorer that fails."""

import asyncio

import pytest

from boostline.container.flavors.base import Rows, Scores
from boostline.container.programs.scoring import Read, Reply, Request
from boostline.container.server.app import App
from boostline.container.server.messages import Answer, HttpRequest
from boostline.container.server.metrics import Board
from boostline.container.server.settings import Settings


class Panic(BaseException):
    """No `Exception`, as Polars' panics are none."""


class Panicking:
    attributes = "model="

    def __init__(self, *, slow: bool) -> None:
        self._slow = slow

    def takes_long(self, _request: Request) -> bool:
        return self._slow

    def score(self, request: Request) -> Reply:
        return self.reply(self.read(request), self.scores(self.read(request).rows))

    def read(self, _request: Request) -> Read:
        raise Panic

    def scores(self, _rows: Rows) -> Scores:
        raise Panic

    def reply(self, _read: Read, _scores: Scores) -> Reply:
        raise Panic


@pytest.mark.parametrize("slow", [True, False])
def test_whatever_a_scorer_raises_is_answered(slow: bool) -> None:
    async def send() -> Answer:
        answered = asyncio.get_running_loop().create_future()
        app = App(Panicking(slow=slow), Settings.read({}), Board(1), 0)
        app.handle(HttpRequest(b"POST", b"/invocations", {}, b"1"), answered.set_result)
        answer: Answer = await asyncio.wait_for(answered, 60)
        return answer

    answer = asyncio.run(send())
    assert (answer.status, b"unexpected Panic" in answer.body) == (500, True)
