"""Scoring of the requests that come at the same time, with one call of the engine."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from boostline.container.flavors.base import Rows, Scores
from boostline.container.programs.scoring import Read, Reply, Request

# oneDAL scores up to 79 rows of a call as it scores each alone, and adds the leaves of more in
# another order: an answer must not depend, be it in its last digit, on who else asks.
MOST = 64

Outcome = Reply | BaseException
Done = Callable[[Outcome], None]


class Scoring(Protocol):
    """What answers ``/invocations``; a `boostline.container.programs.scoring.Scorer`."""

    attributes: str

    def takes_long(self, request: Request) -> bool:
        """Say whether to score a request in a thread."""

    def score(self, request: Request) -> Reply:
        """Score a request."""

    def read(self, request: Request) -> Read:
        """Read its rows."""

    def scores(self, rows: Rows) -> Scores:
        """Score rows."""

    def reply(self, read: Read, scores: Scores) -> Reply:
        """Answer a request with the scores of its rows."""


class _Single(NamedTuple):
    read: Read
    done: Done


class Together:
    """Gathers the requests of one turn of the event loop; nobody waits for one that is to come.

    A call of the engine costs as much as some ten more rows in it.

    Parameters
    ----------
    scorer
        Reads, scores and answers.
    """

    def __init__(self, scorer: Scoring) -> None:
        self._scorer = scorer
        self._waiting: list[tuple[Request, Done]] = []

    def add(self, request: Request, done: Done) -> None:
        """Score a request before the loop looks for more; `done` gets what came of it."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        self._waiting.append((request, done))

    def _turn(self) -> None:
        waiting, self._waiting = self._waiting, []
        singles: list[_Single] = []
        for request, done in waiting:
            try:
                read = self._scorer.read(request)
            except BaseException as error:  # its own client is told, also of a panic of Polars
                done(error)
                continue
            singles.append(_Single(read, done))
            if len(read.rows) != 1:
                self._score([singles.pop()])
        for start in range(0, len(singles), MOST):
            self._score(singles[start : start + MOST])

    def _score(self, singles: list[_Single]) -> None:
        """Score requests of one row each, or one request of any rows."""
        rows = [single.read.rows for single in singles]
        try:
            scores = self._scorer.scores(rows[0] if len(rows) == 1 else np.concatenate(rows))
            step = len(scores) // len(singles)
            replies = [
                self._scorer.reply(single.read, scores[place * step : (place + 1) * step])
                for place, single in enumerate(singles)
            ]
        except BaseException as error:
            if len(singles) == 1:
                singles[0].done(error)
            else:
                for single in singles:
                    self._score([single])
            return
        for single, reply in zip(singles, replies, strict=True):
            single.done(reply)
