"""An update under load: whatever answers, it answers by its own transform alone."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

import polars as pl
import pytest
import urllib3

from benchmarks.programs import EXAMPLE, read_example
from benchmarks.stage import Stage, post, traffic, train
from boostline.artifact.folder import Artifact
from boostline.container.flavors.base import Task
from boostline.container.flavors.xgb import XGBoostFlavor
from boostline.features.table import transform
from tests.conftest import RunningPlatform

pytestmark = pytest.mark.slow

RECORDS = 20


@pytest.fixture
def settings() -> Mapping[str, Any]:
    return {"images": {"*": (sys.executable, "-m", "boostline.container")}}


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> list[Artifact]:
    """Two versions, as many columns, which mean different things: only the digest tells."""
    folder, features = tmp_path_factory.mktemp("versions"), read_example().features
    other = {"numeric": [*reversed(features["numeric"])]}
    return [
        train(folder / str(place), changes, num_round="20")
        for place, changes in enumerate(({}, other))
    ]


class Clients:
    """Sends records, one or all at a time, and keeps what does not fit any version."""

    def __init__(self, url: str, versions: Mapping[str, Artifact]) -> None:
        table = pl.read_csv(EXAMPLE / "data/churn.csv", n_rows=RECORDS).drop("Churn?")
        self._records = table.to_dicts()
        self._expected = {name: own_scores(artifact, table) for name, artifact in versions.items()}
        self._url, self._http = url, urllib3.PoolManager(retries=False, timeout=30)
        self._places = cycle(range(RECORDS))
        self.models, self.wrong = Counter[str](), list[object]()

    def one(self) -> int:
        place = next(self._places)
        status, answer = post(self._http, f"{self._url}/predict", self._records[place])
        self._check([place], [answer])
        return status

    def all(self) -> int:
        status, answer = post(self._http, f"{self._url}/predict/batch", self._records)
        found = answer.get("predictions", [answer])
        self._check(range(len(found)), found)
        if len({one.get("model") for one in found}) != 1 or len(found) != RECORDS:
            self.wrong.append(answer)
        return status

    def _check(self, places: Any, answers: list[dict[str, Any]]) -> None:
        for place, answer in zip(places, answers, strict=True):
            own = self._expected.get(answer.get("model", ""))
            if own is None or abs(own[place] - answer["score"]) > 2e-6:
                self.wrong.append(answer)
            self.models[answer.get("model", "")] += 1

    def await_answer(self, version: str) -> None:
        """Wait until a version has answered."""
        until(lambda: version in self.models)

    def differ(self, one: str, other: str) -> float:
        """Return by how much two versions differ on a record at least."""
        scores = zip(self._expected[one], self._expected[other], strict=True)
        return min(abs(a - b) for a, b in scores)


def until(holds: Callable[[], bool], limit: float = 120) -> None:
    """Wait until something holds that only asking can tell."""
    deadline = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def own_scores(artifact: Artifact, table: pl.DataFrame) -> list[float]:
    """Return what the native model makes of a table by its own contract."""
    model = XGBoostFlavor().load(artifact.folder, Task.of(artifact.contract))
    scores: list[float] = model.predict(transform(artifact.contract, table).to_numpy()).tolist()
    return scores


def fallbacks(platform: RunningPlatform) -> int:
    """Count the requests in the function's log whose rows the endpoint refused."""
    pages = (
        platform.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName="/aws/lambda/churn--bench")
    )
    lines = (event["message"] for page in pages for event in page["events"])
    return sum(json.loads(line).get("fallback") is True for line in lines if line[0] == "{")


def test_every_answer_is_one_version_s_own(
    platform: RunningPlatform, artifacts: list[Artifact]
) -> None:
    """The function has the old contract when the endpoint is new, and the other way around."""
    first, second = artifacts
    versions = {"v1": first, "v2": second, "v3": first}
    assert first.contract.digest != second.contract.digest
    stage = Stage(platform.client, platform.endpoint)
    stage.serve("v1", first)
    stage.function(first.contract)
    clients = Clients(stage.route(), versions)
    assert clients.differ("v1", "v2") > 1e-5
    with traffic([clients.one, clients.one, clients.all]) as statuses:
        clients.await_answer("v1")
        stage.serve("v2", second)
        clients.await_answer("v2")  # of the old contract's rows, it takes the records
        stage.function(second.contract)
        stage.serve("v3", first)
        clients.await_answer("v3")
    assert clients.wrong == []
    assert statuses.keys() == {200}
    assert clients.models.keys() == versions.keys()
    until(lambda: fallbacks(platform) > 0)  # lines are stored in the background
