"""Requests that come at the same time, scored by the churn model."""

import asyncio
import json
from collections.abc import Sequence
from functools import partial

import pytest

from boostline.container.errors import ContainerError
from boostline.container.flavors.base import Rows, Scores
from boostline.container.loading import LoadedModel
from boostline.container.programs.scoring import Reply, Request, Scorer, ScoringError
from boostline.container.server.together import MOST, Outcome, Together

pytestmark = pytest.mark.slow


class Watched(Scorer):
    """Notes how many rows each call of the engine gets, and may fail."""

    def __init__(self, loaded: LoadedModel, fails: int = 0) -> None:
        super().__init__(loaded)
        self.calls: list[int] = []
        self._fails = fails

    def scores(self, rows: Rows) -> Scores:
        self.calls.append(len(rows))
        if len(self.calls) <= self._fails:
            raise ContainerError("not this time")
        return super().scores(rows)


def answers(scorer: Scorer, requests: Sequence[Request]) -> list[Outcome]:
    """Send requests in one turn of the loop."""

    async def send() -> list[Outcome]:
        together, found = Together(scorer), asyncio.get_running_loop().create_future()
        outcomes: dict[int, Outcome] = {}

        def done(place: int, outcome: Outcome) -> None:
            outcomes[place] = outcome
            if len(outcomes) == len(requests):
                found.set_result([outcomes[place] for place in range(len(requests))])

        for place, request in enumerate(requests):
            together.add(request, partial(done, place))
        result: list[Outcome] = await found
        return result

    return asyncio.run(send())


@pytest.fixture(scope="module")
def requests(loaded: LoadedModel) -> list[Request]:
    records = [golden.record for golden in loaded.artifact.golden.records]
    bodies = [json.dumps(records[place % len(records)]).encode() for place in range(150)]
    return [Request(body, "application/json") for body in bodies]


def test_each_gets_its_own_answer_to_the_last_digit(
    loaded: LoadedModel, requests: list[Request]
) -> None:
    scorer = Watched(loaded)
    assert answers(scorer, requests) == [Scorer(loaded).score(request) for request in requests]
    assert scorer.calls == [MOST, MOST, 150 - 2 * MOST]


def test_what_is_refused_and_what_has_many_rows_goes_alone(
    loaded: LoadedModel, requests: list[Request]
) -> None:
    scorer = Watched(loaded)
    many = Request(b"[" + b",".join(one.body for one in requests[:3]) + b"]", "application/json")
    found = answers(scorer, [requests[0], Request(b"{", "application/json"), many, requests[1]])
    assert sorted(scorer.calls) == [2, 3]
    assert isinstance(found[1], ScoringError)
    assert found[1].status == 400
    expected = [Scorer(loaded).score(one) for one in (requests[0], many, requests[1])]
    assert [found[0], found[2], found[3]] == expected


def test_a_failure_of_all_is_no_failure_of_each(
    loaded: LoadedModel, requests: list[Request]
) -> None:
    scorer = Watched(loaded, fails=2)
    found = answers(scorer, requests[:3])
    assert scorer.calls == [3, 1, 1, 1]
    assert isinstance(found[0], ContainerError)
    assert all(isinstance(outcome, Reply) for outcome in found[1:])
